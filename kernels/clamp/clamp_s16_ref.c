/* Portable relu, relu6 and clip that no layer before them could take in. */
#include "clamp/clamp_s16.h"
#include "common/requant.h"

NIBBLE_API void nibble_clamp_s16_ref(const nibble_clamp_s16_args* args, const int16_t* src,
                                     int16_t* dst) {
  const int32_t len = args->len;
  const int32_t act_min = args->act_min;
  const int32_t act_max = args->act_max;
  int32_t i;
  for (i = 0; i < len; ++i) dst[i] = (int16_t)nibble_clamp(src[i], act_min, act_max);
}
