/* Inner products of s16 activations with rows of s8 weights. A run of NIBBLE_DOT_S16_RUN products
   stays below 2^31 whatever its values; the runs are added up in 64 bits. */
#ifndef NIBBLE_COMMON_DOT_S16_H
#define NIBBLE_COMMON_DOT_S16_H

#include "common/nibble_common.h"

#define NIBBLE_DOT_S16_RUN 256

/* acc[r] += sum of src[i] * rows[r * stride + i], i < len, for r < 4. */
NIBBLE_LOOP void nibble_dot_s16_x4(const int16_t* src, const int8_t* rows, int32_t stride,
                                   int32_t len, int64_t* acc) {
  const int8_t* row_1 = rows + stride;
  const int8_t* row_2 = row_1 + stride;
  const int8_t* row_3 = row_2 + stride;
  while (len > 0) {
    int32_t run = len < NIBBLE_DOT_S16_RUN ? len : NIBBLE_DOT_S16_RUN;
    const int16_t* end = src + run;
    int32_t acc_0 = 0, acc_1 = 0, acc_2 = 0, acc_3 = 0;
    while (src != end) {
      int32_t x = *src++;
      acc_0 += x * *rows++;
      acc_1 += x * *row_1++;
      acc_2 += x * *row_2++;
      acc_3 += x * *row_3++;
    }
    acc[0] += acc_0;
    acc[1] += acc_1;
    acc[2] += acc_2;
    acc[3] += acc_3;
    len -= run;
  }
}

/* acc[0] += sum of src[i] * row[i], i < len. */
NIBBLE_LOOP void nibble_dot_s16_x1(const int16_t* src, const int8_t* row, int32_t len,
                                   int64_t* acc) {
  while (len > 0) {
    int32_t run = len < NIBBLE_DOT_S16_RUN ? len : NIBBLE_DOT_S16_RUN;
    const int16_t* end = src + run;
    int32_t sum = 0;
    while (src != end) sum += *src++ * *row++;
    *acc += sum;
    len -= run;
  }
}

#endif
