/* quantize_f32_s16: dst[i] = clamp(round(src[i] / scale) + out_zero), ties away from zero. What is
   not a number becomes out_zero.

   src and dst have len elements; scale is positive. dst does not overlap src. */
#ifndef NIBBLE_QUANTIZE_QUANTIZE_F32_S16_H
#define NIBBLE_QUANTIZE_QUANTIZE_F32_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  float scale;
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
} nibble_quantize_f32_s16_args;

NIBBLE_API void nibble_quantize_f32_s16_ref(const nibble_quantize_f32_s16_args* args,
                                            const float* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
