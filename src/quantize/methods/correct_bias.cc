// Empirical bias correction; refine.h has the equation.
#include <cmath>

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
  Node& node = context.integer.nodes[static_cast<size_t>(context.node)];
  // A layer without a bias has no place for the correction in an integer graph as it stands.
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return {};
  const std::vector<double> wanted =
      mean_outputs(context.real, context.layer, context.real_weight(), context.real_inputs);
  const std::vector<double> had = mean_outputs(context.real, context.layer,
                                               dequantize_tensor(context.weight()), context.inputs);
  Tensor& bias = *context.integer.value(node.inputs[2]).constant;
  const std::vector<float>& scales = bias.type().quant->scale;
  const double limit = bias.dtype() == DType::kS32 ? bias_room(*context.weight().type().quant,
                                                               context.layer.elems_per_out())
                                                   : 0x1p46;
  for (size_t c = 0; c < wanted.size(); ++c) {
    const auto scale = static_cast<double>(scales[scales.size() == 1 ? 0 : c]);
    const auto old = static_cast<double>(bias.integer_at(static_cast<int64_t>(c)));
    const double corrected = std::round(old + (wanted[c] - had[c]) / scale);
    if (std::abs(corrected) <= limit)
      bias.set_integer_at(static_cast<int64_t>(c), static_cast<int64_t>(corrected));
  }
  return {};
}

}  // namespace nibble
