/* max_pool2d_s8: dst[n][oy][ox][c] = clamp(max over ky kx of src[n][iy][ix][c]), iy = oy * stride_h
   - pad_top + ky * dilation_h, ix likewise; taps outside the image do not count, and every window
   has one inside.

   src [batches][in_h][in_w][channels], dst [batches][out_h][out_w][channels], of one scale and zero
   point. Order of reads and writes, and where dst may overlap src: as conv2d_s8. */
#ifndef NIBBLE_MAX_POOL2D_MAX_POOL2D_S8_H
#define NIBBLE_MAX_POOL2D_MAX_POOL2D_S8_H

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
} nibble_max_pool2d_s8_args;

NIBBLE_API void nibble_max_pool2d_s8_ref(const nibble_max_pool2d_s8_args* args, const int8_t* src,
                                         int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
