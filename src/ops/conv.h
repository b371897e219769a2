// What conv2d and depthwise_conv2d share: operands, shapes, the float reference's extents and the
// kernel's. In both, filter axes 1 and 2 are k_h and k_w. Inside ops/ only.
#pragma once

#include "ops/checks.h"
#include "ops/float_conv.h"

namespace nibble {

// src [N,H,W,C], a filter of rank 4 and the same kind, [bias].
Status check_conv_operands(Operands in);
// The output of `out_c` channels; operands have passed check_conv_operands. Checks the bias.
Result<std::vector<TensorType>> infer_conv(Operands in, int64_t out_c, const Window& window);
// Everything but the filter's strides.
FloatConv float_conv(Inputs in, const Tensor& out, int64_t groups, const Window& window,
                     const Bounds& act);
// weight_request with the extents of src, output and filter (but for the channels of the latter
// two) and the window.
KernelRequest conv_request(const std::string& base, Operands in, const TensorType& out,
                           const Window& window, const Bounds& act, Rounding rounding,
                           WeightLayer layer);

}  // namespace nibble
