/* add_s16 where all but the length is constant: what functions written per layer expand.
   Factors as in add_s16.h, shift is -exponent (common/rescale_s16.h). */
#ifndef NIBBLE_ADD_ADD_S16_PLAIN_H
#define NIBBLE_ADD_ADD_S16_PLAIN_H

#include "common/nibble_common.h"
#include "common/rescale_s16.h"

typedef struct {
  int32_t multiplier;
  int32_t shift;
} nibble_add_factor_s16;

/* 2^15 * x, rescaled. The factor 1/2 is exact. */
static inline int32_t nibble_add_operand_s16(int32_t x, nibble_add_factor_s16 factor,
                                             int32_t rounding) {
  if (factor.multiplier == (int32_t)1 << 30) {
    int32_t whole = factor.shift < 14 ? 14 - factor.shift : 0;
    if (factor.shift <= 14) return x * ((int32_t)1 << whole);
  }
  return nibble_rescale_s16(x * ((int32_t)1 << 15), factor.multiplier, factor.shift, rounding);
}

static inline void nibble_add_s16_plain(const int16_t* src, const int16_t* rhs, int16_t* dst,
                                        int32_t len, nibble_add_factor_s16 lhs_factor,
                                        nibble_add_factor_s16 rhs_factor, int32_t rhs_sign,
                                        nibble_add_factor_s16 out, int32_t low, int32_t high,
                                        int32_t rounding) {
  for (int32_t i = 0; i < len; ++i) {
    int32_t lhs = nibble_add_operand_s16(src[i], lhs_factor, rounding);
    int32_t other = nibble_add_operand_s16(rhs[i], rhs_factor, rounding);
    int32_t sum = rhs_sign > 0 ? lhs + other : lhs - other;
    dst[i] =
        nibble_clamp_s16(nibble_rescale_s16(sum, out.multiplier, out.shift, rounding), low, high);
  }
}

#endif
