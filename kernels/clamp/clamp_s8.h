/* clamp_s8: dst[i] = src[i] clamped to [act_min, act_max], both in [-128, 127]. Input and output
   have the same scale. len elements; dst may be src. */
#ifndef NIBBLE_CLAMP_CLAMP_S8_H
#define NIBBLE_CLAMP_CLAMP_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t act_min;
  int32_t act_max;
} nibble_clamp_s8_args;

NIBBLE_API void nibble_clamp_s8_ref(const nibble_clamp_s8_args* args, const int8_t* src,
                                    int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
