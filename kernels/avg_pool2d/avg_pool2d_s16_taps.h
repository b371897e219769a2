/* avg_pool2d_s16 by groups of channels (common/taps_s16.h), with one division per count of taps. */
#ifndef NIBBLE_AVG_POOL2D_AVG_POOL2D_S16_TAPS_H
#define NIBBLE_AVG_POOL2D_AVG_POOL2D_S16_TAPS_H

#include "avg_pool2d/avg_pool2d_s16.h"
#include "common/taps_s16.h"
#include "common/window.h"

/* count is at most 2^15. 2^(31 + shift) / count, rounded up, by two divisions of 32 bits. */
static inline void nibble_average_by_s16(nibble_taps_s16* taps, int32_t count) {
  uint32_t divisor = (uint32_t)count, high, rest;
  taps->half = count / 2;
  taps->count = count;
  taps->shift = 0;
  while (((int32_t)1 << taps->shift) < count) ++taps->shift;
  /* 2^(31 + shift) = (2^(15 + shift)) * 2^16, digit by digit of 16 bits. */
  high = ((uint32_t)1 << (15 + taps->shift)) / divisor;
  rest = (((uint32_t)1 << (15 + taps->shift)) % divisor) << 16;
  taps->reciprocal = (high << 16) + (rest + divisor - 1) / divisor;
}

static inline void nibble_avg_pool2d_s16_taps(const nibble_avg_pool2d_s16_args* args,
                                              const int16_t* src, int16_t* dst, int32_t first_row,
                                              int32_t end_row) {
  int32_t channels = args->channels, known = 0;
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
        int32_t count = args->count_pad ? args->k_h * args->k_w : taps.rows * taps.columns;
        if (count != known) {
          known = count;
          nibble_average_by_s16(&taps, count);
        }
        taps.src =
            src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * channels;
        taps.dst = dst + (oy * args->out_w + ox) * channels;
        nibble_average_of_taps_s16_groups(&taps);
      }
    }
    src += args->in_h * args->in_w * channels;
    dst += args->out_h * args->out_w * channels;
  }
}

#endif
