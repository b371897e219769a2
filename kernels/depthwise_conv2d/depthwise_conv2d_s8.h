/* depthwise_conv2d_s8: dst[n][oy][ox][o] = clamp(requant(acc) + out_zero), where o = c *
   channel_multiplier + m and acc = bias[o] + sum over ky kx of (src[n][iy][ix][c] - in_zero) *
   filter[ky][kx][o], iy = oy * stride_h - pad_top + ky * dilation_h, ix likewise. Taps outside the
   image contribute nothing.

   src [batches][in_h][in_w][in_c], filter [k_h][k_w][in_c * channel_multiplier] (symmetric: its
   zero point is 0), dst [batches][out_h][out_w][in_c * channel_multiplier]. bias, multiplier and
   exponent have one element per output channel; bias may be null (zeros). Any padding is allowed: a
   window may lie wholly outside the image. The compiler guarantees that no accumulator leaves 32
   bits. Order of reads and writes, and where dst may overlap src: as conv2d_s8. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_H

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
  int32_t channel_multiplier;
  int32_t k_h;
  int32_t k_w;
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
} nibble_depthwise_conv2d_s8_args;

NIBBLE_API void nibble_depthwise_conv2d_s8_ref(const nibble_depthwise_conv2d_s8_args* args,
                                               const int8_t* src, int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
