/* Portable copy of blocks at a distance. */
#include "common/copy_s8.h"
#include "copy/copy_2d_s8.h"

NIBBLE_API void nibble_copy_2d_s8_ref(const nibble_copy_2d_s8_args* args, const int8_t* src,
                                      int8_t* dst) {
  int32_t row;
  for (row = 0; row < args->rows; ++row)
    nibble_copy_s8(dst + row * args->dst_stride, src + args->src_offset + row * args->src_stride,
                   args->row_len);
}
