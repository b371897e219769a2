// ONNX describes an integer model in float: dequantize → operator → quantize (QDQ). Here the three
// become the integer operator with the parameters of the dequantize and quantize nodes around it:
//   quantize(f(dequantize(x))) = f_integer(x), rounding apart
// Dequantize sinks and quantize rises through what only moves elements, so that both end up beside
// an operator that computes. An operator without both, or whose integers its reference does not
// know, stays float.
#include "passes/list.h"
#include "passes/qdq.h"

namespace nibble {
namespace {

// quantize(dequantize(x)) = x, or a requantize where the parameters differ.
bool cancel(const View& view, int index, Patch& patch) {
  if (!view.op_as<Quantize>(index)) return false;
  const Node& node = view.node(index);
  const ValueId src = dequantized(view, node.inputs[0]), dst = node.outputs[0];
  if (src == kNoValue) return false;
  if (view.type(src) == view.type(dst)) {
    if (!may_replace(view, dst, src)) return false;
    patch.remove_node(index);
    patch.replace_uses(dst, src);
    return true;
  }
  OperandInfo operand{&view.type(src), view.constant(src)};
  if (!integer_ok(Quantize{}, view.graph().rounding, {&operand, 1}, view.type(dst))) return false;
  patch.replace_node(index, Quantize{}, {src});
  return true;
}

// Quantizing one value twice to one type.
bool share_quantize(const View& view, int index, Patch& patch) {
  if (!view.op_as<Quantize>(index)) return false;
  const Node& node = view.node(index);
  const ValueId dst = node.outputs[0];
  for (int reader : view.readers(node.inputs[0])) {
    if (reader >= index || !view.op_as<Quantize>(reader)) continue;
    ValueId to = view.node(reader).outputs[0];
    if (view.type(to) != view.type(dst) || !may_replace(view, dst, to)) continue;
    patch.remove_node(index);
    patch.replace_uses(dst, to);
    return true;
  }
  return false;
}

// --- Through operators that only move elements.

// move(dequantize(x)) = dequantize(move(x))
bool sink_dequantize(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (node.inputs.empty() || node.outputs.size() != 1) return false;
  std::vector<ValueId> sources;
  for (ValueId id : node.inputs) sources.push_back(dequantized(view, id));
  const ValueId first = sources[0];
  if (first == kNoValue) return false;
  // A concat's operands share their parameters.
  for (ValueId id : sources)
    if (id == kNoValue || view.type(id).quant != view.type(first).quant ||
        view.type(id).dtype != view.type(first).dtype)
      return false;
  const ValueId dst = node.outputs[0];
  const TensorType old = view.type(dst);
  auto moved = moved_type(node.op, view.type(first), old.shape);
  if (!moved) return false;
  std::vector<OperandInfo> operands;
  for (ValueId id : sources) operands.push_back({&view.type(id), view.constant(id)});
  bool constant = view.constant(first) != nullptr;
  if (!constant && !integer_ok(node.op, view.graph().rounding, operands, *moved)) return false;
  const std::string name = node.name;
  patch.replace_node(index, node.op, sources);
  patch.set_type(dst, *moved);
  ValueId real = patch.add_value(name + "_dequantize", old);
  patch.add_node(Dequantize{}, name + "_dequantize", {dst}, {real});
  patch.replace_uses(dst, real);
  return true;
}

// quantize(move(x)) = move(quantize(x))
bool raise_quantize(const View& view, int index, Patch& patch) {
  if (!view.op_as<Quantize>(index)) return false;
  const Node& node = view.node(index);
  const ValueId middle = node.inputs[0], dst = node.outputs[0];
  const int mover = view.writer(middle);
  const TensorType out = view.type(dst);
  if (mover < 0 || view.only_reader(middle) != index || !is_float(view.type(middle)) ||
      !out.quant || !out.quant->per_tensor())
    return false;
  const Node move = view.node(mover);
  if (!moved_type(move.op, out, out.shape)) return false;
  std::vector<TensorType> types;
  for (ValueId id : move.inputs) types.push_back(with_shape(out, view.shape(id)));
  std::vector<OperandInfo> operands;
  for (const TensorType& type : types) operands.push_back({&type, nullptr});
  if (!integer_ok(move.op, view.graph().rounding, operands, out)) return false;
  const std::string name = node.name;
  std::vector<ValueId> quantized;
  for (size_t i = 0; i < move.inputs.size(); ++i) {
    quantized.push_back(patch.add_value(view.graph().value(dst).name, types[i]));
    patch.add_node(Quantize{}, name, {move.inputs[i]}, {quantized.back()});
  }
  patch.replace_node(mover, move.op, quantized);
  patch.set_type(middle, out);
  patch.remove_node(index);
  patch.replace_uses(dst, middle);
  return true;
}

// --- Operators that compute.

// Whether the output type works for these operands; if not, an output type that does, for a
// requantize behind it.
std::optional<TensorType> output_type(const View& view, const Op& op,
                                      const std::vector<OperandInfo>& operands,
                                      const TensorType& wanted) {
  const Rounding rounding = view.graph().rounding;
  if (integer_ok(op, rounding, operands, wanted)) return wanted;
  TensorType other = wanted;
  if (auto fixed = fixed_type(op, wanted.shape)) {
    other = *fixed;
  } else if (quant_rule(op).output == QuantRule::Output::kSameAsInput) {
    other = with_shape(*operands[0].type, wanted.shape);
  } else {
    return std::nullopt;
  }
  OperandInfo requantized{&other, nullptr};
  if (!integer_ok(op, rounding, operands, other) ||
      !integer_ok(Quantize{}, rounding, {&requantized, 1}, wanted))
    return std::nullopt;
  return other;
}

// An integer average pool rounds in the steps of its source. Where the result has other steps, that
// would round twice: the whole image is a mean instead, which rescales its sum, and a window is a
// depthwise convolution by ones, whose scale is one over the number of taps:
//   mean(q) = sum(1 * q) * (1 / taps)
struct PoolForm {
  Op op;
  std::optional<Tensor> filter;
};
std::optional<PoolForm> rescaling_pool(const AvgPool2d& pool, const TensorType& src,
                                       const Shape& out) {
  if (!src.quant || !src.quant->per_tensor() || !pool.act.none()) return std::nullopt;
  const Window& window = pool.window;
  bool padded = window.pad_top != 0 || window.pad_left != 0 || window.pad_bottom != 0 ||
                window.pad_right != 0;
  if (!padded && out[1] == 1 && out[2] == 1 && pool.k_h == src.shape[1] && pool.k_w == src.shape[2])
    return PoolForm{Mean{{1, 2}, true}, std::nullopt};
  if (padded && !pool.count_pad) return std::nullopt;
  const std::vector<int8_t> ones(static_cast<size_t>(pool.k_h * pool.k_w * src.shape[3]), 1);
  Tensor filter = Tensor::of<int8_t>({1, pool.k_h, pool.k_w, src.shape[3]}, DType::kS8, ones);
  filter.set_quant(
      QuantParams{{1.0f / static_cast<float>(pool.k_h * pool.k_w)}, {0}, -1, 8, -128, 127});
  return PoolForm{DepthwiseConv2d{window, {}}, std::move(filter)};
}

bool fold_pool(const View& view, int index, Patch& patch) {
  const auto* pool = view.op_as<AvgPool2d>(index);
  if (!pool) return false;
  const Node& node = view.node(index);
  const ValueId src = dequantized(view, node.inputs[0]), dst = node.outputs[0];
  const int reader = view.only_reader(dst);
  if (src == kNoValue || !view.op_as<Quantize>(reader)) return false;
  const ValueId final = view.node(reader).outputs[0];
  const TensorType wanted = view.type(final);
  if (view.type(src).quant == wanted.quant) return false;
  auto form = rescaling_pool(*pool, view.type(src), wanted.shape);
  if (!form) return false;
  std::vector<OperandInfo> operands = {{&view.type(src), nullptr}};
  if (form->filter) operands.push_back({&form->filter->type(), &*form->filter});
  if (form->filter) operands.push_back({});
  if (!integer_ok(form->op, view.graph().rounding, operands, wanted)) return false;
  std::vector<ValueId> inputs = {src};
  const std::string name = node.name;
  if (form->filter) inputs.push_back(patch.add_constant(name + "_ones", *form->filter));
  if (form->filter) inputs.push_back(kNoValue);
  patch.replace_node(index, form->op, std::move(inputs));
  patch.set_type(dst, wanted);
  patch.remove_node(reader);
  patch.replace_uses(final, dst);
  return true;
}

bool fold(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (node.outputs.size() != 1 || view.op_as<Quantize>(index) || view.op_as<Dequantize>(index))
    return false;
  const ValueId dst = node.outputs[0];
  const int reader = view.only_reader(dst);
  if (!is_float(view.type(dst)) || !view.op_as<Quantize>(reader)) return false;
  auto operands = integer_operands(view, node);
  if (!operands) return false;
  const ValueId final = view.node(reader).outputs[0];
  const TensorType wanted = view.type(final);
  if (!wanted.quant || !wanted.quant->per_tensor()) return false;
  auto type = output_type(view, node.op, operands->info(view), wanted);
  if (!type) return false;
  const Op op = node.op;
  patch.replace_node(index, op, operands->add_to(patch));
  patch.set_type(dst, *type);
  if (*type == wanted) {
    patch.remove_node(reader);
    patch.replace_uses(final, dst);
  }
  return true;
}

}  // namespace

int fold_qdq(Graph& graph) {
  int changes = 0;
  // Moving a dequantize behind what moves a constant leaves integers to fold.
  for (int round = 1; round > 0; changes += round) {
    round =
        rewrite(graph, {cancel, share_quantize, fold_pool, fold, sink_dequantize, raise_quantize});
    round += fold_constants(graph);
  }
  return changes;
}

}  // namespace nibble
