// Removes nodes that give their operand through unchanged, and turns a mean over axes of extent 1
// into a reshape.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

bool all_zero(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 0; });
}

bool is_noop(const Transpose& op, const View&, const Node&) {
  for (size_t i = 0; i < op.perm.size(); ++i)
    if (op.perm[i] != static_cast<int64_t>(i)) return false;
  return true;
}
bool is_noop(const Slice& op, const View& view, const Node& node) {
  return all_zero(op.begin) && op.extent == view.shape(node.inputs[0]) &&
         std::all_of(op.step.begin(), op.step.end(), [](int64_t step) { return step == 1; });
}
bool is_noop(const Pad& op, const View&, const Node&) {
  return all_zero(op.before) && all_zero(op.after);
}
bool is_noop(const Concat&, const View&, const Node& node) { return node.inputs.size() == 1; }
bool is_noop(const Reshape&, const View& view, const Node& node) {
  return view.shape(node.inputs[0]) == view.shape(node.outputs[0]);
}
bool is_noop(const ResizeNearest&, const View& view, const Node& node) {
  return view.shape(node.inputs[0]) == view.shape(node.outputs[0]);
}
// Same types, so nothing is rounded; refused below where they differ.
bool is_noop(const Quantize&, const View&, const Node&) { return true; }

bool is_single_tap(int64_t k_h, int64_t k_w, const Window& window, const Bounds& act) {
  return k_h == 1 && k_w == 1 && window.stride_h == 1 && window.stride_w == 1 &&
         window.pad_top == 0 && window.pad_left == 0 && window.pad_bottom == 0 &&
         window.pad_right == 0 && act.none();
}
bool is_noop(const MaxPool2d& op, const View&, const Node&) {
  return is_single_tap(op.k_h, op.k_w, op.window, op.act);
}
bool is_noop(const AvgPool2d& op, const View&, const Node&) {
  return is_single_tap(op.k_h, op.k_w, op.window, op.act);
}

// Whether every value that the type can hold lies inside the bounds.
bool holds_all(const Bounds& act, const TensorType& type) {
  if (act.none()) return true;
  if (!type.quant || !type.quant->per_tensor()) return false;
  const QuantParams& quant = *type.quant;
  // As in the integer semantics of a clamp: bounds are rounded to steps first.
  auto step = [&](float bound) {
    return std::round(bound / quant.scale[0]) + static_cast<float>(quant.zero_point[0]);
  };
  return step(act.min) <= static_cast<float>(quant.q_min) &&
         step(act.max) >= static_cast<float>(quant.q_max);
}
bool is_noop(const Clamp& op, const View& view, const Node& node) {
  return holds_all(op.act, view.type(node.inputs[0]));
}

template <class T>
bool is_noop(const T&, const View&, const Node&) {
  return false;
}

bool remove_noop(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  bool noop = std::visit([&](const auto& op) { return is_noop(op, view, node); }, node.op);
  if (!noop || view.type(node.inputs[0]) != view.type(node.outputs[0])) return false;
  return bypass(view, index, patch);
}

bool mean_to_reshape(const View& view, int index, Patch& patch) {
  const auto* mean = view.op_as<Mean>(index);
  if (!mean) return false;
  const Node& node = view.node(index);
  const TensorType& src = view.type(node.inputs[0]);
  const TensorType& dst = view.type(node.outputs[0]);
  if (elem_count(src.shape) != elem_count(dst.shape) || src.quant != dst.quant) return false;
  patch.replace_node(index, Reshape{dst.shape}, {node.inputs[0]});
  return true;
}

}  // namespace

int remove_noops(Graph& graph) { return rewrite(graph, {remove_noop, mean_to_reshape}); }

}  // namespace nibble
