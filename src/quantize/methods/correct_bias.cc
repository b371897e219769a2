// Empirical bias correction; refine.h has the equation.
#include "ops/ops.h"
#include "quantize/methods/refine.h"
#include "quantize/methods/sample_run.h"

namespace nibble {
namespace {

// The mean of every output channel before the activation, for inputs of one tensor per sample.
std::vector<double> mean_outputs(const Graph& graph, const RealLayer& layer, const Tensor& weight,
                                 const std::vector<Tensor>& inputs) {
  Graph changed = graph;
  Node& node = changed.nodes[static_cast<size_t>(layer.node)];
  *activation_of(node.op) = {};
  changed.value(layer.weight).constant = weight;
  std::vector<std::vector<Tensor>> operands;
  for (const Tensor& input : inputs) operands.push_back({input});
  std::vector<double> sums(static_cast<size_t>(layer.out_channels), 0);
  int64_t count = 0;
  for (const Tensor& output : run_samples(changed, node, operands)) {
    auto values = output.data<float>();
    for (size_t i = 0; i < values.size(); ++i)
      sums[i % sums.size()] += static_cast<double>(values[i]);
    count += output.size() / layer.out_channels;
  }
  for (double& sum : sums) sum /= static_cast<double>(std::max<int64_t>(count, 1));
  return sums;
}

}  // namespace

Status correct_bias(LayerContext& context) {
  if (!context.has_bias()) return {};
  std::vector<double> missing =
      mean_outputs(context.real, context.layer, context.real_weight(), context.real_inputs);
  const std::vector<double> had = mean_outputs(context.real, context.layer,
                                               dequantize_tensor(context.weight()), context.inputs);
  for (size_t c = 0; c < missing.size(); ++c) missing[c] -= had[c];
  context.add_to_bias(missing);
  return {};
}

}  // namespace nibble
