// Analytic bias correction; refine.h has the equation.
#include "ops/ops.h"
#include "quantize/methods/refine.h"

namespace nibble {

Status correct_bias_analytic(LayerContext& context) {
  const RealLayer& layer = context.layer;
  const ValueId src = context.real.nodes[static_cast<size_t>(layer.node)].inputs[0];
  const auto& known = context.statistics[static_cast<size_t>(src)];
  if (!known || known->mean.size() != static_cast<size_t>(layer.in_channels)) return {};
  const Tensor rounded = dequantize_tensor(context.weight());
  std::vector<float> lost;  // W - W_q
  auto real = context.real_weight().data<float>(), held = rounded.data<float>();
  for (size_t i = 0; i < real.size(); ++i) lost.push_back(real[i] - held[i]);
  context.add_to_bias(expected_sums(context.real, layer, lost, known->mean));
  return {};
}

}  // namespace nibble
