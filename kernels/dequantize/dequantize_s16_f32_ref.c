/* dequantize_s16_f32 in portable C. */
#include "dequantize/dequantize_s16_f32.h"

NIBBLE_API void nibble_dequantize_s16_f32_ref(const nibble_dequantize_s16_f32_args* args,
                                              const int16_t* src, float* dst) {
  const int16_t* end = src + args->len;
  while (src != end) *dst++ = args->scale * (float)(*src++ - args->in_zero);
}
