#include "quantize/emulate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ops/ops.h"
#include "quantize/calibrate.h"
#include "quantize/methods/prepare.h"
#include "quantize/methods/real_layer.h"
#include "quantize/parameters.h"
#include "quantize/size.h"

namespace nibble {
namespace {

bool is_emulated(const LayerSettings& settings) {
  return settings.weights.format || settings.activations.format ||
         settings.activations.ranges == Ranges::kDynamic;
}

}  // namespace

bool needs_emulation(const Graph& graph, const QuantizeOptions& options) {
  if (is_emulated(options.all)) return true;
  return std::ranges::any_of(
      graph.nodes, [&](const Node& node) { return is_emulated(settings_of(options, node)); });
}

Result<Emulation> Emulation::make(const Graph& graph, const CalibrationData& data,
                                  const QuantizeOptions& options) {
  NIBBLE_TRY(check_float_model(graph));
  if (needs_learning(options) || std::ranges::any_of(options.methods, is_refining))
    return usage_error(
        "learned ranges, reconstruction and the methods that refine weights work on an integer "
        "network, and this one is emulated in float; use `nibble quantize`, and `nibble evaluate` "
        "what it wrote");
  Emulation result;
  result.graph_ = graph;
  Graph& real = result.graph_;
  NIBBLE_TRY(prepare(real, data, options));
  NIBBLE_ASSIGN(auto observers, calibrate(real, data, momenta(real, options)));
  result.rules_.resize(real.values.size());
  auto add_rule = [&](ValueId id, const ActivationSettings& settings) {
    const auto& observer = observers[static_cast<size_t>(id)];
    if (!observer) return;
    const RealRange range = calibrated_range(*observer, settings);
    const Histogram& seen = observer->histogram();
    result.rules_[static_cast<size_t>(id)] = {
        true, settings, activation_params(range, settings),
        static_cast<double>(std::max(std::abs(seen.min()), std::abs(seen.max())))};
  };
  NIBBLE_TRY(check_names(real, options));
  for (const Port& port : real.inputs)
    add_rule(port.value, settings_of(options, real, port).activations);
  for (size_t i = 0; i < real.nodes.size(); ++i) {
    const bool rounded = !keeps_float(options, real.nodes[i]);
    const LayerSettings settings = settings_of(options, real.nodes[i]);
    if (rounded) add_rule(real.nodes[i].outputs[0], settings.activations);
    auto layer = real_layer(real, static_cast<int>(i));
    if (!layer) continue;
    result.weight_bytes_ += layer->bias == kNoValue ? 0 : 4 * layer->out_channels;
    if (!rounded) {
      result.weight_bytes_ += 4 * layer->elems();
      continue;
    }
    own_weights(real, *layer);
    Tensor& weight = *real.value(layer->weight).constant;
    if (settings.weights.format) {
      round_to_format(*settings.weights.format, weight, largest_magnitude(weight));
      const double bits = number_format_info(*settings.weights.format).bits;
      result.weight_bytes_ +=
          static_cast<int64_t>(std::ceil(bits * static_cast<double>(layer->elems()) / 8));
    } else {
      const int axis = quant_rule(real.nodes[i].op).weight_channel_axis;
      const Tensor integers =
          quantize_weights(weight, weight_params(weight, axis, settings.weights), settings.weights,
                           options.seed + i);
      result.weight_bytes_ += tensor_bytes(integers.type());
      weight = dequantize_tensor(integers);
    }
  }
  result.rules_.resize(real.values.size());
  return result;
}

Emulation Emulation::of(const Graph& real, const Graph& integer,
                        const std::function<bool(ValueId value)>& rounded) {
  Emulation result;
  result.graph_ = real;
  Graph& graph = result.graph_;
  std::map<std::string_view, const TensorType*> types;
  for (const Value& value : integer.values)
    if (!value.constant && value.type.quant) types[value.name] = &value.type;
  std::map<std::string_view, const Node*> nodes;
  for (const Node& node : integer.nodes) nodes[node.name] = &node;
  result.rules_.resize(real.values.size());
  auto add_rule = [&](ValueId id) {
    const auto found = types.find(real.value(id).name);
    if (found == types.end()) return;
    Rule rule;
    rule.rounded = true;
    rule.params = *found->second->quant;
    rule.settings.bits = rule.params.bits;
    result.rules_[static_cast<size_t>(id)] = std::move(rule);
  };
  for (const Port& port : real.inputs)
    if (rounded(port.value)) add_rule(port.value);
  for (size_t i = 0; i < real.nodes.size(); ++i) {
    const ValueId dst = real.nodes[i].outputs[0];
    if (!rounded(dst)) continue;
    add_rule(dst);
    const auto found = nodes.find(real.nodes[i].name);
    if (found == nodes.end()) continue;
    const std::vector<ValueId>& operands = found->second->inputs;
    for (size_t k = 0; k < operands.size(); ++k) {
      if (!integer.is_constant(operands[k]) || !integer.type(operands[k]).quant) continue;
      const Tensor& held = *integer.value(operands[k]).constant;
      auto& inputs = graph.nodes[i].inputs;
      if (k >= inputs.size()) inputs.resize(k + 1, kNoValue);  // a bias that a method added
      const ValueId id =
          append_constant(graph, integer.value(operands[k]).name, dequantize_tensor(held));
      graph.nodes[i].inputs[k] = id;
    }
  }
  result.weight_bytes_ = constant_bytes(integer);
  result.rules_.resize(graph.values.size());
  return result;
}

void Emulation::round(ValueId id, Tensor& tensor) const {
  const Rule& rule = rules_[static_cast<size_t>(id)];
  if (!rule.rounded || tensor.dtype() != DType::kF32) return;
  if (rule.settings.format) return round_to_format(*rule.settings.format, tensor, rule.largest);
  const QuantParams params = rule.settings.ranges == Ranges::kDynamic
                                 ? activation_params(range_of(tensor), rule.settings)
                                 : rule.params;
  tensor = dequantize_tensor(
      quantize_tensor(tensor, {tensor.shape(), activation_dtype(rule.settings), params}));
}

}  // namespace nibble
