/* max_pool2d_s8 with four channels at once (common/lanes_s8.h); there are at least four, and the
   last four start so early that they are whole. */
#ifndef NIBBLE_MAX_POOL2D_MAX_POOL2D_S8_LANES_H
#define NIBBLE_MAX_POOL2D_MAX_POOL2D_S8_LANES_H

#include "common/lanes_s8.h"
#include "common/window.h"
#include "max_pool2d/max_pool2d_s8.h"

static inline void nibble_max_pool2d_s8_lanes(const nibble_max_pool2d_s8_args* args,
                                              const int8_t* src, int8_t* dst, int32_t first_row,
                                              int32_t end_row) {
  int32_t channels = args->channels;
  nibble_taps_s8 taps;
  taps.column_step = args->dilation_w * channels;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * args->stride_h - args->pad_top;
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      taps.rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      for (int32_t ox = 0; ox < args->out_w; ++ox) {
        int32_t x = ox * args->stride_w - args->pad_left;
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        taps.columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        taps.row_step = args->dilation_h * args->in_w * channels - taps.columns * taps.column_step;
        const int8_t* first =
            src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * channels;
        int8_t* out = dst + (oy * args->out_w + ox) * channels;
        for (int32_t c = 0; c < channels; c += 4) {
          int32_t at = c + 4 <= channels ? c : channels - 4;
          uint32_t max = nibble_max_of_lanes_s8(first + at, &taps);
          for (int32_t i = 0; i < 4; ++i, max >>= 8)
            out[at + i] = (int8_t)nibble_clamp((int8_t)(uint8_t)max, args->act_min, args->act_max);
        }
      }
    }
    src += args->in_h * args->in_w * channels;
    dst += args->out_h * args->out_w * channels;
  }
}

#endif
