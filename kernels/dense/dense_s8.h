/* dense_s8: dst[row][o] = clamp(requant(bias[o] + sum_k (src[row][k] - in_zero) * filter[o][k]) +
   out_zero)

   src [rows][in_len], filter [out_len][in_len] (symmetric: its zero point is 0), dst
   [rows][out_len]. bias, multiplier and exponent have out_len elements; bias may be null (zeros).
   The compiler guarantees that no accumulator leaves 32 bits.

   Order: row by row; a row of dst is written when all before it are, and only its own row of src is
   read meanwhile. So dst may overlap src where no byte of a row of dst lies on its own row of src
   or a later one. */
#ifndef NIBBLE_DENSE_DENSE_S8_H
#define NIBBLE_DENSE_DENSE_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t in_len;
  int32_t out_len;
  int32_t in_zero;
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  const int8_t* filter;
  const int32_t* bias;
  const int32_t* multiplier;
  const int8_t* exponent;
} nibble_dense_s8_args;

NIBBLE_API void nibble_dense_s8_ref(const nibble_dense_s8_args* args, const int8_t* src,
                                    int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
