/* mean_s16 by groups of what lies side by side (common/taps_s16.h). At most 2^15 taps; a factor
   under 1, with the tflite rounding under 1/2 on cores with Helium. */
#ifndef NIBBLE_MEAN_MEAN_S16_TAPS_H
#define NIBBLE_MEAN_MEAN_S16_TAPS_H

#include "common/taps_s16.h"
#include "mean/mean_s16.h"

static inline void nibble_mean_s16_taps(const nibble_mean_s16_args* args, const int16_t* src,
                                        int16_t* dst) {
  int32_t block = args->axis_b * args->inner;
  nibble_taps_s16 taps;
  memset(&taps, 0, sizeof taps);
  taps.channels = args->inner;
  taps.act_min = args->act_min;
  taps.act_max = args->act_max;
  taps.rows = args->axis_a;
  taps.columns = args->axis_b;
  taps.column_step = 2 * args->inner;
  taps.row_step = 2 * (args->middle - 1) * block;
  taps.reciprocal = (uint32_t)args->multiplier;
  taps.shift = -args->exponent;
  taps.rounding = args->rounding;
  /* One row, where that is all the same. */
  if (taps.columns == 1) taps.column_step += taps.row_step;
  if (taps.columns == 1 || taps.row_step == 0) {
    taps.columns *= taps.rows;
    taps.rows = 1;
  }
  for (int32_t o = 0; o < args->outer; ++o) {
    for (int32_t m = 0; m < args->middle; ++m, dst += args->inner) {
      taps.src = src + m * block;
      taps.dst = dst;
      nibble_mean_of_taps_s16_groups(&taps);
    }
    src += args->axis_a * args->middle * block;
  }
}

#endif
