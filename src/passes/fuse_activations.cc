// A clamp (relu, relu6, clip) becomes the fused activation of the operator that writes its operand,
// also through reshapes, transposes, slices and pads between them, which only move elements:
//   clamp(move(f(x))) = move(clamp(f(x)))
// On integers only where it is exact: the clamp keeps scale and zero point, so that both clamp the
// same steps.
#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// Padding by zeros is left as it is by a clamp that lets zero through.
bool moves_elements(const Op& op, const Bounds& act) {
  if (const auto* pad = std::get_if<Pad>(&op))
    return pad->value == 0 && act.min <= 0 && act.max >= 0;
  return std::holds_alternative<Reshape>(op) || std::holds_alternative<Transpose>(op) ||
         std::holds_alternative<Slice>(op);
}

bool fuse(const View& view, int index, Patch& patch) {
  const auto* clamp = view.op_as<Clamp>(index);
  if (!clamp) return false;
  const ValueId src = view.node(index).inputs[0], dst = view.node(index).outputs[0];
  if (view.type(src) != view.type(dst)) return false;

  ValueId value = src;
  for (int reader = index;;) {
    const int writer = view.writer(value);
    if (writer < 0 || view.only_reader(value) != reader) return false;
    const Node& node = view.node(writer);
    if (const Bounds* act = activation_of(node.op)) {
      // A clamp before this one may requantize; its bounds are in the steps of its own output then.
      Op op = node.op;
      *activation_of(op) = compose(*act, clamp->act);
      patch.replace_node(writer, std::move(op), node.inputs);
      patch.remove_node(index);
      patch.replace_uses(dst, src);
      return true;
    }
    if (!moves_elements(node.op, clamp->act)) return false;
    value = node.inputs[0];
    reader = writer;
  }
}

}  // namespace

int fuse_activations(Graph& graph) { return rewrite(graph, {fuse}); }

}  // namespace nibble
