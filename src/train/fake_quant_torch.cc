#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "ops/ops.h"
#include "train/fake_quant.h"
#include "train/torch_nodes.h"

namespace nibble {
namespace {

struct IntegerRange {
  double low = 0, high = 0;
};

// What an element may be: biases have no other range than their type's, or, of 64 bits, than what
// leaves their sums room.
IntegerRange integer_range(const TensorType& type) {
  constexpr double kWide = 0x1p46;
  if (type.dtype == DType::kS64) return {-kWide, kWide - 1};
  if (dtype_bits(type.dtype) > 16)
    return {static_cast<double>(dtype_min(type.dtype)), static_cast<double>(dtype_max(type.dtype))};
  return {static_cast<double>(type.quant->q_min), static_cast<double>(type.quant->q_max)};
}

}  // namespace

torch::Tensor round_through(const torch::Tensor& x) { return x + (torch::round(x) - x).detach(); }

torch::Tensor fake_quantized(const torch::Tensor& x, const TensorType& type) {
  if (!type.quant || !is_integer(type.dtype)) return x;
  const QuantParams& quant = *type.quant;
  const double scale = quant.scale[0], zero_point = quant.zero_point[0];
  return (torch::clamp(round_through(x / scale) + zero_point, quant.q_min, quant.q_max) -
          zero_point) *
         scale;
}

ElementScales element_scales(const TensorType& type) {
  const QuantParams& quant = *type.quant;
  const QuantIndex index(type.shape, quant);
  ElementScales result{torch::empty(type.shape), torch::empty(type.shape)};
  auto* scales = result.scale.data_ptr<float>();
  auto* zero_points = result.zero_point.data_ptr<float>();
  for (int64_t i = 0; i < elem_count(type.shape); ++i) {
    const size_t channel = index.channel(i);
    const auto factor = quant.group > 0 ? static_cast<float>(quant.group_factor[index.run(i)]) : 1;
    scales[i] = quant.scale[channel] * factor;
    zero_points[i] =
        static_cast<float>(quant.zero_point[quant.zero_point.size() == 1 ? 0 : channel]);
  }
  return result;
}

torch::Tensor integers_of(const Tensor& tensor) {
  torch::Tensor result = torch::empty(tensor.shape());
  auto* elems = result.data_ptr<float>();
  for (int64_t i = 0; i < tensor.size(); ++i) elems[i] = static_cast<float>(tensor.integer_at(i));
  return result;
}

Tensor with_integers(const TensorType& type, const torch::Tensor& integers) {
  Tensor result(type);
  const torch::Tensor flat = integers.detach().contiguous();
  const auto* elems = flat.data_ptr<float>();
  const IntegerRange range = integer_range(type);
  for (int64_t i = 0; i < result.size(); ++i) {
    const double value = std::isnan(elems[i]) ? 0 : std::round(static_cast<double>(elems[i]));
    result.set_integer_at(i, static_cast<int64_t>(std::clamp(value, range.low, range.high)));
  }
  return result;
}

bool all_finite(const std::vector<torch::Tensor>& tensors) {
  return std::ranges::all_of(tensors, [](const torch::Tensor& tensor) {
    return torch::isfinite(tensor).all().item<bool>();
  });
}

Error not_finite(const std::string& where) {
  return input_error(fmt::format(
      "the error of {} against the float network is infinite or not a number, and learning cannot "
      "lessen it; check the samples' values and scaling (--input-scale, --input-mean), or leave "
      "the methods that learn out",
      where));
}

void restate_bias(Graph& graph, const Node& node, torch::Tensor real) {
  const QuantRule rule = quant_rule(node.op);
  if (rule.bias < 0 || static_cast<size_t>(rule.bias) >= node.inputs.size()) return;
  const ValueId id = node.inputs[static_cast<size_t>(rule.bias)];
  if (id == kNoValue) return;
  Value& bias = graph.value(id);
  if (!real.defined()) real = to_torch(*bias.constant);
  const float in_scale = graph.type(node.inputs[0]).quant->scale[0];
  const std::vector<float>& weight_scale =
      graph.type(node.inputs[static_cast<size_t>(rule.weight)]).quant->scale;
  std::vector<float>& scale = bias.type.quant->scale;
  for (size_t c = 0; c < scale.size(); ++c)
    scale[c] = in_scale * weight_scale[weight_scale.size() == 1 ? 0 : c];
  bias.constant = with_integers(bias.type, real / element_scales(bias.type).scale);
}

}  // namespace nibble
