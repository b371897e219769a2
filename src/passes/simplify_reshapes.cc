// Chains of reshapes become one, and reshapes sink below operators that work element by element, so
// that they stand between no layer and its activation and meet the next reshape:
//   reshape(reshape(x)) = reshape(x)      f(reshape(x)) = reshape(f(x))
//   reshape(x) + reshape(y) = reshape(x + y) for x and y of one shape
#include <algorithm>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

bool merge(const View& view, int index, Patch& patch) {
  const auto* reshape = view.op_as<Reshape>(index);
  if (!reshape) return false;
  ValueId src = view.node(index).inputs[0];
  if (!view.writer_as<Reshape>(src)) return false;
  patch.replace_node(index, *reshape, {view.node(view.writer(src)).inputs[0]});
  return true;
}

// The node computes on `inputs` in `shape`; a new reshape behind it gives the shape that its
// readers know.
void put_reshape_behind(const View& view, int index, Shape shape, std::vector<ValueId> inputs,
                        Patch& patch) {
  const Node& node = view.node(index);
  const ValueId dst = node.outputs[0];
  const TensorType old = view.type(dst);
  const std::string name = node.name;
  patch.replace_node(index, node.op, std::move(inputs));
  patch.set_type(dst, with_shape(old, std::move(shape)));
  ValueId reshaped = patch.add_value(name + "_reshape", old);
  patch.add_node(Reshape{old.shape}, name + "_reshape", {dst}, {reshaped});
  patch.replace_uses(dst, reshaped);
}

// The shape before the reshape that writes this value; null if no reshape does.
const Shape* shape_before(const View& view, ValueId id) {
  if (!view.writer_as<Reshape>(id)) return nullptr;
  return &view.shape(view.node(view.writer(id)).inputs[0]);
}

bool keeps_last_extent(const Shape& from, const Shape& to) {
  return !from.empty() && !to.empty() && from.back() == to.back();
}

bool sink_unary(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  bool batch_norm = view.op_as<BatchNorm>(index) != nullptr;
  // fold_qdq moves a dequantize the other way.
  if (view.op_as<Dequantize>(index)) return false;
  if (!batch_norm && !is_elementwise(view, node)) return false;
  const Shape* before = shape_before(view, node.inputs[0]);
  if (!before) return false;
  if (batch_norm && !keeps_last_extent(*before, view.shape(node.inputs[0]))) return false;
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = view.node(view.writer(inputs[0])).inputs[0];
  put_reshape_behind(view, index, *before, std::move(inputs), patch);
  return true;
}

// A constant that means the same against both shapes: one element, or one per innermost element.
bool fits_both(const Tensor& constant, const Shape& before, const Shape& after) {
  if (constant.size() == 1) return constant.shape().size() <= before.size();
  const Shape& shape = constant.shape();
  return keeps_last_extent(before, after) && constant.size() == shape.back() &&
         shape.back() == before.back() && shape.size() <= before.size();
}

bool sink_binary(const View& view, int index, Patch& patch) {
  if (!view.op_as<Add>(index) && !view.op_as<Sub>(index) && !view.op_as<Mul>(index)) return false;
  const Node& node = view.node(index);
  const Shape& out = view.shape(node.outputs[0]);
  const Shape* before = nullptr;
  std::vector<ValueId> inputs;
  for (ValueId id : node.inputs) {
    if (const Shape* shape = shape_before(view, id)) {
      if (view.shape(id) != out || (before && *before != *shape)) return false;
      before = shape;
      inputs.push_back(view.node(view.writer(id)).inputs[0]);
    } else if (view.constant(id)) {
      inputs.push_back(id);
    } else {
      return false;
    }
  }
  if (!before) return false;
  for (ValueId id : inputs)
    if (const Tensor* constant = view.constant(id); constant && !fits_both(*constant, *before, out))
      return false;
  put_reshape_behind(view, index, *before, std::move(inputs), patch);
  return true;
}

bool remove_noop(const View& view, int index, Patch& patch) {
  if (!view.op_as<Reshape>(index)) return false;
  const Node& node = view.node(index);
  if (view.type(node.inputs[0]) != view.type(node.outputs[0])) return false;
  return bypass(view, index, patch);
}

}  // namespace

int simplify_reshapes(Graph& graph) {
  return rewrite(graph, {remove_noop, merge, sink_unary, sink_binary});
}

}  // namespace nibble
