// Float convolution on NHWC data, for conv2d, depthwise_conv2d and dense alike: plain loops for
// small layers, oneDNN for large ones where the build found it. Inside ops/ only.
#pragma once

#include "ops/ops.h"

namespace nibble {

// Filter element (output channel g * (out_c / groups) + o, tap ky kx, input channel i of group g)
// stands at (g * filter_group + o * filter_out + ky * filter_y + kx * filter_x + i * filter_in).
struct FloatConv {
  int64_t batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1;
  int64_t k_h = 1, k_w = 1, groups = 1;
  Window window;
  Bounds act;
  int64_t filter_group = 0, filter_out = 0, filter_y = 0, filter_x = 0, filter_in = 1;

  int64_t macs() const { return batches * out_h * out_w * out_c * k_h * k_w * (in_c / groups); }
};

// Operands src, filter, [bias].
void run_float_conv(const FloatConv& conv, Inputs in, Tensor& out);

// The definition, as loops; the test compares the two. bias may be null.
void run_float_conv_plain(const FloatConv& conv, const float* src, const float* filter,
                          const float* bias, float* dst);

// Clamps in place; does nothing where there are no bounds.
void apply_bounds(const Bounds& act, std::span<float> elems);

}  // namespace nibble
