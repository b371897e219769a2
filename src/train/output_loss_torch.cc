#include <torch/types.h>

#include "train/output_loss.h"

namespace nibble {

bool is_distribution(const Graph& graph, ValueId id) {
  for (const Node& node : graph.nodes) {
    if (node.outputs[0] != id) continue;
    if (std::holds_alternative<Dequantize>(node.op) || std::holds_alternative<Quantize>(node.op))
      return is_distribution(graph, node.inputs[0]);
    return std::holds_alternative<Softmax>(node.op);
  }
  return false;
}

torch::Tensor output_loss(const torch::Tensor& real, const torch::Tensor& got, bool distribution) {
  constexpr double kLeast = 1e-9;  // of a probability
  if (!distribution) return (real - got).pow(2).mean() / real.pow(2).mean().clamp_min(kLeast);
  const torch::Tensor p = real.clamp_min(kLeast);
  return (p * (torch::log(p) - torch::log(got.clamp_min(kLeast)))).sum(-1).mean();
}

}  // namespace nibble
