/* resize_nearest_s16: dst[n][y][x][c] = src[n][src_y[y]][src_x[x]][c].

   src [batches][in_h][in_w][channels], dst [batches][out_h][out_w][channels]. src_y has out_h
   elements in [0, in_h), src_x out_w in [0, in_w); the compiler computes them, so that no rule of
   rounding (corners, pixel centres) costs anything here. dst does not overlap src. */
#ifndef NIBBLE_RESIZE_NEAREST_RESIZE_NEAREST_S16_H
#define NIBBLE_RESIZE_NEAREST_RESIZE_NEAREST_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t batches;
  int32_t in_h;
  int32_t in_w;
  int32_t channels;
  int32_t out_h;
  int32_t out_w;
  const int16_t* src_y;
  const int16_t* src_x;
} nibble_resize_nearest_s16_args;

NIBBLE_API void nibble_resize_nearest_s16_ref(const nibble_resize_nearest_s16_args* args,
                                              const int16_t* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
