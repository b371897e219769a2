/* Inner products of centred activations with rows of weights. Four rows share each load of an
   activation, which is what a core without SIMD gains most from. */
#ifndef NIBBLE_COMMON_DOT_S8_H
#define NIBBLE_COMMON_DOT_S8_H

#include "common/nibble_common.h"

/* acc[r] += sum of (src[i] - zero) * rows[r * stride + i], i < len, for r < 4. */
NIBBLE_LOOP void nibble_dot_s8_x4(const int8_t* src, int32_t zero, const int8_t* rows,
                                  int32_t stride, int32_t len, int32_t* acc) {
  const int8_t* end = src + len;
  const int8_t* row_1 = rows + stride;
  const int8_t* row_2 = row_1 + stride;
  const int8_t* row_3 = row_2 + stride;
  int32_t acc_0 = acc[0], acc_1 = acc[1], acc_2 = acc[2], acc_3 = acc[3];
  while (src != end) {
    int32_t x = *src++ - zero;
    acc_0 += x * *rows++;
    acc_1 += x * *row_1++;
    acc_2 += x * *row_2++;
    acc_3 += x * *row_3++;
  }
  acc[0] = acc_0;
  acc[1] = acc_1;
  acc[2] = acc_2;
  acc[3] = acc_3;
}

/* acc[0] += sum of (src[i] - zero) * row[i], i < len. */
NIBBLE_LOOP void nibble_dot_s8_x1(const int8_t* src, int32_t zero, const int8_t* row, int32_t len,
                                  int32_t* acc) {
  const int8_t* end = src + len;
  int32_t sum = *acc;
  while (src != end) sum += (*src++ - zero) * *row++;
  *acc = sum;
}

#endif
