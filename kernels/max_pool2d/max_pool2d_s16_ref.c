/* max_pool2d_s16 in portable C: one channel after the other through the taps that lie inside the
 * image. */
#include "common/requant.h"
#include "common/window.h"
#include "max_pool2d/max_pool2d_s16.h"

NIBBLE_API void nibble_max_pool2d_s16_ref(const nibble_max_pool2d_s16_args* args,
                                          const int16_t* src, int16_t* dst) {
  int32_t channels = args->channels;
  int32_t column_step = args->dilation_w * channels;
  for (int32_t n = 0; n < args->batches; ++n) {
    int32_t y = -args->pad_top;
    for (int32_t oy = 0; oy < args->out_h; ++oy, y += args->stride_h) {
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      int32_t rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      int32_t x = -args->pad_left;
      for (int32_t ox = 0; ox < args->out_w; ++ox, x += args->stride_w) {
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        int32_t columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        int32_t row_step = args->dilation_h * args->in_w * channels - columns * column_step;
        const int16_t* first =
            src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * channels;
        for (int32_t c = 0; c < channels; ++c) {
          const int16_t* tap = first + c;
          int32_t max = INT16_MIN;
          for (int32_t i = rows; i > 0; --i) {
            for (int32_t j = columns; j > 0; --j) {
              if (*tap > max) max = *tap;
              tap += column_step;
            }
            tap += row_step;
          }
          *dst++ = (int16_t)nibble_clamp(max, args->act_min, args->act_max);
        }
      }
    }
    src += args->in_h * args->in_w * channels;
  }
}
