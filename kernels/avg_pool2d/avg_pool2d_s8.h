/* avg_pool2d_s8: dst[n][oy][ox][c] = clamp(sum / count), the quotient rounded half away from zero,
   where sum runs over the taps src[n][iy][ix][c] inside the image, iy = oy * stride_h - pad_top +
   ky * dilation_h, ix likewise. count_pad 0: count is the number of those taps. count_pad 1: count
   is k_h * k_w, and each tap outside adds pad_value (the zero point).

   src [batches][in_h][in_w][channels], dst [batches][out_h][out_w][channels], of one scale and zero
   point. Every window has a tap inside; k_h * k_w is at most 2^23. Order of reads and writes, and
   where dst may overlap src: as conv2d_s8. */
#ifndef NIBBLE_AVG_POOL2D_AVG_POOL2D_S8_H
#define NIBBLE_AVG_POOL2D_AVG_POOL2D_S8_H

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
  int32_t count_pad;
  int32_t pad_value;
} nibble_avg_pool2d_s8_args;

NIBBLE_API void nibble_avg_pool2d_s8_ref(const nibble_avg_pool2d_s8_args* args, const int8_t* src,
                                         int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
