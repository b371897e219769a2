/* Portable softmax. exp is computed, twice per element, rather than read from a table: a table of
   its 256 possible results would take 1 KB of flash for every softmax, this code takes less, once,
   and a classifier has one short row. */
#include "common/fixed_point.h"
#include "softmax/softmax_s8.h"

NIBBLE_API void nibble_softmax_s8_ref(const nibble_softmax_s8_args* args, const int8_t* src,
                                      int8_t* dst) {
  const int32_t row_len = args->row_len;
  int32_t row, pass, i;
  for (row = 0; row < args->rows; ++row) {
    int32_t max = -128;
    uint32_t sum = 0;
    int32_t shift = 35; /* 12 integer bits of the sum + 31 - 8 bits of the output */
    int32_t scale = 0;
    for (i = 0; i < row_len; ++i)
      if (src[i] > max) max = src[i];
    /* The first pass sums, the second writes: one place that computes exp. */
    for (pass = 0; pass < 2; ++pass) {
      for (i = 0; i < row_len; ++i) {
        int32_t diff = src[i] - max;
        int32_t share = 0;
        if (diff >= args->diff_min)
          share = nibble_exp_of_negative(
              nibble_requant_tflite(diff, args->multiplier, args->exponent), 5);
        if (pass == 0) {
          sum += (uint32_t)nibble_rounding_shift_right(share, 12);
        } else {
          /* From 2^9 equal elements on every share rounds to zero. */
          share =
              shift > 31 ? 0 : nibble_rounding_shift_right(nibble_fixed_mul(scale, share), shift);
          dst[i] = (int8_t)nibble_clamp(share - 128, -128, 127);
        }
      }
      if (pass == 0) scale = nibble_reciprocal_of_sum(sum, &shift);
    }
    src += row_len;
    dst += row_len;
  }
}
