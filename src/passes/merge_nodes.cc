// Nodes that compute the same from the same operands become one, joins of joins one join, slices of
// slices one slice:
//   concat(concat(a, b), c) = concat(a, b, c) where the inner one has the parameters of the outer
//   slice(slice(x)) = slice(x)
#include <algorithm>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

struct EqualAttributes {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    if constexpr (std::is_same_v<T, std::monostate>) {
      return true;
    } else {
      // Visits the fields of both in step.
      std::vector<const void*> fields;
      a.attributes([&](const char*, const auto& field) { fields.push_back(&field); });
      size_t next = 0;
      bool equal = true;
      b.attributes([&](const char*, const auto& field) {
        using Field = std::decay_t<decltype(field)>;
        equal = equal && *static_cast<const Field*>(fields[next++]) == field;
      });
      return equal;
    }
  }
  template <class T, class U>
  bool operator()(const T&, const U&) const {
    return false;
  }
};

bool same_operands(const View& view, const Node& a, const Node& b) {
  if (a.inputs.size() != b.inputs.size()) return false;
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    if (a.inputs[i] == b.inputs[i]) continue;
    const Tensor *x = view.constant(a.inputs[i]), *y = view.constant(b.inputs[i]);
    if (!x || !y || *x != *y) return false;
  }
  return true;
}

// At the later of the two.
bool merge_equal(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (node.outputs.size() != 1) return false;
  const ValueId dst = node.outputs[0];
  for (int i = 0; i < index; ++i) {
    const Node& earlier = view.node(i);
    if (earlier.outputs.size() != 1 || earlier.op.index() != node.op.index() ||
        view.type(earlier.outputs[0]) != view.type(dst) || !same_operands(view, earlier, node) ||
        !std::visit(EqualAttributes{}, earlier.op, node.op) ||
        !may_replace(view, dst, earlier.outputs[0]))
      continue;
    patch.remove_node(index);
    patch.replace_uses(dst, earlier.outputs[0]);
    return true;
  }
  return false;
}

bool merge_concats(const View& view, int index, Patch& patch) {
  const auto* outer = view.op_as<Concat>(index);
  if (!outer) return false;
  const Node& node = view.node(index);
  std::vector<ValueId> inputs;
  for (ValueId id : node.inputs) {
    const auto* inner = view.writer_as<Concat>(id);
    if (inner && inner->axis == outer->axis && view.only_reader(id) == index &&
        view.type(id).quant == view.type(node.outputs[0]).quant) {
      const auto& parts = view.node(view.writer(id)).inputs;
      inputs.insert(inputs.end(), parts.begin(), parts.end());
    } else {
      inputs.push_back(id);
    }
  }
  if (inputs == node.inputs) return false;
  patch.replace_node(index, *outer, std::move(inputs));
  return true;
}

bool merge_slices(const View& view, int index, Patch& patch) {
  const auto* outer = view.op_as<Slice>(index);
  if (!outer) return false;
  const ValueId middle = view.node(index).inputs[0];
  const auto* inner = view.writer_as<Slice>(middle);
  if (!inner || view.type(middle).quant != view.type(view.node(index).outputs[0]).quant)
    return false;
  Slice op = *outer;
  for (size_t axis = 0; axis < op.begin.size(); ++axis) {
    op.begin[axis] = inner->begin[axis] + outer->begin[axis] * inner->step[axis];
    // A step of one element may be anything; both factors are bounded by the extents otherwise.
    op.step[axis] = op.extent[axis] == 1 ? 1 : outer->step[axis] * inner->step[axis];
  }
  patch.replace_node(index, std::move(op), {view.node(view.writer(middle)).inputs[0]});
  return true;
}

}  // namespace

int merge_nodes(Graph& graph) { return rewrite(graph, {merge_equal, merge_concats, merge_slices}); }

}  // namespace nibble
