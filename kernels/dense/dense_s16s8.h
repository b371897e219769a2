/* dense_s16s8: dst[row][o] = clamp(rescaled(bias[o] + sum_k src[row][k] * filter[o][k])). All zero
   points are 0.

   src [rows][in_len], filter [out_len][in_len], dst [rows][out_len]. bias, multiplier and exponent
   have out_len elements; bias may be null (zeros). `rounding` says how multiplier and exponent
   rescale (common/output_s16.h). The compiler guarantees that the accumulator fits what the
   rounding takes. dst does not overlap src. */
#ifndef NIBBLE_DENSE_DENSE_S16S8_H
#define NIBBLE_DENSE_DENSE_S16S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t in_len;
  int32_t out_len;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  const int8_t* filter;
  const int64_t* bias;
  const int32_t* multiplier;
  const int8_t* exponent;
} nibble_dense_s16s8_args;

NIBBLE_API void nibble_dense_s16s8_ref(const nibble_dense_s16s8_args* args, const int16_t* src,
                                       int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
