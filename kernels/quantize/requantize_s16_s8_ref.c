/* requantize_s16_s8 in portable C. */
#include "common/requant.h"
#include "quantize/requantize_s16_s8.h"

NIBBLE_API void nibble_requantize_s16_s8_ref(const nibble_requantize_s16_s8_args* args,
                                             const int16_t* src, int8_t* dst) {
  const int16_t* end = src + args->len;
  while (src != end) {
    int32_t value =
        nibble_requant(*src++ - args->in_zero, args->multiplier, args->exponent, args->rounding);
    *dst++ = (int8_t)nibble_clamp(value + args->out_zero, args->act_min, args->act_max);
  }
}
