// Integer operands and types of operators that ONNX writes in float.
#include "passes/qdq.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nibble {
namespace {

constexpr int32_t kS32Min = std::numeric_limits<int32_t>::min();
constexpr int32_t kS32Max = std::numeric_limits<int32_t>::max();

// Whether a real number is a whole step of the type, or lies outside its range.
bool is_step(float real, const QuantParams& quant) {
  double step = static_cast<double>(real) / static_cast<double>(quant.scale[0]) +
                static_cast<double>(quant.zero_point[0]);
  if (step <= quant.q_min || step >= quant.q_max) return true;
  return std::abs(step - std::round(step)) < 1e-3;
}

// s32, scale = source scale * filter scale, per channel where the filter is.
std::optional<Tensor> integer_bias(const View& view, ValueId bias, const TensorType& src,
                                   const TensorType& filter) {
  const ValueId integers = dequantized(view, bias);
  const Tensor* constant = view.constant(integers != kNoValue ? integers : bias);
  if (!constant || constant->shape().size() != 1) return std::nullopt;
  if (!src.quant || !src.quant->per_tensor() || !filter.quant) return std::nullopt;
  const auto count = static_cast<size_t>(constant->size());
  std::vector<float> scales;
  for (float scale : filter.quant->scale) scales.push_back(src.quant->scale[0] * scale);
  if (scales.size() != 1 && scales.size() != count) return std::nullopt;
  for (float scale : scales)
    if (!(scale > 0) || !std::isfinite(scale)) return std::nullopt;

  const Tensor real = is_float(constant->type()) ? *constant : dequantize_tensor(*constant);
  std::vector<int32_t> elems;
  for (size_t i = 0; i < count; ++i) {
    double scale =
        static_cast<double>(src.quant->scale[0]) *
        static_cast<double>(filter.quant->scale[filter.quant->scale.size() == 1 ? 0 : i]);
    double value = static_cast<double>(real.data<float>()[i]);
    // The file's own integers, not their detour through float, where they already have this scale.
    if (!is_float(constant->type()) && constant->type().quant) {
      const QuantParams& quant = *constant->type().quant;
      const size_t channel = quant.scale.size() == 1 ? 0 : i;
      value = (static_cast<double>(constant->integer_at(static_cast<int64_t>(i))) -
               quant.zero_point[channel]) *
              static_cast<double>(quant.scale[channel]);
    }
    double steps = std::round(value / scale);
    if (!(std::abs(steps) <= static_cast<double>(kS32Max))) return std::nullopt;
    elems.push_back(static_cast<int32_t>(steps));
  }
  Tensor result = Tensor::of<int32_t>({static_cast<int64_t>(count)}, DType::kS32, elems);
  QuantParams quant;
  quant.zero_point.assign(scales.size(), 0);
  quant.axis = scales.size() == 1 ? -1 : 0;
  quant.scale = std::move(scales);
  quant.bits = 32;
  quant.q_min = kS32Min;
  quant.q_max = kS32Max;
  result.set_quant(std::move(quant));
  return result;
}

// A constant of one element as one exact step: c = |c| * ±1.
std::optional<Tensor> integer_scalar(const Tensor& constant) {
  if (!is_float(constant.type()) || constant.size() != 1) return std::nullopt;
  const float value = constant.data<float>()[0];
  const float scale = value == 0 ? 1.0f : std::abs(value);
  if (!std::isfinite(scale)) return std::nullopt;
  const int8_t step = value == 0 ? 0 : (value > 0 ? 1 : -1);
  Tensor result = Tensor::of<int8_t>(constant.shape(), DType::kS8, std::span(&step, 1));
  result.set_quant(QuantParams{{scale}, {0}, -1, 8, -128, 127});
  return result;
}

}  // namespace

bool computes_on_integers(const Graph& graph, const Node& node) {
  const Op& op = node.op;
  bool moves = std::holds_alternative<Reshape>(op) || std::holds_alternative<Transpose>(op) ||
               std::holds_alternative<Slice>(op) || std::holds_alternative<Concat>(op) ||
               std::holds_alternative<Pad>(op) || std::holds_alternative<Quantize>(op) ||
               std::holds_alternative<Dequantize>(op);
  return !moves && is_integer_node(graph, node);
}

ValueId dequantized(const View& view, ValueId id) {
  if (!view.writer_as<Dequantize>(id)) return kNoValue;
  return view.node(view.writer(id)).inputs[0];
}

std::optional<TensorType> moved_type(const Op& op, const TensorType& src, const Shape& shape) {
  if (!src.quant) return std::nullopt;
  if (const auto* transpose = std::get_if<Transpose>(&op)) return transposed(src, transpose->perm);
  if (!src.quant->per_tensor()) return std::nullopt;
  const TensorType moved = with_shape(src, shape);
  if (std::holds_alternative<Reshape>(op) || std::holds_alternative<Slice>(op) ||
      std::holds_alternative<Concat>(op) || std::holds_alternative<ResizeNearest>(op))
    return moved;
  if (const auto* pad = std::get_if<Pad>(&op)) {
    const float low =
        src.quant->scale[0] * static_cast<float>(src.quant->q_min - src.quant->zero_point[0]);
    const float high =
        src.quant->scale[0] * static_cast<float>(src.quant->q_max - src.quant->zero_point[0]);
    if (pad->value >= low && pad->value <= high && is_step(pad->value, *src.quant)) return moved;
  }
  if (const auto* pool = std::get_if<MaxPool2d>(&op); pool && pool->act.none()) return moved;
  if (const auto* clamp = std::get_if<Clamp>(&op);
      clamp && is_step(clamp->act.min, *src.quant) && is_step(clamp->act.max, *src.quant))
    return moved;
  return std::nullopt;
}

std::optional<TensorType> fixed_type(const Op& op, const Shape& shape) {
  QuantRule rule = quant_rule(op);
  if (rule.output != QuantRule::Output::kFixed) return std::nullopt;
  QuantParams quant{{rule.fixed_scale}, {rule.fixed_zero_point}, -1, 8, -128, 127};
  return TensorType{shape, DType::kS8, std::move(quant)};
}

std::vector<OperandInfo> IntegerOperands::info(const View& view) const {
  std::vector<OperandInfo> operands;
  for (const Item& item : items_) {
    if (item.tensor)
      operands.push_back({&item.tensor->type(), &*item.tensor});
    else if (item.id == kNoValue)
      operands.push_back({});
    else
      operands.push_back({&view.type(item.id), view.constant(item.id)});
  }
  return operands;
}

std::vector<ValueId> IntegerOperands::add_to(Patch& patch) const {
  std::vector<ValueId> ids;
  for (const Item& item : items_)
    ids.push_back(item.tensor ? patch.add_constant(item.name, *item.tensor) : item.id);
  return ids;
}

std::optional<IntegerOperands> integer_operands(const View& view, const Node& node) {
  const QuantRule rule = quant_rule(node.op);
  IntegerOperands operands;
  bool any = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (id == kNoValue) {
      operands.add(id);
      continue;
    }
    const std::string& name = view.graph().value(id).name;
    if (static_cast<int>(i) == rule.bias) {
      const ValueId src = dequantized(view, node.inputs[0]);
      const ValueId filter = dequantized(view, node.inputs[static_cast<size_t>(rule.weight)]);
      if (src == kNoValue || filter == kNoValue) return std::nullopt;
      auto bias = integer_bias(view, id, view.type(src), view.type(filter));
      if (!bias) return std::nullopt;
      operands.add_new(name, std::move(*bias));
    } else if (ValueId integers = dequantized(view, id); integers != kNoValue) {
      operands.add(integers);
      any = true;
    } else if (const Tensor* constant = view.constant(id)) {
      auto scalar = integer_scalar(*constant);
      if (!scalar) return std::nullopt;
      operands.add_new(name, std::move(*scalar));
    } else {
      return std::nullopt;
    }
  }
  if (!any) return std::nullopt;
  return operands;
}

}  // namespace nibble
