/* copy_2d_s16: copies `rows` blocks of row_len elements. Block r is read at src_offset + r *
   src_stride and written at r * dst_stride. The parts of concat, and slices that keep whole blocks.
   dst does not overlap src. */
#ifndef NIBBLE_COPY_COPY_2D_S16_H
#define NIBBLE_COPY_COPY_2D_S16_H

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
} nibble_copy_2d_s16_args;

NIBBLE_API void nibble_copy_2d_s16_ref(const nibble_copy_2d_s16_args* args, const int16_t* src,
                                       int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
