// Images of one row, as 1-D convolutions make them, become images of one column, or the other way
// round: [N, 1, W, C] and [N, W, 1, C] are the same bytes. With T the exchange of the two axes, in
// shapes, filters and windows alike:
//   layer(x) = T(T(layer)(T(x)))
// No pass of simplify: kernels are faster on a row, bands of rows can go over a column alone.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

Window turned(const Window& window) {
  Window result;
  result.stride_h = window.stride_w, result.stride_w = window.stride_h;
  result.dilation_h = window.dilation_w, result.dilation_w = window.dilation_h;
  result.pad_top = window.pad_left, result.pad_left = window.pad_top;
  result.pad_bottom = window.pad_right, result.pad_right = window.pad_bottom;
  return result;
}

Shape turned(Shape shape) {
  std::swap(shape[1], shape[2]);
  return shape;
}

TensorType turned(TensorType type) {
  type.shape = turned(std::move(type.shape));
  return type;
}

// The same layer with rows for columns; nothing where it is no layer of windows.
std::optional<Op> turned(const Op& op) {
  if (const auto* conv = std::get_if<Conv2d>(&op))
    return Conv2d{turned(conv->window), conv->groups, conv->act};
  if (const auto* depthwise = std::get_if<DepthwiseConv2d>(&op))
    return DepthwiseConv2d{turned(depthwise->window), depthwise->act};
  if (const auto* pool = std::get_if<MaxPool2d>(&op))
    return MaxPool2d{pool->k_w, pool->k_h, turned(pool->window), pool->act};
  if (const auto* pool = std::get_if<AvgPool2d>(&op))
    return AvgPool2d{pool->k_w, pool->k_h, turned(pool->window), pool->count_pad, pool->act};
  return std::nullopt;
}

template <OneLine wanted>
bool turn(const View& view, int index, Patch& patch) {
  const Node node = view.node(index);
  std::optional<Op> op = turned(node.op);
  if (!op) return false;
  const TensorType src = view.type(node.inputs[0]), dst = view.type(node.outputs[0]);
  constexpr size_t kOne = wanted == OneLine::kColumn ? 1 : 2, kOther = 3 - kOne;
  if (src.shape[kOne] != 1 || src.shape[kOther] == 1 || dst.shape[kOne] != 1) return false;
  const bool has_filter = node.inputs.size() > 1;
  const Tensor* filter = has_filter ? view.constant(node.inputs[1]) : nullptr;
  if (has_filter && !filter) return false;
  std::vector<ValueId> inputs = node.inputs;
  if (filter)
    inputs[1] = patch.add_constant(view.graph().value(node.inputs[1]).name + "_turned",
                                   transposed(*filter, {0, 2, 1, 3}));
  inputs[0] = patch.add_value(node.name + "_src_turned", turned(src));
  patch.add_node(Reshape{turned(src.shape)}, node.name + "_src_turned", {node.inputs[0]},
                 {inputs[0]});
  patch.replace_node(index, std::move(*op), std::move(inputs));
  patch.set_type(node.outputs[0], turned(dst));
  const ValueId back = patch.add_value(node.name + "_turned", dst);
  patch.add_node(Reshape{dst.shape}, node.name + "_turned", {node.outputs[0]}, {back});
  patch.replace_uses(node.outputs[0], back);
  return true;
}

}  // namespace

int turn_lines(Graph& graph, OneLine wanted) {
  return wanted == OneLine::kRow ? rewrite(graph, {turn<OneLine::kRow>})
                                 : rewrite(graph, {turn<OneLine::kColumn>});
}

}  // namespace nibble
