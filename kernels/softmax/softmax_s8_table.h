/* softmax_s8 from a table of exp: entry d is exp(-beta * scale * d) in Q0.31, as
   nibble_exp_of_negative computes it, for the differences d to a row's largest element from 0 to
   entries - 1, entries <= 256. Those beyond are below 2^-20, or below diff_min: they add nothing to
   the sum in Q12.19, and their share rounds to zero. */
#ifndef NIBBLE_SOFTMAX_SOFTMAX_S8_TABLE_H
#define NIBBLE_SOFTMAX_SOFTMAX_S8_TABLE_H

#include "common/fixed_point.h"
#include "common/nibble_common.h"

/* The output of a share; from 2^9 equal elements on every share rounds to zero. */
static inline int8_t nibble_softmax_s8_share(int32_t scale, int32_t share, int32_t shift) {
  if (shift > 31) return -128;
  share = nibble_rounding_shift_right(nibble_fixed_mul(scale, share), shift);
  return (int8_t)nibble_clamp(share - 128, -128, 127);
}

/* long_rows: the outputs of all differences are computed once a row and looked up, which pays if a
   row has more elements than the table. dst may be src. */
static inline void nibble_softmax_s8_by_table(const int8_t* src, int8_t* dst, const int32_t* table,
                                              int32_t entries, int32_t rows, int32_t row_len,
                                              int32_t long_rows) {
  int8_t outputs[256];
  int32_t row, i;
  if (long_rows) memset(outputs, -128, sizeof outputs);
  for (row = 0; row < rows; ++row) {
    int32_t max = -128, shift = 35, scale;
    uint32_t sum = 0;
    for (i = 0; i < row_len; ++i)
      if (src[i] > max) max = src[i];
    for (i = 0; i < row_len; ++i) {
      int32_t diff = max - src[i];
      if (diff < entries) sum += ((uint32_t)table[diff] + 2048u) >> 12;
    }
    scale = nibble_reciprocal_of_sum(sum, &shift);
    if (long_rows)
      for (i = 0; i < entries; ++i) outputs[i] = nibble_softmax_s8_share(scale, table[i], shift);
    for (i = 0; i < row_len; ++i) {
      int32_t diff = max - src[i];
      if (long_rows)
        dst[i] = outputs[diff];
      else
        dst[i] = diff < entries ? nibble_softmax_s8_share(scale, table[diff], shift) : (int8_t)-128;
    }
    src += row_len;
    dst += row_len;
  }
}

#endif
