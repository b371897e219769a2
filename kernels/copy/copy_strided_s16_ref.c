/* Portable strided copy: the innermost axis in a loop, the others counted like an odometer. */
#include "copy/copy_strided_s16.h"

NIBBLE_API void nibble_copy_strided_s16_ref(const nibble_copy_strided_s16_args* args,
                                            const int16_t* src, int16_t* dst) {
  const int32_t extent[5] = {args->extent_0, args->extent_1, args->extent_2, args->extent_3,
                             args->extent_4};
  const int32_t stride[5] = {args->src_stride_0, args->src_stride_1, args->src_stride_2,
                             args->src_stride_3, args->src_stride_4};
  const int32_t len = args->extent_5;
  const int32_t step = args->src_stride_5;
  int32_t index[5] = {0, 0, 0, 0, 0};
  int32_t at = args->src_offset;
  int32_t axis, i;
  do {
    if (step == 1) {
      memcpy(dst, src + at, (size_t)len * sizeof *dst);
    } else {
      for (i = 0; i < len; ++i) dst[i] = src[at + i * step];
    }
    dst += len;
    for (axis = 4; axis >= 0; --axis) {
      at += stride[axis];
      if (++index[axis] < extent[axis]) break;
      at -= stride[axis] * extent[axis];
      index[axis] = 0;
    }
  } while (axis >= 0);
}
