/* conv2d_s8: dst[n][oy][ox][o] = clamp(requant(acc) + out_zero), where
   acc = bias[o] + sum over ky kx ic of (src[n][iy][ix][g * in_c / groups + ic] - in_zero) *
   filter[o][ky][kx][ic], iy = oy * stride_h - pad_top + ky * dilation_h, ix likewise, g = o /
   (out_c / groups). Taps outside the image contribute nothing (they hold the zero point).

   src [batches][in_h][in_w][in_c], filter [out_c][k_h][k_w][in_c / groups] (symmetric: its zero
   point is 0), dst [batches][out_h][out_w][out_c]. groups divides in_c and out_c. bias, multiplier
   and exponent have out_c elements; bias may be null (zeros). Any padding is allowed: a window may
   lie wholly outside the image. The compiler guarantees that no accumulator leaves 32 bits.

   Order: the pixels of dst one after the other, as they lie in memory, all channels of one; between
   the pixel before and the pixel after it nothing but its own window is read. So dst may overlap
   src where no byte of a pixel of dst lies on one that its own window or a later one reads. */
#ifndef NIBBLE_CONV2D_CONV2D_S8_H
#define NIBBLE_CONV2D_CONV2D_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t batches;
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t k_h;
  int32_t k_w;
  int32_t groups;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t in_zero;
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  const int8_t* filter;
  const int32_t* bias;
  const int32_t* multiplier;
  const int8_t* exponent;
} nibble_conv2d_s8_args;

NIBBLE_API void nibble_conv2d_s8_ref(const nibble_conv2d_s8_args* args, const int8_t* src,
                                     int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
