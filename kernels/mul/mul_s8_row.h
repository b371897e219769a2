/* mul_s8 for functions written per instruction set. `table`: lhs_zero, rhs_zero, multiplier,
   exponent, out_zero, then what the instruction set likes. rhs_step 0: rhs is one element. dst may
   be src, or rhs where that has len elements. */
#ifndef NIBBLE_MUL_MUL_S8_ROW_H
#define NIBBLE_MUL_MUL_S8_ROW_H

#include "mul/mul_elem.h"

static inline void nibble_mul_s8_row(const int8_t* src, const int8_t* rhs, int32_t rhs_step,
                                     int8_t* dst, const int32_t* table, int32_t len,
                                     int32_t act_min, int32_t act_max, int32_t rounding) {
  const nibble_mul_scaling cfg = {table[0], table[1], table[4], table[2],
                                  table[3], act_min,  act_max,  rounding};
  for (int32_t i = 0; i < len; ++i) dst[i] = nibble_mul_elem_s8(&cfg, src[i], rhs[i * rhs_step]);
}

#endif
