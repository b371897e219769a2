// Quantization in real numbers, with gradients: what an integer graph holds, rounded and clamped as
// there, in float32. Inside the module with libtorch only.
#pragma once

#include <torch/types.h>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// Rounded to the nearest whole number, with the gradient of x (Bengio et al. 2013).
torch::Tensor round_through(const torch::Tensor& x);

// x as an activation of this type holds it; a float type leaves it as it is. The gradient is 1
// inside the range and 0 outside.
torch::Tensor fake_quantized(const torch::Tensor& x, const TensorType& type);

// Per element of a quantized constant: real = scale * (q - zero_point).
struct ElementScales {
  torch::Tensor scale, zero_point;
};
ElementScales element_scales(const TensorType& type);

// The integers of a constant, as floats, and back: rounded; the nearest end of the range for what
// is beyond it, 0 for what is no number.
torch::Tensor integers_of(const Tensor& tensor);
Tensor with_integers(const TensorType& type, const torch::Tensor& integers);

// Gives the node's bias, if it has one, the scales that its operand and its weights have now, and
// these real values; undefined: those it has.
void restate_bias(Graph& graph, const Node& node, torch::Tensor real = {});

bool all_finite(const std::vector<torch::Tensor>& tensors);
// Learning cannot lessen an error that is infinite or no number. `where`: "'conv1'".
Error not_finite(const std::string& where);

}  // namespace nibble
