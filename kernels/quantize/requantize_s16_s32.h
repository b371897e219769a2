/* requantize_s16_s32: dst[i] = clamp(requant(src[i] - in_zero) + out_zero): from one width, scale
   and zero point to another.

   src and dst have len elements. The compiler guarantees that a positive exponent does not
   overflow; out_zero is 0. dst does not overlap src. */
#ifndef NIBBLE_QUANTIZE_REQUANTIZE_S16_S32_H
#define NIBBLE_QUANTIZE_REQUANTIZE_S16_S32_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t multiplier;
  int32_t exponent;
  int32_t in_zero;
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_requantize_s16_s32_args;

NIBBLE_API void nibble_requantize_s16_s32_ref(const nibble_requantize_s16_s32_args* args,
                                              const int16_t* src, int32_t* dst);

#ifdef __cplusplus
}
#endif

#endif
