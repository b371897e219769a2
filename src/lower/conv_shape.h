// The shape of a convolution, as generators for vectors use it.
#pragma once

#include <functional>

#include "lower/variant.h"

namespace nibble {

struct ConvShape {
  int batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1, k_h = 1, k_w = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int in_zero = 0;

  int taps() const { return k_h * k_w; }
  int64_t pixels() const { return int64_t{batches} * out_h * out_w; }
  // Every window lies inside the image.
  bool inside() const {
    return pad_top == 0 && pad_left == 0 &&
           (out_h - 1) * stride_h + (k_h - 1) * dilation_h < in_h &&
           (out_w - 1) * stride_w + (k_w - 1) * dilation_w < in_w;
  }
};

// The fields that the two convolutions share; out_c is not among them.
ConvShape conv_shape(const LayerView& layer);

// A convolution, or what can be computed as one.
struct ConvLayer {
  std::string op;  // part of the function's name
  ConvShape conv;
  // tap = ky * k_w + kx
  std::function<int8_t(int out_channel, int tap, int in_channel)> weight;
  std::span<const int32_t> bias;  // empty: zeros
  bool takes_rows = true;
};

// A conv2d without groups.
ConvLayer conv2d_layer(const LayerView& layer);
// A dense as a 1 x 1 convolution whose pixels are the rows.
ConvLayer dense_layer(const LayerView& layer);

}  // namespace nibble
