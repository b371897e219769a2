/* requantize_s8 in portable C. */
#include "common/output_s8.h"
#include "quantize/requantize_s8.h"

NIBBLE_API void nibble_requantize_s8_ref(const nibble_requantize_s8_args* args, const int8_t* src,
                                         int8_t* dst) {
  const int8_t* end = src + args->len;
  while (src != end)
    *dst++ = nibble_output_s8(*src++ - args->in_zero, args->multiplier, args->exponent,
                              args->rounding, args->out_zero, args->act_min, args->act_max);
}
