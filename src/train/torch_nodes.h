// The operators of a float graph in libtorch, with gradients: many samples at once, in the graph's
// own layout (N H W C). Inside the module with libtorch only.
#pragma once

#include <torch/types.h>

#include <stdexcept>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// What the user's network lacks for learning: the text of an Error. It ends at the module's door.
struct LearningError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Elements as float32; integers with QuantParams as the reals they stand for.
torch::Tensor to_torch(const Tensor& tensor);
// Of shape `shape`.
Tensor from_torch(const torch::Tensor& tensor, const Shape& shape);

// All samples, stacked along the first axis, in place of the one that the graph's shapes speak of.
// Error: the first axis is not the samples' everywhere (the node named).
Status check_batchable(const Graph& graph);

// The node's output. `operands`: as node.inputs, undefined where absent; activations have the
// samples first. Operators on integers compute on what these stand for; quantize and dequantize
// pass their operand on.
torch::Tensor torch_node(const Graph& graph, const Node& node,
                         const std::vector<torch::Tensor>& operands);

}  // namespace nibble
