/* requantize_s8_s16 in portable C. */
#include "common/requant.h"
#include "quantize/requantize_s8_s16.h"

NIBBLE_API void nibble_requantize_s8_s16_ref(const nibble_requantize_s8_s16_args* args,
                                             const int8_t* src, int16_t* dst) {
  const int8_t* end = src + args->len;
  while (src != end) {
    int32_t value =
        nibble_requant(*src++ - args->in_zero, args->multiplier, args->exponent, args->rounding);
    *dst++ = (int16_t)nibble_clamp(value + args->out_zero, args->act_min, args->act_max);
  }
}
