/* clamp_s16: dst[i] = src[i] clamped to [act_min, act_max], both in [-32768, 32767]. Input and
   output have the same scale. len elements; dst may be src. */
#ifndef NIBBLE_CLAMP_CLAMP_S16_H
#define NIBBLE_CLAMP_CLAMP_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t act_min;
  int32_t act_max;
} nibble_clamp_s16_args;

NIBBLE_API void nibble_clamp_s16_ref(const nibble_clamp_s16_args* args, const int16_t* src,
                                     int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
