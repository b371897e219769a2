/* quantize_f32_s16 in portable C, without the mathematics library. */
#include "common/nibble_common.h"
#include "common/requant.h"
#include "quantize/quantize_f32_s16.h"

/* The nearest integer, ties away from zero. Beyond +-100000 all values end at the clamp, since
   |zero| is at most 32768; not a number gives 0. */
static inline int32_t nibble_quantize_f32_s16_round(float ratio) {
  if (ratio >= 100000.0f) return 100000;
  if (ratio <= -100000.0f) return -100000;
  if (!(ratio == ratio)) return 0;
  int32_t whole = (int32_t)ratio;
  float rest = ratio - (float)whole; /* exact: both are small multiples of ratio's last place */
  if (rest >= 0.5f) return whole + 1;
  if (rest <= -0.5f) return whole - 1;
  return whole;
}

NIBBLE_API void nibble_quantize_f32_s16_ref(const nibble_quantize_f32_s16_args* args,
                                            const float* src, int16_t* dst) {
  const float* end = src + args->len;
  NIBBLE_SCALAR_LOOP
  while (src != end) {
    int32_t q = nibble_quantize_f32_s16_round(*src++ / args->scale) + args->out_zero;
    *dst++ = (int16_t)nibble_clamp(q, args->act_min, args->act_max);
  }
}
