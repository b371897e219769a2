// What the exporters of the single operators write with, and which of them writes a node.
#include <fmt/format.h>

#include <algorithm>

#include "formats/onnx/exporter.h"
#include "ops/ops.h"

namespace nibble {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

Status export_unary(ExportNode& node, const std::string& op_type) {
  const Perm axes = node.common_axes(node.out_type().shape.size());
  node.add(op_type, {node.input(0, axes)});
  return node.finish(axes);
}

Status export_binary(ExportNode& node, const std::string& op_type) {
  const size_t rank = node.out_type().shape.size();
  const Perm axes = node.common_axes(rank);
  node.add(op_type, {node.input(0, axes, rank), node.input(1, axes, rank)});
  return node.finish(axes);
}

// x + y of more operands than two are more nodes in the graph; a clamp is its own activation.
Status export_clamp(ExportNode& node) {
  const Perm axes = node.held_axes(0);
  return node.finish(node.input(0, axes), axes);
}

Status export_dequantize(ExportNode& node) {
  return node.alias(0, identity_perm(node.shape(0).size()));
}

Status export_quantize(ExportNode& node) {
  if (node.hold_input()) return {};
  const Perm axes = node.held_axes(0);
  return node.finish(node.input(0, axes), axes);
}

}  // namespace

Status export_node(ExportNode& node, const Op& op) {
  return std::visit(
      Overloaded{[&](const auto&) -> Status {
                   return input_error(
                       "this operator is not written as ONNX; write the model as .nibble");
                 },
                 [&](const Conv2d& conv) { return export_conv2d(node, conv); },
                 [&](const DepthwiseConv2d& conv) { return export_depthwise(node, conv); },
                 [&](const Dense&) { return export_dense(node); },
                 [&](const Add&) { return export_binary(node, "Add"); },
                 [&](const Sub&) { return export_binary(node, "Sub"); },
                 [&](const Mul&) { return export_binary(node, "Mul"); },
                 [&](const MaxPool2d& pool) { return export_max_pool(node, pool); },
                 [&](const AvgPool2d& pool) { return export_avg_pool(node, pool); },
                 [&](const Mean& mean) { return export_mean(node, mean); },
                 [&](const Pad& pad) { return export_pad(node, pad); },
                 [&](const Concat& concat) { return export_concat(node, concat); },
                 [&](const Reshape& reshape) { return export_reshape(node, reshape); },
                 [&](const Transpose& transpose) { return node.alias(0, transpose.perm); },
                 [&](const Slice& slice) { return export_slice(node, slice); },
                 [&](const ResizeNearest& resize) { return export_resize(node, resize); },
                 [&](const BatchNorm& norm) { return export_batch_norm(node, norm); },
                 [&](const Clamp&) { return export_clamp(node); },
                 [&](const LeakyRelu& relu) { return export_leaky_relu(node, relu); },
                 [&](const Sigmoid&) { return export_unary(node, "Sigmoid"); },
                 [&](const Tanh&) { return export_unary(node, "Tanh"); },
                 [&](const HardSwish&) { return export_unary(node, "HardSwish"); },
                 [&](const HardSigmoid& sigmoid) { return export_hard_sigmoid(node, sigmoid); },
                 [&](const Softmax& softmax) { return export_softmax(node, softmax); },
                 [&](const Quantize&) { return export_quantize(node); },
                 [&](const Dequantize&) { return export_dequantize(node); }},
      op);
}

Status export_leaky_relu(ExportNode& node, const LeakyRelu& op) {
  const Perm axes = node.held_axes(0);
  set_attribute(node.add("LeakyRelu", {node.input(0, axes)}), "alpha", op.alpha);
  return node.finish(axes);
}

Status export_hard_sigmoid(ExportNode& node, const HardSigmoid& op) {
  const Perm axes = node.held_axes(0);
  onnx::NodeProto& proto = node.add("HardSigmoid", {node.input(0, axes)});
  set_attribute(proto, "alpha", op.alpha);
  set_attribute(proto, "beta", op.beta);
  return node.finish(axes);
}

// --- ExportNode.

Perm ExportNode::held_axes(size_t input) const {
  const ValueId id = exporter_.resolved(node_.inputs[input]);
  const size_t rank = exporter_.graph_.type(id).shape.size();
  if (exporter_.graph_.is_constant(id)) return identity_perm(rank);
  const auto& held = exporter_.held_[static_cast<size_t>(id)];
  const Perm first = channels_first(rank);
  for (const auto& [axes, name] : held.tensors)
    if (axes == first) return axes;
  return held.tensors.empty() ? held.real_axes : held.tensors[0].first;
}

Perm ExportNode::common_axes(size_t rank) const {
  std::optional<Perm> common;
  for (size_t i = 0; i < node_.inputs.size(); ++i) {
    const ValueId id = exporter_.resolved(node_.inputs[i]);
    if (exporter_.graph_.is_constant(id)) continue;
    if (exporter_.graph_.type(id).shape.size() != rank) return identity_perm(rank);
    const Perm axes = held_axes(i);
    if (!common || axes == channels_first(rank)) common = axes;
  }
  return common.value_or(identity_perm(rank));
}

std::string ExportNode::flat_input(size_t input) {
  const ValueId id = exporter_.resolved(node_.inputs[input]);
  const Shape& extents = exporter_.graph_.type(id).shape;
  const auto& held = exporter_.held_[static_cast<size_t>(id)];
  for (const auto& [axes, name] : held.tensors)
    if (moves_only_unit_axes(axes, extents)) return name;
  if (held.is_input && moves_only_unit_axes(held.real_axes, extents))
    return exporter_.operand(id, held.real_axes);
  return exporter_.operand(id, identity_perm(extents.size()));
}

std::string ExportNode::input(size_t input, const Perm& axes) {
  return exporter_.operand(node_.inputs[input], axes);
}

std::string ExportNode::input(size_t input, const Perm& axes, size_t rank) {
  const ValueId id = exporter_.resolved(node_.inputs[input]);
  if (exporter_.graph_.is_constant(id)) return exporter_.constant_value(id, axes, rank);
  // Of lower rank only where all are in the order of the graph, which ONNX's broadcast takes.
  const size_t own = exporter_.graph_.type(id).shape.size();
  return exporter_.operand(id, own == rank ? axes : identity_perm(own));
}

std::string ExportNode::bias(size_t input, size_t filter) {
  const ValueId weight = exporter_.resolved(node_.inputs[filter]);
  return exporter_.bias(exporter_.resolved(node_.inputs[input]), type(0),
                        exporter_.graph_.type(weight));
}

std::string ExportNode::floats(const std::string& suffix, const Shape& shape,
                               std::span<const float> elems) {
  return exporter_.add_floats(exporter_.fresh_name(node_.name + "_" + suffix), shape, elems);
}

std::string ExportNode::integers(const std::string& suffix, std::span<const int64_t> elems) {
  return exporter_.add_integers(exporter_.fresh_name(node_.name + "_" + suffix), elems);
}

onnx::NodeProto& ExportNode::add(const std::string& op_type,
                                 const std::vector<std::string>& inputs) {
  const bool is_first = last_.empty();
  last_ = exporter_.fresh_name(exporter_.graph_.value(node_.outputs[0]).name + "_real");
  return exporter_.add_node(op_type, is_first ? node_.name : last_, inputs, last_);
}

void ExportNode::name_result() {
  last_ = exporter_.take_name(exporter_.graph_.value(node_.outputs[0]).name, "_real");
  exporter_.file_.mutable_node()->rbegin()->set_output(0, last_);
}

std::string ExportNode::rows(const std::string& tensor, const Shape& shape) {
  const ValueId src = node_.inputs[0];
  add("Reshape", {tensor, integers("rows", shape)});
  return type(0).quant ? exporter_.quantized(last_, src) : last_;
}

Status ExportNode::finish_rows() {
  const ValueId dst = node_.outputs[0];
  const Bounds* act = activation_of(node_.op);
  name_result();
  std::string result = exporter_.limited(last_, dst, act ? *act : Bounds{}, false);
  if (out_type().quant) result = exporter_.quantized(result, dst);
  add("Reshape", {result, integers("shape", out_type().shape)});
  exporter_.hold(dst, last_, identity_perm(out_type().shape.size()), {}, true);
  return {};
}

Status ExportNode::finish(const Perm& axes) {
  name_result();
  return finish(last_, axes);
}

Status ExportNode::finish(const std::string& real, const Perm& axes) {
  const Bounds* act = activation_of(node_.op);
  bool in_range = quant_rule(node_.op).output == QuantRule::Output::kSameAsInput ||
                  std::holds_alternative<Concat>(node_.op) ||
                  std::holds_alternative<Clamp>(node_.op);
  for (size_t i = 0; i < node_.inputs.size() && in_range; ++i)
    in_range = type(i).quant == out_type().quant;
  exporter_.hold(node_.outputs[0], real, axes, act ? *act : Bounds{}, in_range);
  return {};
}

Status ExportNode::alias(size_t input, const Perm& perm) {
  const ValueId src = exporter_.resolved(node_.inputs[input]), dst = node_.outputs[0];
  const bool dequantizes = std::holds_alternative<Dequantize>(node_.op);
  if (exporter_.graph_.is_constant(src) && dequantizes) {
    exporter_.stands_for_[static_cast<size_t>(dst)] = src;
    return {};
  }
  const Perm back = inverse(perm);
  if (exporter_.graph_.is_constant(src) ||
      (!dequantizes && type(input).quant != out_type().quant)) {
    const Perm axes = held_axes(input);
    return finish(exporter_.operand(src, axes), permuted(back, axes));
  }
  // A real value is one tensor; an input's lazy quantization would make it the unquantized one.
  if (dequantizes) exporter_.operand(src, held_axes(input));
  auto& to = exporter_.held_[static_cast<size_t>(dst)];
  to = exporter_.held_[static_cast<size_t>(src)];
  if (dequantizes) to.is_input = false;
  to.real_axes = permuted(back, to.real_axes);
  for (auto& [axes, name] : to.tensors) axes = permuted(back, axes);
  return {};
}

bool ExportNode::hold_input() {
  const auto& src = exporter_.held_[static_cast<size_t>(node_.inputs[0])];
  if (!src.is_input || type(0).dtype != DType::kF32) return false;
  exporter_.held_[static_cast<size_t>(node_.outputs[0])] = {src.real, src.real_axes, true, {}};
  return true;
}

Error ExportNode::error(const std::string& why) const {
  return input_error(fmt::format("'{}' cannot be written as ONNX: node '{}' ({}): {}",
                                 exporter_.graph_.name, node_.name, op_name(node_.op), why));
}

// --- Attributes.

namespace {

onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

}  // namespace

void set_attribute(onnx::NodeProto& node, const std::string& name, int64_t value) {
  add_attribute(node, name, onnx::AttributeProto::INT).set_i(value);
}

void set_attribute(onnx::NodeProto& node, const std::string& name, float value) {
  add_attribute(node, name, onnx::AttributeProto::FLOAT).set_f(value);
}

void set_attribute(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  add_attribute(node, name, onnx::AttributeProto::STRING).set_s(value);
}

void set_attribute(onnx::NodeProto& node, const std::string& name,
                   const std::vector<int64_t>& values) {
  auto& attribute = add_attribute(node, name, onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}

}  // namespace nibble
