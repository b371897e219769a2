// A node whose operands are all constants becomes a constant, computed by its operator's own
// reference. A dequantize is left alone: fold_qdq may still need the integers behind it (see
// fold_dequantized_constants).
#include <algorithm>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// What grows beyond this (a broadcast, a resize) is cheaper to compute than to store.
constexpr int64_t kMaxFoldedElems = int64_t{1} << 24;

bool foldable(const View& view, const Node& node) {
  if (node.inputs.empty() || node.outputs.size() != 1 || view.is_output(node.outputs[0]))
    return false;
  for (ValueId id : node.inputs)
    if (id != kNoValue && !view.constant(id)) return false;
  const TensorType& out = view.type(node.outputs[0]);
  // Indices and shapes are no business of the references; readers have folded them.
  if (!is_float(out) && !out.quant) return false;
  return elem_count(out.shape) <= kMaxFoldedElems;
}

bool fold(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (!foldable(view, node)) return false;
  std::vector<const Tensor*> operands;
  for (ValueId id : node.inputs) operands.push_back(view.constant(id));
  std::vector<Tensor> results = run_node(view.graph(), node, operands);
  ValueId dst = node.outputs[0];
  NIBBLE_CHECK(results.size() == 1 && results[0].type() == view.type(dst), "folding '{}'",
               node.name);
  const std::string name = view.graph().value(dst).name;
  patch.remove_node(index);
  patch.replace_uses(dst, patch.add_constant(name, std::move(results[0])));
  return true;
}

bool fold_node(const View& view, int index, Patch& patch) {
  return !view.op_as<Dequantize>(index) && fold(view, index, patch);
}

bool fold_dequantize(const View& view, int index, Patch& patch) {
  return view.op_as<Dequantize>(index) && fold(view, index, patch);
}

}  // namespace

int fold_constants(Graph& graph) { return rewrite(graph, {fold_node}); }

// Runs late: what is dequantized now belongs to an operator that stays in float.
int fold_dequantized_constants(Graph& graph) { return rewrite(graph, {fold_dequantize}); }

}  // namespace nibble
