// doc/quantization.md derives what stands here, under "The certificate".
#include "quantize/certify_nodes.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/requant.h"

namespace nibble {
namespace {

std::optional<int64_t> field(const KernelRequest& request, std::string_view name) {
  for (const auto& [known, value] : request.fields)
    if (known == name) return value;
  return std::nullopt;
}
const Tensor& constant(const KernelRequest& request, std::string_view name) {
  const auto found = std::ranges::find_if(request.constants,
                                          [&](const auto& entry) { return entry.first == name; });
  NIBBLE_CHECK(found != request.constants.end(), "{} has no {}", request.family, name);
  return found->second;
}
FixedFactor fixed_factor(const KernelRequest& request, const std::string& prefix = "") {
  return {*field(request, prefix + "multiplier"),
          static_cast<int>(*field(request, prefix + "exponent")),
          static_cast<int32_t>(field(request, "rounding").value_or(NIBBLE_ROUNDING_TFLITE))};
}

AccumulatorBound accumulator(IntegerRange finished, IntegerRange partial, int width = 32) {
  AccumulatorBound bound;
  bound.min = finished.min, bound.max = finished.max;
  bound.partial_min = partial.min, bound.partial_max = partial.max;
  bound.width = width;
  bound.bits = bits_for(partial.joined(finished));
  return bound;
}

// The node with weights that every kernel takes: factors depend on their scales alone.
Result<std::vector<KernelRequest>> lower_with_plain_weights(const Graph& graph, const Node& node) {
  const auto operand = static_cast<size_t>(quant_rule(node.op).weight);
  const TensorType& filter = graph.type(node.inputs[operand]);
  if (filter.dtype == DType::kS8 && filter.quant->is_plain()) return lower_node(graph, node);
  TensorType plain{filter.shape, DType::kS8, QuantParams{}};
  plain.quant->scale = filter.quant->scale;
  plain.quant->axis = filter.quant->axis;
  plain.quant->zero_point.assign(filter.quant->scale.size(), 0);
  Graph twin;
  twin.rounding = graph.rounding;
  Node moved = node;
  auto add = [&](ValueId& id, Value value) {
    twin.values.push_back(std::move(value));
    id = static_cast<ValueId>(twin.values.size() - 1);
  };
  for (size_t k = 0; k < moved.inputs.size(); ++k)
    if (moved.inputs[k] != kNoValue)
      add(moved.inputs[k],
          k == operand ? Value{"filter", plain, Tensor(plain)} : graph.value(node.inputs[k]));
  add(moved.outputs[0], graph.value(node.outputs[0]));
  return lower_node(twin, moved);
}

bool is_padded(const Window& window) {
  return window.pad_top + window.pad_left + window.pad_bottom + window.pad_right > 0;
}

// All integers of a range as one tensor of this type.
Tensor every_value(const TensorType& type, IntegerRange range) {
  Tensor tensor(TensorType{{range.max - range.min + 1}, type.dtype, type.quant});
  for (int64_t q = range.min; q <= range.max; ++q) tensor.set_integer_at(q - range.min, q);
  return tensor;
}

// A graph of one element-wise node.
struct SingleNode {
  Graph graph;
  Node node;
  SingleNode(const Op& op, Rounding rounding, const TensorType& in, const TensorType& out)
      : node{"node", op, {0}, {1}} {
    graph.rounding = rounding;
    graph.values = {{"in", in, std::nullopt}, {"out", out, std::nullopt}};
  }
  Tensor run(const Tensor& in) const {
    const Tensor* operand = &in;
    return run_node(graph, node, {&operand, 1})[0];
  }
};

// The element-wise operator on all inputs of a range: the largest distance from the float
// reference, clamped to the output's range, and the range of what it writes. A quantize stands for
// the identity.
struct EveryInput {
  RescalingBound bound;
  IntegerRange written;
};
EveryInput try_every_input(const Op& op, Rounding rounding, const TensorType& in_type,
                           const TensorType& out_type, IntegerRange range) {
  const Tensor in = every_value(in_type, range);
  const TensorType out{in.shape(), out_type.dtype, out_type.quant};
  const Tensor integers = SingleNode(op, rounding, in.type(), out).run(in);
  Tensor real = dequantize_tensor(in);
  if (!std::holds_alternative<Quantize>(op)) {
    const TensorType plain{in.shape(), DType::kF32, std::nullopt};
    real = SingleNode(op, rounding, plain, plain).run(real);
  }
  EveryInput result{{}, {INT64_MAX, INT64_MIN}};
  const QuantParams& quant = *out.quant;
  for (int64_t i = 0; i < in.size(); ++i) {
    const double steps = static_cast<double>(real.data<float>()[static_cast<size_t>(i)]) /
                         static_cast<double>(quant.scale[0]);
    const double wanted = std::clamp<double>(steps + quant.zero_point[0], quant.q_min, quant.q_max);
    const int64_t q = integers.integer_at(i);
    // What the float reference itself may be wrong by.
    const double slack = std::min(std::abs(steps), 65536.0) * 0x1p-21;
    result.bound.steps =
        std::max(result.bound.steps, std::abs(static_cast<double>(q) - wanted) + slack);
    result.written = result.written.joined({q, q});
  }
  result.bound.rounding_steps = result.bound.steps;
  result.bound.exhaustive = true;
  return result;
}

bool same_grid(const TensorType& a, const TensorType& b) {
  return a.quant->scale == b.quant->scale && a.quant->zero_point == b.quant->zero_point;
}

}  // namespace

NodeBounds::NodeBounds(const Graph& graph) : graph_(graph) {
  for (const Value& value : graph.values) {
    if (!value.type.quant)
      ranges_.push_back({0, 0});
    else
      ranges_.push_back({value.type.quant->q_min, value.type.quant->q_max});
    if (!value.constant || !value.type.quant || value.constant->size() == 0) continue;
    IntegerRange held{INT64_MAX, INT64_MIN};
    for (int64_t i = 0; i < value.constant->size(); ++i)
      held = held.with(value.constant->integer_at(i));
    ranges_.back() = held;
  }
}

void NodeBounds::add(const Node& node, Entry& entry) {
  // Indices and shapes: integers that stand for themselves.
  if (!is_integer_node(graph_, node)) {
    entry.rescaling = RescalingBound{};
    return;
  }
  std::visit([&](const auto& op) { bound(op, node, entry); }, node.op);
}

template <class T>
void NodeBounds::bound(const T&, const Node& node, Entry& entry) {
  const KernelRequest* request = request_of(node, entry);
  if (request && request->family == "lookup_s8") return bound_every_input(node, entry);
  if (request) entry.why_unbounded = "none is known for this operator";
}

const KernelRequest* NodeBounds::request_of(const Node& node, Entry& entry) {
  auto lowered = quant_rule(node.op).weight >= 0 ? lower_with_plain_weights(graph_, node)
                                                 : lower_node(graph_, node);
  if (!lowered.ok()) {
    entry.why_unbounded = lowered.error().message;
    return nullptr;
  }
  if (lowered->size() != 1) {
    entry.why_unbounded = fmt::format("it lowers to {} calls", lowered->size());
    return nullptr;
  }
  request_ = std::move(lowered->front());
  return &request_;
}

double NodeBounds::out_reach(const Node& node, const KernelRequest& request) {
  const QuantParams& quant = *type(node.outputs[0]).quant;
  const IntegerRange act{field(request, "act_min").value_or(quant.q_min) - quant.zero_point[0],
                         field(request, "act_max").value_or(quant.q_max) - quant.zero_point[0]};
  return static_cast<double>(act.reach());
}

void NodeBounds::narrow_output(const Node& node, const KernelRequest& request) {
  const auto low = field(request, "act_min"), high = field(request, "act_max");
  if (low && high) range(node.outputs[0]) = range(node.outputs[0]).clamped({*low, *high});
}

void NodeBounds::bound(const Conv2d& op, const Node& node, Entry& entry) {
  bound_weights(node, is_padded(op.window), entry);
}
void NodeBounds::bound(const DepthwiseConv2d& op, const Node& node, Entry& entry) {
  bound_weights(node, is_padded(op.window), entry);
}
void NodeBounds::bound(const Dense&, const Node& node, Entry& entry) {
  bound_weights(node, false, entry);
}

void NodeBounds::bound_weights(const Node& node, bool padded, Entry& entry) {
  const QuantRule rule = quant_rule(node.op);
  const ValueId src = node.inputs[0], dst = node.outputs[0];
  const Tensor& filter = *graph_.value(node.inputs[static_cast<size_t>(rule.weight)]).constant;
  std::vector<int64_t> bias;
  const auto bias_operand = static_cast<size_t>(rule.bias);
  if (bias_operand < node.inputs.size() && node.inputs[bias_operand] != kNoValue) {
    const Tensor& held = *graph_.value(node.inputs[bias_operand]).constant;
    for (int64_t i = 0; i < held.size(); ++i) bias.push_back(held.integer_at(i));
  }
  const std::vector<ChannelSums> sums =
      channel_sums(filter, rule.weight_channel_axis, range(src), zero(src), padded, bias);
  const KernelRequest* request = request_of(node, entry);
  const auto code = static_cast<int32_t>(request ? *field(*request, "rounding") : 0);
  const int width = request && code == NIBBLE_ROUNDING_REDUCED ? 64 : 32;
  for (size_t c = 0; c < sums.size(); ++c) {
    AccumulatorBound bound = accumulator(sums[c].finished, sums[c].partial, width);
    bound.channel = static_cast<int64_t>(c);
    const int64_t reach = sums[c].partial.reach();
    if (!entry.accumulator ||
        reach > std::max(entry.accumulator->partial_max, -entry.accumulator->partial_min))
      entry.accumulator = bound;
  }
  if (!request) return;
  const Tensor &multipliers = constant(*request, "multiplier"),
               &exponents = constant(*request, "exponent");
  const auto& scales = filter.type().quant->scale;
  for (size_t c = 0; c < sums.size(); ++c) {
    const auto weight_scale = static_cast<double>(scales[scales.size() == 1 ? 0 : c]);
    const auto channel = static_cast<int64_t>(c);
    RescalingBound bound = rescaling_bound(
        scale(src) * weight_scale / scale(dst),
        {multipliers.integer_at(channel), static_cast<int>(exponents.integer_at(channel)), code},
        static_cast<double>(sums[c].finished.reach()), out_reach(node, *request));
    bound.channel = channel;
    if (!entry.rescaling || bound.steps > entry.rescaling->steps) entry.rescaling = bound;
  }
  narrow_output(node, *request);
}

// Both operands shifted left, each times half its share of the larger scale, summed, rescaled.
void NodeBounds::bound_sum(const Node& node, Entry& entry) {
  const KernelRequest* request = request_of(node, entry);
  if (!request) return;
  const ValueId dst = node.outputs[0], lhs = request->src[0], rhs = request->src[1];
  const int headroom = type(dst).dtype == DType::kS16 ? 15 : 20;
  const double twice = 2 * std::max(scale(lhs), scale(rhs));
  const bool negative = field(*request, "rhs_sign").value_or(1) < 0;
  IntegerRange sum{0, 0}, partial{0, 0};
  double input_steps = 0;
  for (const bool first : {true, false}) {
    const ValueId id = first ? lhs : rhs;
    const int sign = !first && negative ? -1 : 1;
    const FixedFactor fixed = fixed_factor(*request, first ? "lhs_" : "rhs_");
    const IntegerRange shifted{centred(id).min * (int64_t{1} << headroom),
                               centred(id).max * (int64_t{1} << headroom)};
    partial = partial.joined(shifted);
    // Rescaling is monotone: its ends are those of the operand.
    auto scaled = [&](int64_t value) {
      return int64_t{nibble_requant(static_cast<int32_t>(value),
                                    static_cast<int32_t>(fixed.multiplier), fixed.exponent,
                                    fixed.rounding)} *
             sign;
    };
    const int64_t a = scaled(shifted.min), b = scaled(shifted.max);
    sum = {sum.min + std::min(a, b), sum.max + std::max(a, b)};
    partial = partial.joined(sum).with(a).with(b);
    input_steps +=
        rescaling_bound(scale(id) / twice, fixed, static_cast<double>(shifted.reach()), INFINITY)
            .steps;
  }
  entry.accumulator = accumulator(sum, partial);
  const FixedFactor out = fixed_factor(*request, "out_");
  RescalingBound bound =
      rescaling_bound(twice / (std::ldexp(1.0, headroom) * scale(dst)), out,
                      static_cast<double>(sum.reach()), out_reach(node, *request));
  bound.rounding_steps += input_steps * out.value();
  bound.steps = bound.factor_steps + bound.rounding_steps;
  entry.rescaling = bound;
  narrow_output(node, *request);
}

void NodeBounds::bound(const Mul&, const Node& node, Entry& entry) {
  const KernelRequest* request = request_of(node, entry);
  if (!request) return;
  const IntegerRange a = centred(node.inputs[0]), b = centred(node.inputs[1]);
  IntegerRange product{a.min * b.min, a.min * b.min};
  for (int64_t corner : {a.min * b.max, a.max * b.min, a.max * b.max})
    product = product.with(corner);
  entry.accumulator = accumulator(product, product);
  entry.rescaling = rescaling_bound(
      scale(node.inputs[0]) * scale(node.inputs[1]) / scale(node.outputs[0]),
      fixed_factor(*request), static_cast<double>(product.reach()), out_reach(node, *request));
  narrow_output(node, *request);
}

void NodeBounds::bound(const Mean& op, const Node& node, Entry& entry) {
  const KernelRequest* request = request_of(node, entry);
  if (!request) return;
  const ValueId src = node.inputs[0];
  int64_t count = 1;
  for (int64_t axis : op.axes) count *= type(src).shape[static_cast<size_t>(axis)];
  const IntegerRange sum{centred(src).min * count, centred(src).max * count};
  // Kernels sum q and take the zero points off afterwards.
  const IntegerRange raw{range(src).min * count, range(src).max * count};
  entry.accumulator = accumulator(sum, sum.joined(raw).with(0));
  entry.rescaling = rescaling_bound(
      scale(src) / (scale(node.outputs[0]) * static_cast<double>(count)), fixed_factor(*request),
      static_cast<double>(sum.reach()), out_reach(node, *request));
  narrow_output(node, *request);
}

void NodeBounds::bound(const AvgPool2d& op, const Node& node, Entry& entry) {
  const KernelRequest* request = request_of(node, entry);
  if (!request) return;
  const ValueId src = node.inputs[0];
  const int64_t taps = op.k_h * op.k_w;
  const IntegerRange values = op.count_pad ? range(src).with(zero(src)) : range(src);
  const IntegerRange sum{values.min * taps, values.max * taps};
  entry.accumulator =
      accumulator(sum, sum.with(0).joined({sum.min - taps / 2, sum.max + taps / 2}));
  entry.rescaling = RescalingBound{0.5, 0, 0.5, -1, false};
  range(node.outputs[0]) = values;
  narrow_output(node, *request);
}

void NodeBounds::bound_copy(const Node& node, Entry& entry) {
  entry.rescaling = RescalingBound{};
  const QuantParams& quant = *type(node.outputs[0]).quant;
  range(node.outputs[0]) = range(node.inputs[0]).clamped({quant.q_min, quant.q_max});
}

void NodeBounds::bound(const Pad& op, const Node& node, Entry& entry) {
  bound_copy(node, entry);
  const QuantParams& quant = *type(node.outputs[0]).quant;
  const double wanted = std::clamp<double>(
      static_cast<double>(op.value) / static_cast<double>(quant.scale[0]) + quant.zero_point[0],
      quant.q_min, quant.q_max);
  const double fill = std::round(wanted);
  entry.rescaling->steps = entry.rescaling->rounding_steps = std::abs(wanted - fill);
  for (double near : {fill - 1, fill + 1})
    range(node.outputs[0]) =
        range(node.outputs[0])
            .with(std::clamp<int64_t>(static_cast<int64_t>(near), quant.q_min, quant.q_max));
}

void NodeBounds::bound(const Concat&, const Node& node, Entry& entry) {
  const TensorType& out = type(node.outputs[0]);
  entry.rescaling = RescalingBound{};
  IntegerRange written{INT64_MAX, INT64_MIN};
  for (ValueId id : node.inputs) {
    if (same_grid(type(id), out)) {
      written = written.joined(range(id));
      continue;
    }
    const EveryInput every = try_every_input(Clamp{}, graph_.rounding, type(id), out, range(id));
    if (every.bound.steps > entry.rescaling->steps) entry.rescaling = every.bound;
    written = written.joined(every.written);
  }
  range(node.outputs[0]) = written;
}

void NodeBounds::bound_every_input(const Node& node, Entry& entry) {
  const EveryInput every = try_every_input(node.op, graph_.rounding, type(node.inputs[0]),
                                           type(node.outputs[0]), range(node.inputs[0]));
  entry.rescaling = every.bound;
  range(node.outputs[0]) = every.written;
}

void NodeBounds::bound(const Quantize&, const Node& node, Entry& entry) {
  const ValueId src = node.inputs[0], dst = node.outputs[0];
  if (type(src).dtype != DType::kS32) return bound_every_input(node, entry);
  const KernelRequest* request = request_of(node, entry);
  if (!request) return;
  entry.accumulator = accumulator(centred(src), centred(src));
  entry.rescaling =
      rescaling_bound(scale(src) / scale(dst), fixed_factor(*request),
                      static_cast<double>(centred(src).reach()), out_reach(node, *request));
}

void NodeBounds::bound(const Softmax& op, const Node& node, Entry& entry) {
  const KernelRequest* request = request_of(node, entry);
  if (!request) return;
  if (type(node.outputs[0]).dtype == DType::kS16)
    bound_softmax_s16(op, node, *request, entry);
  else
    bound_softmax_s8(op, node, *request, entry);
}

}  // namespace nibble
