/* Portable copy of blocks at a distance. */
#include "copy/copy_2d_s16.h"

NIBBLE_API void nibble_copy_2d_s16_ref(const nibble_copy_2d_s16_args* args, const int16_t* src,
                                       int16_t* dst) {
  int32_t row;
  for (row = 0; row < args->rows; ++row)
    memcpy(dst + row * args->dst_stride, src + args->src_offset + row * args->src_stride,
           (size_t)args->row_len * sizeof *dst);
}
