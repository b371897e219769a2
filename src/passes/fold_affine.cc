// Additions, subtractions and multiplications by a constant per channel go into the weights and
// bias of the layer before them, or of the layers behind them where that is exact (affine.h has the
// equations). Float graphs only.
#include "passes/affine.h"
#include "passes/list.h"

namespace nibble {
namespace {

bool fold_before(const View& view, int index, Patch& patch) {
  auto affine = arithmetic_affine(view, index);
  return affine && fold_into_writer(view, index, *affine, patch);
}

bool fold_behind(const View& view, int index, Patch& patch) {
  auto affine = arithmetic_affine(view, index);
  return affine && fold_into_readers(view, index, *affine, patch);
}

// dense(x, w) + b where b is not constant yet (dequantized, say), but has one element per channel.
bool addend_as_bias(const View& view, int index, Patch& patch) {
  const auto* add = view.op_as<Add>(index);
  if (!add) return false;
  const Node& node = view.node(index);
  for (size_t side = 0; side < 2; ++side) {
    ValueId src = node.inputs[side], bias = node.inputs[1 - side];
    const int writer = view.writer(src);
    const Op* op = writer < 0 ? nullptr : &view.node(writer).op;
    if (!op || !(std::holds_alternative<Dense>(*op) || std::holds_alternative<Conv2d>(*op) ||
                 std::holds_alternative<DepthwiseConv2d>(*op)))
      continue;
    const Node& layer = view.node(writer);
    const Shape& out = view.shape(src);
    const auto* dequantize = view.writer_as<Dequantize>(bias);
    if (!dequantize || !view.constant(view.node(view.writer(bias)).inputs[0])) continue;
    bool has_bias = layer.inputs.size() > 2 && layer.inputs[2] != kNoValue;
    if (has_bias || view.only_reader(src) != index || !activation_of(*op)->none() ||
        !is_float(view.type(src)) || view.shape(node.outputs[0]) != out ||
        view.shape(bias) != Shape{out.back()})
      continue;
    Op with_act = *op;
    *activation_of(with_act) = add->act;
    patch.replace_node(writer, std::move(with_act), {layer.inputs[0], layer.inputs[1], bias});
    patch.remove_node(index);
    patch.replace_uses(node.outputs[0], src);
    return true;
  }
  return false;
}

}  // namespace

int fold_affine(Graph& graph) { return rewrite(graph, {fold_before, addend_as_bias, fold_behind}); }

}  // namespace nibble
