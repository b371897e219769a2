/* max_pool2d_s16: dst[n][oy][ox][c] = clamp(max over ky kx of src[n][iy][ix][c]), iy = oy *
   stride_h
   - pad_top + ky * dilation_h, ix likewise; taps outside the image do not count, and every window
   has one inside.

   src [batches][in_h][in_w][channels], dst [batches][out_h][out_w][channels], of one scale and zero
   point. dst does not overlap src. */
#ifndef NIBBLE_MAX_POOL2D_MAX_POOL2D_S16_H
#define NIBBLE_MAX_POOL2D_MAX_POOL2D_S16_H

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
  int32_t k_h;
  int32_t k_w;
  int32_t act_min;
  int32_t act_max;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
} nibble_max_pool2d_s16_args;

NIBBLE_API void nibble_max_pool2d_s16_ref(const nibble_max_pool2d_s16_args* args,
                                          const int16_t* src, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
