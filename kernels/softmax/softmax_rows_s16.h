/* The arithmetic of softmax_s16, for the kernel and (in C++) for the host's reference. */
#ifndef NIBBLE_SOFTMAX_SOFTMAX_ROWS_S16_H
#define NIBBLE_SOFTMAX_SOFTMAX_ROWS_S16_H

#include "common/nibble_common.h"
#include "common/requant.h"

/* The table at x in [-32768, 32767], linear between its entries. */
static inline int32_t nibble_table_at_s16(const int16_t* table, int32_t x) {
  int32_t index = (x + 32768) >> 7;
  int32_t slope = table[index + 1] - table[index];
  return table[index] + ((slope * (x & 127) + 64) >> 7);
}

static inline void nibble_softmax_row_s16(const int16_t* exp_table, const int16_t* reciprocal_table,
                                          int32_t multiplier, int32_t exponent, const int16_t* src,
                                          int16_t* dst, int32_t len) {
  int32_t max = INT16_MIN, sum = 0, headroom = 0, reciprocal, x, i;
  for (i = 0; i < len; ++i) max = src[i] > max ? src[i] : max;
  for (i = 0; i < len; ++i) {
    x = nibble_requant_tflite(src[i] - max, multiplier, exponent) + 32767;
    x = nibble_table_at_s16(exp_table, nibble_clamp(x, INT16_MIN, INT16_MAX));
    dst[i] = (int16_t)x;
    sum += x;
  }
  while (((uint32_t)sum << headroom >> 31) == 0 && headroom < 31) ++headroom;
  x = (int32_t)((((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14) - (1 << 15) - (1 << 16);
  reciprocal = nibble_table_at_s16(reciprocal_table, nibble_clamp(x, INT16_MIN, INT16_MAX));
  for (i = 0; i < len; ++i) {
    int32_t shift = 31 - headroom;
    int32_t share =
        (int32_t)(((int64_t)dst[i] * reciprocal + ((int64_t)1 << (shift - 1))) >> shift);
    dst[i] = (int16_t)nibble_clamp(share, 0, INT16_MAX);
  }
}

#endif
