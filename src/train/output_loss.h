// How far the outputs of a network are from those of its float twin. Inside the module with
// libtorch only.
#pragma once

#include <torch/types.h>

#include "graph/graph.h"

namespace nibble {

// Whether the value is a softmax's output, perhaps quantized.
bool is_distribution(const Graph& graph, ValueId id);

// Kullback-Leibler divergence of distributions along the last axis, mean over samples and
// positions; else the mean squared error over the mean square of `real`.
torch::Tensor output_loss(const torch::Tensor& real, const torch::Tensor& got, bool distribution);

}  // namespace nibble
