/* copy_strided_s16: dst[i0]...[i5] = src[src_offset + i0 * src_stride_0 + ... + i5 * src_stride_5].

   dst is dense, of extents extent_0 (outermost) to extent_5, each at least 1. Strides may be
   negative. Transpose permutes the strides of its input; slice multiplies them by its steps. dst
   does not overlap src. */
#ifndef NIBBLE_COPY_COPY_STRIDED_S16_H
#define NIBBLE_COPY_COPY_STRIDED_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t extent_0;
  int32_t extent_1;
  int32_t extent_2;
  int32_t extent_3;
  int32_t extent_4;
  int32_t extent_5;
  int32_t src_stride_0;
  int32_t src_stride_1;
  int32_t src_stride_2;
  int32_t src_stride_3;
  int32_t src_stride_4;
  int32_t src_stride_5;
  int32_t src_offset;
} nibble_copy_strided_s16_args;

NIBBLE_API void nibble_copy_strided_s16_ref(const nibble_copy_strided_s16_args* args,
                                            const int16_t* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
