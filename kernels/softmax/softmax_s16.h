/* softmax_s16: for each of `rows` rows of row_len elements dst = exp(src) / sum of exp(src), with
   src of zero point 0 on any scale and dst of scale 1/32768, as TensorFlow Lite computes it by two
   tables.

   With m the largest element: x = clamp(requant(src - m) + 32767) (multiplier and exponent bring 10
   to 65535 steps), e = exp_table(x), s = sum of e; with h the leading zeros of s,
   r = reciprocal_table(clamp(round(s 2^(h-1) / 2^14) - 3 2^15)), dst = round(e r / 2^(31-h)).
   A table has 513 entries for x = -32768, -32640, ... 32768; between two it is linear.
   dst may be src. row_len is at most 65535. */
#ifndef NIBBLE_SOFTMAX_SOFTMAX_S16_H
#define NIBBLE_SOFTMAX_SOFTMAX_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t row_len;
  int32_t multiplier;
  int32_t exponent;
  const int16_t* exp_table;
  const int16_t* reciprocal_table;
} nibble_softmax_s16_args;

NIBBLE_API void nibble_softmax_s16_ref(const nibble_softmax_s16_args* args, const int16_t* src,
                                       int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
