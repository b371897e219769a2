/* add_s8 where one operand's factor is exactly 1/2, as TensorFlow Lite's always is for the operand
   of the larger scale: that one needs no rounding. In plain C, from the table that the functions of
   cores with Helium read:
     0  -16 * zero point of the other operand    1  its multiplier    2  its exponent
     3  -zero point of the halved operand        4  out_multiplier    5  out_exponent    6  out_zero
 */
#ifndef NIBBLE_ADD_ADD_S8_HALVED_H
#define NIBBLE_ADD_ADD_S8_HALVED_H

#include "add/add_elem.h"

static inline void nibble_add_s8_halved(const int32_t* table, const int8_t* other,
                                        int32_t other_sign, const int8_t* halved,
                                        int32_t halved_sign, int8_t* dst, int32_t len,
                                        int32_t act_min, int32_t act_max, int32_t rounding) {
  for (int32_t i = 0; i < len; ++i) {
    int32_t scaled = nibble_requant((other[i] * 16 + table[0]) * ((int32_t)1 << 16), table[1],
                                    table[2], rounding);
    int32_t half = (halved[i] + table[3]) * ((int32_t)1 << 19);
    int32_t sum =
        nibble_requant(other_sign * scaled + halved_sign * half, table[4], table[5], rounding);
    dst[i] = (int8_t)nibble_clamp(sum + table[6], act_min, act_max);
  }
}

#endif
