/* requantize_s16: dst = clamp(requant(src)), element by element, over `rows` rows of row_len
   elements: from one scale to another. All zero points are 0.

   Row r of src begins at r * src_stride, of dst at r * dst_stride. The compiler guarantees that a
   positive exponent does not overflow. With equal strides dst may be src; otherwise they do not
   overlap. */
#ifndef NIBBLE_QUANTIZE_REQUANTIZE_S16_H
#define NIBBLE_QUANTIZE_REQUANTIZE_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t row_len;
  int32_t src_stride;
  int32_t dst_stride;
  int32_t multiplier;
  int32_t exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_requantize_s16_args;

NIBBLE_API void nibble_requantize_s16_ref(const nibble_requantize_s16_args* args,
                                          const int16_t* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
