/* dequantize_s16_f32: dst[i] = scale * (src[i] - in_zero).

   src and dst have len elements. dst does not overlap src. */
#ifndef NIBBLE_DEQUANTIZE_DEQUANTIZE_S16_F32_H
#define NIBBLE_DEQUANTIZE_DEQUANTIZE_S16_F32_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t in_zero;
  float scale;
} nibble_dequantize_s16_f32_args;

NIBBLE_API void nibble_dequantize_s16_f32_ref(const nibble_dequantize_s16_f32_args* args,
                                              const int16_t* src, float* dst);

#ifdef __cplusplus
}
#endif

#endif
