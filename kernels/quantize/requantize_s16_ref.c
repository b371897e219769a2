/* requantize_s16 in portable C. */
#include "common/output_s16.h"
#include "quantize/requantize_s16.h"

NIBBLE_API void nibble_requantize_s16_ref(const nibble_requantize_s16_args* args,
                                          const int16_t* src, int16_t* dst) {
  int32_t row, i;
  for (row = 0; row < args->rows; ++row) {
    const int16_t* src_row = src + row * args->src_stride;
    int16_t* dst_row = dst + row * args->dst_stride;
    for (i = 0; i < args->row_len; ++i)
      dst_row[i] = nibble_output_s16(src_row[i], args->multiplier, args->exponent, args->rounding,
                                     args->act_min, args->act_max);
  }
}
