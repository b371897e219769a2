// Post-training quantization: calibrate, give every value its parameters, and restate the graph on
// integers.
#include "quantize/quantize.h"

#include <algorithm>
#include <map>

#include "base/stopwatch.h"
#include "base/text.h"
#include "ops/ops.h"
#include "quantize/borders.h"
#include "quantize/calibrate.h"
#include "quantize/emulate.h"
#include "quantize/methods/prepare.h"
#include "quantize/methods/refine.h"
#include "quantize/parameters.h"
#include "quantize/quantize_observed.h"

namespace nibble {
namespace {

Status check_rule(const Graph& graph, const QuantizeOptions& options, const LayerRule& rule) {
  std::vector<LayerSettings> fitting;  // of the layers that it fits, as all the rules make them
  for (const Node& node : graph.nodes)
    if (matches(rule, node.name, op_name(node.op))) fitting.push_back(settings_of(options, node));
  for (const Port& port : graph.inputs)
    if (matches(rule, graph.value(port.value).name, "input"))
      fitting.push_back(settings_of(options, graph, port));
  const std::string called = fmt::format("[[layer]] with nodes [{}] and ops [{}]",
                                         join(rule.nodes, ", "), join(rule.ops, ", "));
  if (fitting.empty()) return usage_error(called + " fits no layer; `nibble inspect` lists them");
  for (const auto& [name, value] : rule.settings) {
    const std::string reader = calibrator_of(name);
    const bool read =
        reader.empty() || std::ranges::any_of(fitting, [&](const LayerSettings& found) {
          return calibrator_name(found.activations.calibrator) == reader;
        });
    if (!read)
      return usage_error(fmt::format(
          "{}: {} = {} goes with calibrator = \"{}\", and no layer that it fits has that one; add "
          "it to the table, or leave {} out",
          called, name, value, reader, name));
  }
  return {};
}

// State of one quantization: the float graph, what was observed, and the type each value will have.
class Quantizer {
 public:
  Quantizer(const Graph& graph, const QuantizeOptions& options, Observers observers)
      : real_(graph),
        readers_(consumers(graph)),
        options_(options),
        observers_(std::move(observers)),
        result_(graph),
        added_(result_) {
    result_.rounding = options.rounding;
    for (Node& node : result_.nodes) {
      settings_.push_back(settings_of(options, node));
      node.keep_float = keeps_float(options, node);
    }
  }

  Result<Graph> run(QuantizeReport* report) {
    NIBBLE_TRY(check_names(real_, options_));
    NIBBLE_TRY(check_operators());
    for (const Port& port : real_.inputs) {
      const LayerSettings settings = settings_of(options_, real_, port);
      set_activation(port.value, calibrated(port.value, settings.activations, {}));
    }
    for (size_t i = 0; i < real_.nodes.size(); ++i) quantize_node(i);
    if (report) fill(*report);  // values are renumbered afterwards
    if (!added_.empty()) added_.apply();
    insert_borders(result_);
    NIBBLE_TRY(verify_graph(result_, VerifyLevel::kQuantized));
    return std::move(result_);
  }

 private:
  // Whether an integer node or the caller reads the value; if not, it is real between two nodes
  // that stay float.
  bool read_as_integer(ValueId id) const {
    return std::ranges::any_of(readers_[static_cast<size_t>(id)], [&](int reader) {
      return reader < 0 || !result_.nodes[static_cast<size_t>(reader)].keep_float;
    });
  }

  // Every operator without an integer form, at once.
  Status check_operators() const {
    std::vector<std::string> missing;
    for (const Node& node : result_.nodes) {
      if (quant_rule(node.op).output == QuantRule::Output::kFloat && !node.keep_float)
        missing.push_back(fmt::format("'{}' ({})", node.name, op_name(node.op)));
    }
    if (!missing.empty())
      return input_error(
          fmt::format("no integer form exists for {}; allow them in float with "
                      "--keep-float NODE, or replace them in the model",
                      join(missing, ", ")));
    return {};
  }

  // The value of the float graph that one of the result stands for.
  ValueId origin(ValueId id) const {
    const auto found = origins_.find(id);
    return found == origins_.end() ? id : found->second;
  }

  QuantParams calibrated(ValueId id, const ActivationSettings& settings, const Bounds& act) const {
    const Observer& observer = *observers_[static_cast<size_t>(origin(id))];
    RealRange range = calibrated_range(observer, settings);
    range.min = std::max(range.min, std::min<double>(act.min, 0));
    range.max = std::min(range.max, std::max<double>(act.max, 0));
    return activation_params(range, settings);
  }

  void set_activation(ValueId id, QuantParams params) {
    TensorType& type = result_.value(id).type;
    type.dtype = params.bits <= 8 ? DType::kS8 : DType::kS16;
    type.quant = std::move(params);
  }

  // The settings of a node's activations: operators without a form on s16 (tables of 256 entries)
  // compute in s8.
  ActivationSettings activations_of(size_t index) const {
    ActivationSettings settings = settings_[index].activations;
    const Node& node = real_.nodes[index];
    if (settings.bits <= 8 || node.inputs.size() != 1) return settings;
    auto wide = [&](ValueId id) {
      return TensorType{real_.type(id).shape, DType::kS16, activation_params({-1, 1}, settings)};
    };
    const TensorType src = wide(node.inputs[0]), dst = wide(node.outputs[0]);
    const OperandInfo operand{&src, nullptr};
    if (!integer_ok(node.op, result_.rounding, {&operand, 1}, dst)) settings.bits = 8;
    return settings;
  }

  void quantize_node(size_t index) {
    Node& node = result_.nodes[index];
    if (node.keep_float) {
      // What integer nodes read are integers: the border operators are inserted afterwards.
      for (ValueId id : node.outputs)
        if (read_as_integer(id))
          set_activation(id, calibrated(id, settings_[index].activations, {}));
      return;
    }
    const ActivationSettings settings = activations_of(index);
    const QuantRule rule = quant_rule(node.op);
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const bool is_weight = static_cast<int>(k) == rule.weight || static_cast<int>(k) == rule.bias;
      if (is_weight || node.inputs[k] == kNoValue) continue;
      if (real_.is_constant(real_.nodes[index].inputs[k]))
        quantize_constant(node, k, settings);
      else
        result_.nodes[index].inputs[k] = as_wide_as(node.inputs[k], settings);
    }
    if (rule.weight >= 0) quantize_weights(index, rule);
    for (ValueId id : result_.nodes[index].outputs)
      set_activation(id, output_params(result_.nodes[index], rule, id, settings));
  }

  // The value, or its copy in the element type of these settings.
  ValueId as_wide_as(ValueId id, const ActivationSettings& settings) {
    const DType dtype = activation_dtype(settings);
    if (result_.type(id).dtype == dtype) return id;
    ValueId& copy = copies_[{id, dtype}];
    if (copy == 0) {
      const TensorType type{result_.type(id).shape, dtype, calibrated(id, settings, {})};
      const std::string suffix = fmt::format("_{}", dtype_name(dtype));
      const std::string name = result_.value(id).name + suffix;
      copy = added_.add_value(name, type);
      origins_[copy] = origin(id);
      added_.add_node(Quantize{}, name, {id}, {copy});
    }
    return copy;
  }

  QuantParams output_params(const Node& node, const QuantRule& rule, ValueId output,
                            const ActivationSettings& settings) const {
    if (rule.output == QuantRule::Output::kSameAsInput) return *result_.type(node.inputs[0]).quant;
    if (rule.output == QuantRule::Output::kFixed) return fixed_params(rule, settings);
    const Bounds* fused = activation_of(node.op);
    return calibrated(output, settings, fused ? *fused : Bounds{});
  }

  // Outputs that lie in [0, 1] or [-1, 1]: the operator says which integers they are.
  static QuantParams fixed_params(const QuantRule& rule, const ActivationSettings& settings) {
    if (settings.bits > 8) return {{1.0f / 32768}, {0}, -1, 16, INT16_MIN, INT16_MAX};
    QuantParams params;
    params.scale = {rule.fixed_scale};
    params.zero_point = {rule.fixed_zero_point};
    return params;
  }

  // A new constant for this node: a weight that two nodes share may need two scales.
  void replace_operand(Node& node, size_t operand, Tensor tensor) {
    std::string name = real_.value(node.inputs[operand]).name;
    node.inputs[operand] = append_constant(result_, name, std::move(tensor));
  }

  void quantize_constant(Node& node, size_t operand, const ActivationSettings& settings) {
    const Tensor& real = *real_.value(node.inputs[operand]).constant;
    TensorType type{real.shape(), activation_dtype(settings),
                    activation_params(range_of(real), settings)};
    replace_operand(node, operand, quantize_tensor(real, type));
  }

  void quantize_weights(size_t index, const QuantRule& rule) {
    Node& node = result_.nodes[index];
    const WeightSettings& settings = settings_[index].weights;
    const auto weight_operand = static_cast<size_t>(rule.weight);
    const Tensor weight = *real_.value(node.inputs[weight_operand]).constant;
    QuantParams params = weight_params(weight, rule.weight_channel_axis, settings);
    const TensorType& src = result_.type(node.inputs[0]);
    const float in_scale = src.quant->scale[0];
    const bool wide = src.dtype == DType::kS16;
    const bool has_bias = rule.bias >= 0 && static_cast<size_t>(rule.bias) < node.inputs.size() &&
                          node.inputs[static_cast<size_t>(rule.bias)] != kNoValue;
    if (has_bias) {
      auto bias_operand = static_cast<size_t>(rule.bias);
      const Tensor bias = *real_.value(node.inputs[bias_operand]).constant;
      int64_t channels = weight.shape()[static_cast<size_t>(rule.weight_channel_axis)];
      if (!wide)
        widen_for_bias(params, bias, in_scale, weight.size() / std::max<int64_t>(channels, 1));
      replace_operand(node, bias_operand,
                      wide ? quantize_wide_bias(bias, in_scale, params)
                           : quantize_bias(bias, in_scale, params));
    }
    replace_operand(node, weight_operand, quantize_weights_of(weight, params, settings, index));
  }

  Tensor quantize_weights_of(const Tensor& weight, const QuantParams& params,
                             const WeightSettings& settings, size_t index) const {
    return nibble::quantize_weights(weight, params, settings, options_.seed + index);
  }

  void fill(QuantizeReport& report) const {
    report.calibrator = calibrator_name(options_.all.activations.calibrator);
    for (const Node& node : result_.nodes)
      if (node.keep_float) report.float_nodes.push_back(node.name);
    for (size_t i = 0; i < observers_.size(); ++i) {
      if (!observers_[i]) continue;
      if (!result_.values[i].type.quant) continue;  // between two nodes that stay float
      const QuantParams& params = *result_.values[i].type.quant;
      ValueRange range;
      range.value = real_.values[i].name;
      range.seen_min = observers_[i]->histogram().min();
      range.seen_max = observers_[i]->histogram().max();
      set_ends(range, params);
      report.ranges.push_back(std::move(range));
    }
  }

  const Graph& real_;
  std::vector<std::vector<int>> readers_;
  const QuantizeOptions& options_;
  Observers observers_;
  std::vector<LayerSettings> settings_;  // per node
  Graph result_;
  Patch added_;                         // quantize nodes between s8 and s16
  std::map<ValueId, ValueId> origins_;  // of values that the float graph lacks
  std::map<std::pair<ValueId, DType>, ValueId> copies_;
};

}  // namespace

void set_ends(ValueRange& range, const QuantParams& params) {
  const auto scale = static_cast<double>(params.scale[0]);
  range.min = scale * (params.q_min - params.zero_point[0]);
  range.max = scale * (params.q_max - params.zero_point[0]);
}

bool keeps_float(const QuantizeOptions& options, const Node& node) {
  return std::ranges::find(options.keep_float, node.name) != options.keep_float.end() ||
         std::ranges::any_of(options.rules, [&](const LayerRule& rule) {
           return rule.keep_float && matches(rule, node.name, op_name(node.op));
         });
}

Status check_names(const Graph& graph, const QuantizeOptions& options) {
  for (const std::string& name : options.keep_float)
    if (std::ranges::find(graph.nodes, name, &Node::name) == graph.nodes.end())
      return usage_error(
          fmt::format("--keep-float names '{}', and the graph has no such node; "
                      "`nibble inspect` lists them",
                      name));
  for (const LayerRule& rule : options.rules) NIBBLE_TRY(check_rule(graph, options, rule));
  return {};
}

Status check_float_model(const Graph& graph) {
  if (graph.inputs.size() != 1)
    return input_error(fmt::format(
        "the model has {} inputs; calibration data feed exactly one so far", graph.inputs.size()));
  if (graph.type(graph.inputs[0].value).dtype != DType::kF32)
    return input_error(
        fmt::format("the model '{}' is already quantized (its input '{}' is {}); use evaluate, "
                    "compile or run on it",
                    graph.name, graph.value(graph.inputs[0].value).name,
                    dtype_name(graph.type(graph.inputs[0].value).dtype)));
  return {};
}

Status check_quantizable(const Graph& graph, const QuantizeOptions& options) {
  NIBBLE_TRY(check_float_model(graph));
  if (needs_emulation(graph, options))
    return usage_error(
        "number formats and dynamic ranges are emulated, no integer graph has them; measure them "
        "with `nibble evaluate` or `nibble compare`");
  NIBBLE_CHECK(!needs_learning(options), "learning is the pipeline's: learn_quantized");
  return {};
}

Result<Graph> quantize_observed(const Graph& real, const QuantizeOptions& options,
                                Observers observers, QuantizeReport* report) {
  NIBBLE_ASSIGN(Graph integer, Quantizer(real, options, std::move(observers)).run(report));
  drop_unused_values(integer);
  return integer;
}

Result<Graph> quantize(const Graph& graph, const CalibrationData& data,
                       const QuantizeOptions& options, QuantizeReport* report) {
  NIBBLE_TRY(check_quantizable(graph, options));
  Graph real = graph;
  std::vector<StageTime> times;
  LayerStatistics statistics;
  NIBBLE_TRY(prepare(real, data, options, &statistics, &times));
  const Stopwatch calibration;
  NIBBLE_ASSIGN(Observers observers, calibrate(real, data, momenta(real, options)));
  NIBBLE_ASSIGN(Graph result, quantize_observed(real, options, std::move(observers), report));
  times.push_back({"calibration", calibration.seconds()});
  NIBBLE_TRY(refine(real, result, data, options, statistics, &times));
  NIBBLE_TRY(verify_graph(result, VerifyLevel::kQuantized));
  if (report) {
    report->samples = data.count;
    report->prepared = std::move(real);
    report->times = std::move(times);
  }
  return result;
}

}  // namespace nibble
