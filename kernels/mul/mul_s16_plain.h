/* mul_s16 where all but the length is constant: what functions written per layer expand. Factors
   under 1 (common/rescale_s16.h); shift is -exponent. */
#ifndef NIBBLE_MUL_MUL_S16_PLAIN_H
#define NIBBLE_MUL_MUL_S16_PLAIN_H

#include "common/nibble_common.h"
#include "common/rescale_s16.h"

static inline void nibble_mul_s16_plain(const int16_t* src, const int16_t* rhs, int16_t* dst,
                                        int32_t len, int32_t multiplier, int32_t shift, int32_t low,
                                        int32_t high, int32_t rounding) {
  for (int32_t i = 0; i < len; ++i)
    dst[i] = nibble_clamp_s16(nibble_rescale_s16(src[i] * rhs[i], multiplier, shift, rounding), low,
                              high);
}

#endif
