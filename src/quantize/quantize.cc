// Post-training quantization: calibrate, give every value its parameters, and restate the graph on
// integers.
#include "quantize/quantize.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "ops/ops.h"
#include "quantize/calibrate.h"
#include "quantize/parameters.h"

namespace nibble {
namespace {

constexpr int kBits = 8;  // of weights

struct CalibratorName {
  Calibrator calibrator;
  std::string_view name;
};
constexpr CalibratorName kCalibrators[] = {
#define NIBBLE_CALIBRATOR(enumerator, name, function) {Calibrator::enumerator, name},
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR
};

// State of one quantization: the float graph, what was observed, and the type each value will have.
class Quantizer {
 public:
  Quantizer(const Graph& graph, const QuantizeOptions& options,
            std::vector<std::optional<Observer>> observers)
      : real_(graph),
        readers_(consumers(graph)),
        options_(options),
        observers_(std::move(observers)),
        result_(graph) {
    result_.rounding = options.rounding;
    std::set<std::string> names(options.keep_float.begin(), options.keep_float.end());
    for (Node& node : result_.nodes) node.keep_float = names.count(node.name) > 0;
  }

  Result<Graph> run(QuantizeReport* report) {
    NIBBLE_TRY(check_operators());
    for (const Port& port : real_.inputs) set_activation(port.value, calibrated(port.value, {}));
    for (size_t i = 0; i < real_.nodes.size(); ++i) quantize_node(i);
    if (report) fill(*report);  // values are renumbered afterwards
    if (wide()) narrow_nodes();
    insert_borders();
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
    std::set<std::string> unknown(options_.keep_float.begin(), options_.keep_float.end());
    for (const Node& node : result_.nodes) {
      unknown.erase(node.name);
      if (quant_rule(node.op).output == QuantRule::Output::kFloat && !node.keep_float)
        missing.push_back(fmt::format("'{}' ({})", node.name, op_name(node.op)));
    }
    if (!unknown.empty())
      return usage_error(
          fmt::format("--keep-float names '{}', and the graph has no such node; "
                      "`nibble inspect` lists them",
                      *unknown.begin()));
    if (!missing.empty())
      return input_error(
          fmt::format("no integer form exists for {}; allow them in float with "
                      "--keep-float NODE, or replace them in the model",
                      join(missing, ", ")));
    return {};
  }

  QuantParams calibrated(ValueId id, const Bounds& act) {
    const Observer& observer = *observers_[static_cast<size_t>(id)];
    RealRange range = calibrated_range(observer, options_, levels());
    range.min = std::max(range.min, std::min<double>(act.min, 0));
    range.max = std::min(range.max, std::max<double>(act.max, 0));
    return activation_params(range);
  }

  // Those of 16 bits are finer than the histogram: a calibrator sees as many as that has bins.
  int levels() const { return wide() ? 4096 : 256; }
  bool wide() const { return options_.activation_bits == 16; }
  DType activation_dtype() const { return wide() ? DType::kS16 : DType::kS8; }
  QuantParams activation_params(RealRange range) const {
    return wide() ? symmetric_activation_params(range, 16)
                  : nibble::activation_params(range, options_.activation_bits);
  }

  void set_activation(ValueId id, QuantParams params) {
    TensorType& type = result_.value(id).type;
    type.dtype = activation_dtype();
    type.quant = std::move(params);
  }

  void quantize_node(size_t index) {
    Node& node = result_.nodes[index];
    if (node.keep_float) {
      // What integer nodes read are integers: the border operators are inserted afterwards.
      for (ValueId id : node.outputs)
        if (read_as_integer(id)) set_activation(id, calibrated(id, {}));
      return;
    }
    QuantRule rule = quant_rule(node.op);
    if (rule.weight >= 0) quantize_weights(node, rule);
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      if (static_cast<int>(k) == rule.weight || static_cast<int>(k) == rule.bias) continue;
      if (real_.is_constant(real_.nodes[index].inputs[k])) quantize_constant(node, k);
    }
    for (ValueId id : node.outputs) set_activation(id, output_params(node, rule, id));
  }

  QuantParams output_params(const Node& node, const QuantRule& rule, ValueId output) {
    if (rule.output == QuantRule::Output::kSameAsInput) return *result_.type(node.inputs[0]).quant;
    if (rule.output == QuantRule::Output::kFixed) {
      // Outputs that lie in [0, 1] or [-1, 1].
      if (wide()) return {{1.0f / 32768}, {0}, -1, 16, INT16_MIN, INT16_MAX};
      return fixed_params(rule);
    }
    Bounds act;
    std::visit(
        [&](const auto& op) {
          if constexpr (requires { op.act; }) act = op.act;
        },
        node.op);
    return calibrated(output, act);
  }

  // A new constant for this node: a weight that two nodes share may need two scales.
  void replace_operand(Node& node, size_t operand, Tensor tensor) {
    std::string name = real_.value(node.inputs[operand]).name;
    node.inputs[operand] = append_constant(result_, name, std::move(tensor));
  }

  void quantize_constant(Node& node, size_t operand) {
    const Tensor& real = *real_.value(node.inputs[operand]).constant;
    std::span<const float> values = real.data<float>();
    RealRange range;
    for (float value : values) {
      range.min = std::min<double>(range.min, value);
      range.max = std::max<double>(range.max, value);
    }
    TensorType type{real.shape(), activation_dtype(), activation_params(range)};
    replace_operand(node, operand, quantize_tensor(real, type));
  }

  void quantize_weights(Node& node, const QuantRule& rule) {
    auto weight_operand = static_cast<size_t>(rule.weight);
    const Tensor weight = *real_.value(node.inputs[weight_operand]).constant;
    bool dense = std::holds_alternative<Dense>(node.op);
    bool per_channel = options_.per_channel && (!dense || options_.per_channel_dense);
    QuantParams params = weight_params(weight, per_channel ? rule.weight_channel_axis : -1, kBits);
    float in_scale = result_.type(node.inputs[0]).quant->scale[0];
    bool has_bias = rule.bias >= 0 && static_cast<size_t>(rule.bias) < node.inputs.size() &&
                    node.inputs[static_cast<size_t>(rule.bias)] != kNoValue;
    if (has_bias) {
      auto bias_operand = static_cast<size_t>(rule.bias);
      const Tensor bias = *real_.value(node.inputs[bias_operand]).constant;
      int64_t channels = weight.shape()[static_cast<size_t>(rule.weight_channel_axis)];
      if (!wide())
        widen_for_bias(params, bias, in_scale, weight.size() / std::max<int64_t>(channels, 1));
      replace_operand(node, bias_operand,
                      wide() ? quantize_wide_bias(bias, in_scale, params)
                             : quantize_bias(bias, in_scale, params));
    }
    replace_operand(node, weight_operand,
                    quantize_tensor(weight, TensorType{weight.shape(), DType::kS8, params}));
  }

  // Operators without a form on s16 (tables of 256 entries) compute in s8, between a quantize to it
  // and one back.
  void narrow_nodes() {
    Patch patch(result_);
    auto narrow = [&](ValueId wide, const QuantParams& params) {
      return patch.add_value(result_.value(wide).name + "_s8",
                             TensorType{result_.type(wide).shape, DType::kS8, params});
    };
    for (size_t i = 0; i < result_.nodes.size(); ++i) {
      const Node node = result_.nodes[i];
      if (node.keep_float || node.inputs.size() != 1 || node.outputs.size() != 1) continue;
      const ValueId src = node.inputs[0], dst = node.outputs[0];
      const OperandInfo operand{&result_.type(src), nullptr};
      if (integer_ok(node.op, result_.rounding, {&operand, 1}, result_.type(dst))) continue;
      const QuantRule rule = quant_rule(node.op);
      const bool fixed = rule.output == QuantRule::Output::kFixed;
      const QuantParams out = fixed ? fixed_params(rule) : params_of_8_bits(dst);
      const ValueId narrow_src = narrow(src, params_of_8_bits(src)), narrow_dst = narrow(dst, out);
      patch.add_node(Quantize{}, node.name + "_narrow", {src}, {narrow_src});
      patch.add_node(Quantize{}, node.name + "_widen", {narrow_dst}, {dst});
      result_.nodes[i].outputs = {narrow_dst};
      patch.replace_node(static_cast<int>(i), node.op, {narrow_src});
    }
    if (!patch.empty()) patch.apply();
  }

  QuantParams params_of_8_bits(ValueId id) const {
    return nibble::activation_params(
        calibrated_range(*observers_[static_cast<size_t>(id)], options_, 256), 8);
  }

  static QuantParams fixed_params(const QuantRule& rule) {
    QuantParams params;
    params.scale = {rule.fixed_scale};
    params.zero_point = {rule.fixed_zero_point};
    return params;
  }

  // Nodes that stay float read an integer value through one dequantize, all of them together, and
  // write one through a quantize. The integer value keeps the name.
  void insert_borders() {
    Patch patch(result_);
    std::vector<ValueId> real(result_.values.size(), kNoValue);
    auto add_real = [&](ValueId integer) {
      TensorType type{result_.type(integer).shape, DType::kF32, std::nullopt};
      const std::string name = result_.value(integer).name + "_real";
      return real[static_cast<size_t>(integer)] = patch.add_value(name, std::move(type));
    };
    auto is_integer_value = [&](ValueId id) {
      return id != kNoValue && result_.type(id).quant.has_value();
    };
    for (size_t i = 0; i < result_.nodes.size(); ++i) {
      if (!result_.nodes[i].keep_float) continue;
      Node node = result_.nodes[i];
      for (ValueId& id : node.inputs) {
        if (!is_integer_value(id)) continue;
        ValueId& found = real[static_cast<size_t>(id)];
        if (found == kNoValue)
          patch.add_node(Dequantize{}, node.name + "_dequantize", {id}, {add_real(id)});
        id = found;
      }
      for (ValueId& id : node.outputs) {
        if (!is_integer_value(id)) continue;
        ValueId integer = id;
        id = add_real(integer);
        patch.add_node(Quantize{}, node.name + "_quantize", {id}, {integer});
      }
      result_.nodes[i].outputs = node.outputs;
      patch.replace_node(static_cast<int>(i), node.op, node.inputs);
    }
    if (!patch.empty()) patch.apply();
  }

  void fill(QuantizeReport& report) const {
    report.calibrator = calibrator_name(options_.calibrator);
    report.float_nodes = options_.keep_float;
    for (size_t i = 0; i < observers_.size(); ++i) {
      if (!observers_[i]) continue;
      if (!result_.values[i].type.quant) continue;  // between two nodes that stay float
      const QuantParams& params = *result_.values[i].type.quant;
      ValueRange range;
      range.value = real_.values[i].name;
      range.seen_min = observers_[i]->histogram().min();
      range.seen_max = observers_[i]->histogram().max();
      range.min = static_cast<double>(params.scale[0]) * (params.q_min - params.zero_point[0]);
      range.max = static_cast<double>(params.scale[0]) * (params.q_max - params.zero_point[0]);
      report.ranges.push_back(std::move(range));
    }
  }

  const Graph& real_;
  std::vector<std::vector<int>> readers_;
  const QuantizeOptions& options_;
  std::vector<std::optional<Observer>> observers_;
  Graph result_;
};

}  // namespace

Result<Calibrator> parse_calibrator(std::string_view name) {
  for (const auto& row : kCalibrators)
    if (row.name == name) return row.calibrator;
  std::vector<std::string> names = calibrator_names();
  return usage_error(fmt::format("unknown calibrator '{}'; known: {}", name, join(names, ", ")));
}

std::string_view calibrator_name(Calibrator calibrator) {
  for (const auto& row : kCalibrators)
    if (row.calibrator == calibrator) return row.name;
  NIBBLE_UNREACHABLE("calibrator {}", static_cast<int>(calibrator));
}

std::vector<std::string> calibrator_names() {
  std::vector<std::string> names;
  for (const auto& row : kCalibrators) names.emplace_back(row.name);
  return names;
}

std::span<const Scheme> all_schemes() {
  static constexpr Scheme kSchemes[] = {{"int8", 8, "8-bit weights and activations"},
                                        {"16x8", 16, "16-bit activations, 8-bit weights"}};
  return kSchemes;
}

std::string schemes_text() {
  std::vector<std::string> texts;
  for (const Scheme& scheme : all_schemes())
    texts.push_back(fmt::format("{} ({})", scheme.name, scheme.what));
  return join(texts, ", ");
}

Result<Scheme> find_scheme(std::string_view name) {
  for (const Scheme& scheme : all_schemes())
    if (scheme.name == name) return scheme;
  return usage_error(fmt::format("--scheme {}: known: {}", name, schemes_text()));
}

Result<Graph> quantize(const Graph& graph, const CalibrationData& data,
                       const QuantizeOptions& options, QuantizeReport* report) {
  if (graph.inputs.size() != 1)
    return input_error(fmt::format(
        "the model has {} inputs; calibration data feed exactly one so far", graph.inputs.size()));
  if (graph.type(graph.inputs[0].value).dtype != DType::kF32)
    return input_error(
        fmt::format("the model '{}' is already quantized (its input '{}' is {}); use evaluate, "
                    "compile or run on it",
                    graph.name, graph.value(graph.inputs[0].value).name,
                    dtype_name(graph.type(graph.inputs[0].value).dtype)));
  NIBBLE_ASSIGN(auto observers, calibrate(graph, data, options.momentum));
  NIBBLE_ASSIGN(Graph result, Quantizer(graph, options, std::move(observers)).run(report));
  if (report) report->samples = data.count;
  drop_unused_values(result);
  return result;
}

}  // namespace nibble
