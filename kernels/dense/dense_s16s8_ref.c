/* dense_s16s8 in portable C: four outputs at a time. */
#include "common/dot_s16.h"
#include "common/output_s16.h"
#include "dense/dense_s16s8.h"

NIBBLE_API void nibble_dense_s16s8_ref(const nibble_dense_s16s8_args* args, const int16_t* src,
                                       int16_t* dst) {
  for (int32_t row = 0; row < args->rows; ++row) {
    const int8_t* filter = args->filter;
    int32_t lanes = 0;
    for (int32_t out = 0; out < args->out_len; out += lanes) {
      int64_t acc[4] = {0, 0, 0, 0};
      lanes = args->out_len - out >= 4 ? 4 : 1;
      for (int32_t lane = 0; lane < lanes && args->bias; ++lane) acc[lane] = args->bias[out + lane];
      if (lanes == 4)
        nibble_dot_s16_x4(src, filter, args->in_len, args->in_len, acc);
      else
        nibble_dot_s16_x1(src, filter, args->in_len, acc);
      filter += lanes * args->in_len;
      for (int32_t lane = 0; lane < lanes; ++lane)
        *dst++ =
            nibble_output_s16(acc[lane], args->multiplier[out + lane], args->exponent[out + lane],
                              args->rounding, args->act_min, args->act_max);
    }
    src += args->in_len;
  }
}
