// A pad by zeros over the image axes becomes padding of the window behind it (conv2d,
// depthwise_conv2d, and average pools that count their padding). For a max pool padding never wins,
// so it is legal only where the padded value cannot win either: nothing smaller comes in (and every
// window sees at least one real element, which the operator checks itself).
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

bool pads_image_only(const Pad& pad, const Shape& src) {
  if (src.size() != 4 || pad.before.size() != 4 || pad.after.size() != 4) return false;
  for (size_t axis : {size_t{0}, size_t{3}})
    if (pad.before[axis] != 0 || pad.after[axis] != 0) return false;
  for (size_t axis : {size_t{1}, size_t{2}})
    if (pad.before[axis] < 0 || pad.after[axis] < 0) return false;
  return true;
}

Window widened(Window window, const Pad& pad) {
  window.pad_top += pad.before[1];
  window.pad_bottom += pad.after[1];
  window.pad_left += pad.before[2];
  window.pad_right += pad.after[2];
  return window;
}

bool is_unpadded(const Window& window) {
  return window.pad_top == 0 && window.pad_left == 0 && window.pad_bottom == 0 &&
         window.pad_right == 0;
}

// The smallest real value that this value can hold.
float lower_bound(const View& view, ValueId id) {
  float bound = -std::numeric_limits<float>::infinity();
  const TensorType& type = view.type(id);
  if (type.quant && type.quant->per_tensor())
    bound =
        type.quant->scale[0] * static_cast<float>(type.quant->q_min - type.quant->zero_point[0]);
  const int writer = view.writer(id);
  if (writer < 0) return bound;
  const Node& node = view.node(writer);
  if (const Bounds* act = activation_of(node.op)) bound = std::max(bound, act->min);
  if (std::holds_alternative<Sigmoid>(node.op) || std::holds_alternative<Softmax>(node.op) ||
      std::holds_alternative<HardSigmoid>(node.op))
    bound = std::max(bound, 0.0f);
  return bound;
}

std::optional<Op> with_padding(const View& view, const Pad& pad, ValueId src, const Node& reader) {
  const bool zero = pad.value == 0;
  if (const auto* conv = std::get_if<Conv2d>(&reader.op); conv && zero) {
    Conv2d op = *conv;
    op.window = widened(op.window, pad);
    return op;
  }
  if (const auto* conv = std::get_if<DepthwiseConv2d>(&reader.op); conv && zero) {
    DepthwiseConv2d op = *conv;
    op.window = widened(op.window, pad);
    return op;
  }
  if (const auto* pool = std::get_if<AvgPool2d>(&reader.op);
      pool && zero && (pool->count_pad || is_unpadded(pool->window))) {
    AvgPool2d op = *pool;
    op.window = widened(op.window, pad);
    op.count_pad = true;
    return op;
  }
  if (const auto* pool = std::get_if<MaxPool2d>(&reader.op);
      pool && pad.value <= lower_bound(view, src)) {
    MaxPool2d op = *pool;
    op.window = widened(op.window, pad);
    return op;
  }
  return std::nullopt;
}

// At the reader: a pad with several readers goes into each of them and dies when none is left.
bool fuse(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  const auto* pad = view.writer_as<Pad>(node.inputs[0]);
  if (!pad) return false;
  const ValueId src = view.node(view.writer(node.inputs[0])).inputs[0];
  if (!pads_image_only(*pad, view.shape(src))) return false;
  if (view.type(src).quant != view.type(node.inputs[0]).quant) return false;
  auto op = with_padding(view, *pad, src, node);
  if (!op) return false;
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = src;
  // The operator may refuse so much padding (a pool whose window would see nothing else): keep the
  // pad then.
  std::vector<OperandInfo> operands;
  for (ValueId id : inputs)
    operands.push_back(id == kNoValue ? OperandInfo{}
                                      : OperandInfo{&view.type(id), view.constant(id)});
  auto inferred = infer_types(*op, operands);
  const TensorType& out = view.type(node.outputs[0]);
  if (!inferred.ok() || inferred->front().shape != out.shape) return false;
  if (out.quant && !integer_ok(*op, view.graph().rounding, operands, out)) return false;
  patch.replace_node(index, std::move(*op), std::move(inputs));
  return true;
}

// pad(pad(x)) by one value is one pad.
bool merge(const View& view, int index, Patch& patch) {
  const auto* pad = view.op_as<Pad>(index);
  if (!pad) return false;
  const ValueId middle = view.node(index).inputs[0];
  const auto* inner = view.writer_as<Pad>(middle);
  if (!inner || inner->value != pad->value || view.only_reader(middle) != index) return false;
  Pad op = *pad;
  for (size_t axis = 0; axis < op.before.size(); ++axis) {
    op.before[axis] += inner->before[axis];
    op.after[axis] += inner->after[axis];
  }
  patch.replace_node(index, std::move(op), {view.node(view.writer(middle)).inputs[0]});
  return true;
}

}  // namespace

int fuse_pads(Graph& graph) { return rewrite(graph, {merge, fuse}); }

}  // namespace nibble
