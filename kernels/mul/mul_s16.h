/* mul_s16: dst[i] = clamp(factor * src[i] * rhs[i]) on quantized numbers of zero point 0.

   src, rhs and dst have len elements. dst may be src or rhs.
   The compiler guarantees that the product, shifted left by a positive exponent, stays within 32
   bits. */
#ifndef NIBBLE_MUL_MUL_S16_H
#define NIBBLE_MUL_MUL_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t multiplier;
  int32_t exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mul_s16_args;

NIBBLE_API void nibble_mul_s16_ref(const nibble_mul_s16_args* args, const int16_t* src,
                                   const int16_t* rhs, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
