/* leaky_relu_s16: dst[i] = clamp(requant(src[i])), with one factor for what is not negative
   (multiplier, exponent) and another for the rest (alpha_multiplier, alpha_exponent). All zero
   points are 0.

   src and dst have len elements. alpha_multiplier is negative where alpha is. The compiler
   guarantees that a positive exponent does not overflow. dst may be src. */
#ifndef NIBBLE_LEAKY_RELU_LEAKY_RELU_S16_H
#define NIBBLE_LEAKY_RELU_LEAKY_RELU_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t multiplier;
  int32_t exponent;
  int32_t alpha_multiplier;
  int32_t alpha_exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_leaky_relu_s16_args;

NIBBLE_API void nibble_leaky_relu_s16_ref(const nibble_leaky_relu_s16_args* args,
                                          const int16_t* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
