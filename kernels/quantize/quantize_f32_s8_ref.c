/* quantize_f32_s8 in portable C, without the mathematics library. */
#include "quantize/quantize_f32_s8.h"
#include "quantize/quantize_f32_s8_elem.h"

NIBBLE_API void nibble_quantize_f32_s8_ref(const nibble_quantize_f32_s8_args* args,
                                           const float* src, int8_t* dst) {
  const float* end = src + args->len;
  NIBBLE_SCALAR_LOOP
  while (src != end)
    *dst++ = nibble_quantize_f32_s8_elem(*src++, args->scale, args->out_zero, args->act_min,
                                         args->act_max);
}
