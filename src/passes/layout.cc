// NCHW to NHWC: transposes sink towards the outputs, below every operator that can compute in the
// other order of axes, until they meet their inverse and vanish:
//   f(transpose(x)) = transpose(f'(x))      transpose(transpose(x, p), p^-1) = x
// A transpose that moves nothing but axes of extent 1 becomes a reshape. In front of a dense layer
// the columns of the filter are permuted instead. absorb_transposes does what remains at the inputs
// and outputs.
#include <algorithm>
#include <numeric>

#include "passes/list.h"
#include "passes/reshape_blocks.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// The permutation that a value went through last, and the value before it.
struct Source {
  ValueId value = kNoValue;
  Perm perm;
};

std::optional<Source> transpose_source(const View& view, ValueId id) {
  const auto* transpose = view.writer_as<Transpose>(id);
  if (!transpose) return std::nullopt;
  return Source{view.node(view.writer(id)).inputs[0], transpose->perm};
}

// --- Transposes among themselves.

bool merge(const View& view, int index, Patch& patch) {
  const auto* transpose = view.op_as<Transpose>(index);
  if (!transpose) return false;
  auto source = transpose_source(view, view.node(index).inputs[0]);
  if (!source) return false;
  patch.replace_node(index, Transpose{composed(source->perm, transpose->perm)}, {source->value});
  return true;
}

bool remove_identity(const View& view, int index, Patch& patch) {
  const auto* transpose = view.op_as<Transpose>(index);
  return transpose && is_identity(transpose->perm) && bypass(view, index, patch);
}

bool to_reshape(const View& view, int index, Patch& patch) {
  const auto* transpose = view.op_as<Transpose>(index);
  if (!transpose) return false;
  const Node& node = view.node(index);
  const TensorType& src = view.type(node.inputs[0]);
  if (src.quant && !src.quant->per_tensor()) return false;
  if (!moves_only_unit_axes(transpose->perm, src.shape)) return false;
  patch.replace_node(index, Reshape{view.shape(node.outputs[0])}, {node.inputs[0]});
  return true;
}

// Two transposes of one value by one permutation are one.
bool share(const View& view, int index, Patch& patch) {
  const auto* transpose = view.op_as<Transpose>(index);
  if (!transpose) return false;
  const Node& node = view.node(index);
  for (int reader : view.readers(node.inputs[0])) {
    const auto* other = view.op_as<Transpose>(reader);
    if (!other || reader >= index || other->perm != transpose->perm) continue;
    ValueId to = view.node(reader).outputs[0];
    if (view.type(to) != view.type(node.outputs[0]) || !may_replace(view, node.outputs[0], to))
      continue;
    patch.remove_node(index);
    patch.replace_uses(node.outputs[0], to);
    return true;
  }
  return false;
}

// --- Sinking.

// The node computes `op` on `inputs`, in the order of axes before the transpose `perm`, which
// follows it now.
bool sink(const View& view, int index, Op op, std::vector<ValueId> inputs, const Perm& perm,
          Patch& patch) {
  const ValueId dst = view.node(index).outputs[0];
  const TensorType old = view.type(dst);
  const std::string name = view.node(index).name;
  patch.replace_node(index, std::move(op), std::move(inputs));
  patch.set_type(dst, transposed(old, inverse(perm)));
  ValueId turned = patch.add_value(name + "_transpose", old);
  patch.add_node(Transpose{perm}, name + "_transpose", {dst}, {turned});
  patch.replace_uses(dst, turned);
  return true;
}

// The operator on the source's order of axes: attribute j speaks of the source's axis j.
std::optional<Op> with_axes(const Op& op, const Perm& perm) {
  const Perm back = inverse(perm);
  if (const auto* pad = std::get_if<Pad>(&op))
    return Pad{permuted(pad->before, back), permuted(pad->after, back), pad->value};
  if (const auto* slice = std::get_if<Slice>(&op))
    return Slice{permuted(slice->begin, back), permuted(slice->extent, back),
                 permuted(slice->step, back)};
  bool keeps_last = !perm.empty() && perm.back() == static_cast<int64_t>(perm.size()) - 1;
  bool innermost = std::holds_alternative<Softmax>(op) || std::holds_alternative<BatchNorm>(op) ||
                   std::holds_alternative<Dense>(op);
  if (innermost && keeps_last) return op;
  return std::nullopt;
}

bool sink_unary(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  // A dequantize stays behind the transpose, which moves bytes instead of floats; fold_qdq puts it
  // there.
  if (node.inputs.empty() || view.op_as<Dequantize>(index)) return false;
  auto source = transpose_source(view, node.inputs[0]);
  if (!source) return false;
  std::optional<Op> op =
      is_elementwise(view, node) ? std::optional<Op>(node.op) : with_axes(node.op, source->perm);
  if (!op) return false;
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = source->value;
  return sink(view, index, std::move(*op), std::move(inputs), source->perm, patch);
}

bool sink_mean(const View& view, int index, Patch& patch) {
  const auto* mean = view.op_as<Mean>(index);
  if (!mean) return false;
  auto source = transpose_source(view, view.node(index).inputs[0]);
  if (!source) return false;
  Mean op{permuted(source->perm, mean->axes), mean->keep_dims};
  std::sort(op.axes.begin(), op.axes.end());
  Perm perm = source->perm;
  if (!mean->keep_dims) {
    // Axes that are left, by their places among the axes that are left.
    Perm left;
    for (size_t i = 0; i < perm.size(); ++i)
      if (!std::count(mean->axes.begin(), mean->axes.end(), static_cast<int64_t>(i)))
        left.push_back(perm[i]);
    perm.clear();
    for (int64_t axis : left)
      perm.push_back(
          std::count_if(left.begin(), left.end(), [&](int64_t other) { return other < axis; }));
  }
  return sink(view, index, std::move(op), {source->value}, perm, patch);
}

// A constant of lower or the same rank, in the order of axes before `perm`.
Tensor constant_before(Tensor constant, const Perm& perm) {
  Shape shape = constant.shape();
  shape.insert(shape.begin(), perm.size() - shape.size(), 1);
  constant.reshape(shape);
  return transposed(constant, inverse(perm));
}

bool sink_concat(const View& view, int index, Patch& patch) {
  const auto* concat = view.op_as<Concat>(index);
  if (!concat) return false;
  const Node& node = view.node(index);
  std::optional<Perm> perm;
  for (ValueId id : node.inputs) {
    auto source = transpose_source(view, id);
    if (source && perm && *perm != source->perm) return false;
    if (!source && !view.constant(id)) return false;
    if (source) perm = source->perm;
  }
  if (!perm) return false;
  const std::vector<ValueId> operands = node.inputs;
  const Concat op{(*perm)[static_cast<size_t>(concat->axis)]};
  std::vector<ValueId> inputs;
  for (ValueId id : operands) {
    auto source = transpose_source(view, id);
    inputs.push_back(source ? source->value
                            : patch.add_constant(view.graph().value(id).name,
                                                 constant_before(*view.constant(id), *perm)));
  }
  return sink(view, index, op, std::move(inputs), *perm, patch);
}

// How the other operand of a binary operator can be had in the order of axes before `perm`.
enum class Other { kNo, kTransposed, kConstant, kScalar, kReshaped };

Other other_operand(const View& view, ValueId id, const Perm& perm) {
  const Shape& shape = view.shape(id);
  if (auto source = transpose_source(view, id))
    return source->perm == perm ? Other::kTransposed : Other::kNo;
  if (shape.size() > perm.size()) return Other::kNo;
  const auto& quant = view.type(id).quant;
  if (quant && !quant->per_tensor()) return Other::kNo;
  if (view.constant(id)) return elem_count(shape) == 1 ? Other::kScalar : Other::kConstant;
  Shape full = shape;
  full.insert(full.begin(), perm.size() - shape.size(), 1);
  return moves_only_unit_axes(inverse(perm), full) ? Other::kReshaped : Other::kNo;
}

bool sink_binary(const View& view, int index, Patch& patch) {
  if (!view.op_as<Add>(index) && !view.op_as<Sub>(index) && !view.op_as<Mul>(index)) return false;
  const std::vector<ValueId> operands = view.node(index).inputs;
  auto source = transpose_source(view, operands[0]);
  if (!source) source = transpose_source(view, operands[1]);
  if (!source || view.shape(view.node(index).outputs[0]).size() != source->perm.size())
    return false;
  const Perm& perm = source->perm;
  for (ValueId id : operands)
    if (other_operand(view, id, perm) == Other::kNo) return false;
  std::vector<ValueId> inputs;
  for (ValueId id : operands) {
    const std::string name = view.graph().value(id).name;
    switch (other_operand(view, id, perm)) {
      case Other::kTransposed:
        inputs.push_back(transpose_source(view, id)->value);
        break;
      case Other::kConstant:
        inputs.push_back(patch.add_constant(name, constant_before(*view.constant(id), perm)));
        break;
      case Other::kReshaped: {
        TensorType type = view.type(id);
        type.shape.insert(type.shape.begin(), perm.size() - type.shape.size(), 1);
        type.shape = permuted(type.shape, inverse(perm));
        ValueId reshaped = patch.add_value(name + "_reshape", type);
        patch.add_node(Reshape{type.shape}, name + "_reshape", {id}, {reshaped});
        inputs.push_back(reshaped);
        break;
      }
      default:
        inputs.push_back(id);
    }
  }
  return sink(view, index, view.node(index).op, std::move(inputs), perm, patch);
}

// A reshape that splits axes, merges axes that were neighbours in x, or adds and removes axes of
// extent 1:
//   reshape(transpose(x, perm)) = transpose(reshape'(x), perm')
// where reshape' does the same to x and puts new axes of extent 1 first.
bool sink_reshape(const View& view, int index, Patch& patch) {
  if (!view.op_as<Reshape>(index)) return false;
  const Node& node = view.node(index);
  auto source = transpose_source(view, node.inputs[0]);
  if (!source) return false;
  const Shape& after = view.shape(node.outputs[0]);
  auto blocks = reshape_blocks(view.shape(node.inputs[0]), after);
  // Where each block starts in x; its axes must follow one another there as they do here.
  std::vector<std::pair<int64_t, const AxisBlock*>> places;
  for (const AxisBlock& block : blocks) {
    std::vector<int64_t> axes = permuted(source->perm, block.before);
    for (size_t k = 1; k < axes.size(); ++k)
      for (int64_t axis = axes[k - 1] + 1; axis != axes[k]; ++axis)
        if (axis > axes[k] || view.shape(source->value)[static_cast<size_t>(axis)] != 1)
          return false;
    places.emplace_back(axes[0], &block);
  }
  if (places.empty()) return false;
  std::sort(places.begin(), places.end());

  std::vector<int64_t> order;  // axes of `after` in the order of reshape'
  for (size_t i = 0; i < after.size(); ++i)
    if (after[i] == 1) order.push_back(static_cast<int64_t>(i));
  for (const auto& [place, block] : places)
    order.insert(order.end(), block->after.begin(), block->after.end());
  return sink(view, index, Reshape{permuted(after, order)}, {source->value}, inverse(order), patch);
}

// --- In front of a dense layer.

// Walks from the operand of a dense layer up to a transpose, through what neither mixes nor
// reorders elements: reshapes and operators that work element by element. `path` receives the nodes
// in between, nearest to the dense layer first.
int transpose_above(const View& view, int dense, std::vector<int>& path) {
  ValueId value = view.node(dense).inputs[0];
  for (int reader = dense;;) {
    const int writer = view.writer(value);
    if (writer < 0 || view.only_reader(value) != reader) return -1;
    const Node& node = view.node(writer);
    if (std::holds_alternative<Transpose>(node.op)) return writer;
    if (!std::holds_alternative<Reshape>(node.op) && !is_elementwise(view, node)) return -1;
    path.push_back(writer);
    value = node.inputs[0];
    reader = writer;
  }
}

// dense(flatten(transpose(x)), w) = dense(flatten(x), w'), w' with its columns permuted.
bool permute_columns(const View& view, int index, Patch& patch) {
  if (!view.op_as<Dense>(index)) return false;
  const Node& node = view.node(index);
  const Tensor* filter = view.constant(node.inputs[1]);
  if (!filter || (filter->type().quant && filter->type().quant->axis == 1)) return false;
  std::vector<int> path;
  const int turn = transpose_above(view, index, path);
  if (turn < 0) return false;
  const Node& transpose = view.node(turn);
  const ValueId src = transpose.inputs[0];
  const int64_t columns = filter->shape()[1];
  // Only a flattened whole: otherwise rows of different positions share the columns.
  if (elem_count(view.shape(src)) != columns) return false;

  // Column k of the filter belongs to element k of the transposed value; bring them into the
  // source's order.
  Tensor turned = *filter;
  const int64_t rows = filter->shape()[0];
  Shape unflattened = view.shape(transpose.outputs[0]);
  unflattened.insert(unflattened.begin(), rows);
  Perm back = {0};
  for (int64_t axis : inverse(std::get<Transpose>(transpose.op).perm)) back.push_back(axis + 1);
  turned.reshape(unflattened);
  turned = transposed(turned, back);
  turned.reshape({rows, columns});

  const std::string name = view.graph().value(node.inputs[1]).name;
  std::vector<ValueId> inputs = node.inputs;
  const Op op = node.op;
  const Shape turned_shape = view.shape(transpose.outputs[0]);
  inputs[1] = patch.add_constant(name, std::move(turned));
  patch.replace_node(index, op, std::move(inputs));
  // The elements keep the source's order; a reshape gives them the shape that the next node knows.
  patch.replace_node(turn, Reshape{turned_shape}, {src});
  return true;
}

}  // namespace

int layout(Graph& graph) {
  return rewrite(graph, {remove_identity, merge, to_reshape, share, sink_unary, sink_mean,
                         sink_concat, sink_binary, sink_reshape, permute_columns});
}

}  // namespace nibble
