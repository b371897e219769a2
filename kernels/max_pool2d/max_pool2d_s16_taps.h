/* max_pool2d_s16 by groups of channels (common/taps_s16.h). */
#ifndef NIBBLE_MAX_POOL2D_MAX_POOL2D_S16_TAPS_H
#define NIBBLE_MAX_POOL2D_MAX_POOL2D_S16_TAPS_H

#include "common/taps_s16.h"
#include "common/window.h"
#include "max_pool2d/max_pool2d_s16.h"

static inline void nibble_max_pool2d_s16_taps(const nibble_max_pool2d_s16_args* args,
                                              const int16_t* src, int16_t* dst, int32_t first_row,
                                              int32_t end_row) {
  int32_t channels = args->channels;
  nibble_taps_s16 taps;
  memset(&taps, 0, sizeof taps);
  taps.channels = channels;
  taps.act_min = args->act_min;
  taps.act_max = args->act_max;
  taps.column_step = 2 * args->dilation_w * channels;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * args->stride_h - args->pad_top;
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      taps.rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      for (int32_t ox = 0; ox < args->out_w; ++ox) {
        int32_t x = ox * args->stride_w - args->pad_left;
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        taps.columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        taps.row_step =
            2 * args->dilation_h * args->in_w * channels - taps.columns * taps.column_step;
        taps.src =
            src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * channels;
        taps.dst = dst + (oy * args->out_w + ox) * channels;
        nibble_max_of_taps_s16_groups(&taps);
      }
    }
    src += args->in_h * args->in_w * channels;
    dst += args->out_h * args->out_w * channels;
  }
}

#endif
