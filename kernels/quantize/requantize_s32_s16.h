/* requantize_s32_s16: dst[i] = clamp(requant(src[i] - in_zero) + out_zero): from one width, scale
   and zero point to another.

   src and dst have len elements. The compiler guarantees that a positive exponent does not
   overflow; in_zero is 0. dst does not overlap src. */
#ifndef NIBBLE_QUANTIZE_REQUANTIZE_S32_S16_H
#define NIBBLE_QUANTIZE_REQUANTIZE_S32_S16_H

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
} nibble_requantize_s32_s16_args;

NIBBLE_API void nibble_requantize_s32_s16_ref(const nibble_requantize_s32_s16_args* args,
                                              const int32_t* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
