/* mean_s8 with four elements of inner at once (common/lanes_s8.h); there are at least four, and the
   last four start so early that they are whole. */
#ifndef NIBBLE_MEAN_MEAN_S8_LANES_H
#define NIBBLE_MEAN_MEAN_S8_LANES_H

#include "common/lanes_s8.h"
#include "common/output_s8.h"
#include "mean/mean_s8.h"

static inline void nibble_mean_s8_lanes(const nibble_mean_s8_args* args, const int8_t* src,
                                        int8_t* dst) {
  int32_t inner = args->inner;
  int32_t block = args->axis_b * inner;
  int32_t zero_sum = args->in_zero * (args->axis_a * args->axis_b);
  nibble_taps_s8 taps;
  taps.rows = args->axis_a;
  taps.columns = args->axis_b;
  taps.column_step = inner;
  taps.row_step = args->middle * block - block;
  taps = nibble_joined_taps_s8(taps);
  for (int32_t o = 0; o < args->outer; ++o) {
    for (int32_t m = 0; m < args->middle; ++m) {
      for (int32_t c = 0; c < inner; c += 4) {
        int32_t at = c + 4 <= inner ? c : inner - 4;
        int32_t sums[4];
        nibble_sums_of_lanes_s8(src + m * block + at, &taps, sums);
        for (int32_t i = 0; i < 4; ++i)
          dst[at + i] =
              nibble_output_s8(sums[i] - zero_sum, args->multiplier, args->exponent, args->rounding,
                               args->out_zero, args->act_min, args->act_max);
      }
      dst += inner;
    }
    src += args->axis_a * args->middle * block;
  }
}

#endif
