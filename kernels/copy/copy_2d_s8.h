/* copy_2d_s8: copies `rows` blocks of row_len elements. Block r is read at src_offset + r *
   src_stride and written at r * dst_stride. The parts of concat, and slices that keep whole blocks.
   Order: block by block, a block's bytes in any order. So dst may overlap src where no byte that a
   block is written to is one that it, or a later block, is read from. */
#ifndef NIBBLE_COPY_COPY_2D_S8_H
#define NIBBLE_COPY_COPY_2D_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t row_len;
  int32_t src_offset;
  int32_t src_stride;
  int32_t dst_stride;
} nibble_copy_2d_s8_args;

NIBBLE_API void nibble_copy_2d_s8_ref(const nibble_copy_2d_s8_args* args, const int8_t* src,
                                      int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
