/* softmax_s8: dst[row][i] = exp(beta x_i) / sum_j exp(beta x_j), x the real values of a row of src;
   dst has scale 1/256 and zero point -128.

   src and dst are [rows][row_len], 1 <= row_len <= 4095 (more could overflow the sum). dst may be
   src. multiplier and exponent turn the difference q - max into beta * difference in Q5.26: factor
   beta * scale * 2^26. Elements whose difference is below diff_min (<= 0) contribute nothing and
   become 0 (-128); the compiler chooses diff_min so that no rescaled difference leaves 32 bits.
   Arithmetic: common/fixed_point.h, as in the TensorFlow Lite reference: exp in Q0.31, summed in
   Q12.19, one reciprocal a row. */
#ifndef NIBBLE_SOFTMAX_SOFTMAX_S8_H
#define NIBBLE_SOFTMAX_SOFTMAX_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t row_len;
  int32_t multiplier;
  int32_t exponent;
  int32_t diff_min;
} nibble_softmax_s8_args;

NIBBLE_API void nibble_softmax_s8_ref(const nibble_softmax_s8_args* args, const int8_t* src,
                                      int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
