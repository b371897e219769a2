// Transposes at the border move out of the graph: the input takes the order of axes that the graph
// works in, and Port::source_perm says how the file's data become that (likewise outputs). Runs
// late, when all transposes that cancel have done so.
#include <algorithm>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// The file's order behind a port whose value is transposed by `perm` once more.
Perm source_perm(const Port& port, const Perm& perm) {
  return port.source_perm.empty() ? perm : composed(port.source_perm, perm);
}

// Whether the operator computes the same in any order of axes.
bool is_agnostic(const View& view, const Node& node) {
  return is_elementwise(view, node) || std::holds_alternative<Add>(node.op) ||
         std::holds_alternative<Sub>(node.op) || std::holds_alternative<Mul>(node.op) ||
         std::holds_alternative<Pad>(node.op) || std::holds_alternative<Slice>(node.op) ||
         std::holds_alternative<Concat>(node.op);
}

bool to_channels_last(const Perm& perm) {
  return perm == Perm{0, 2, 3, 1} || perm == Perm{0, 2, 1};
}

// Axes whose extent is not 1.
std::vector<int64_t> wide_axes(const Shape& shape) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

// Whether a reshape only adds or removes axes of extent 1.
bool keeps_wide_axes(const Shape& before, const Shape& after) {
  auto from = wide_axes(before), to = wide_axes(after);
  return permuted(before, from) == permuted(after, to);
}

// The permutation of the input's axes that does what `transpose` does to `value`, which has the
// same axes but for those of extent 1: these go first. Nothing if the two do not correspond.
std::optional<Perm> perm_at_input(const Shape& input, const Shape& value, const Perm& transpose) {
  if (input.size() == value.size()) return transpose;
  auto from = wide_axes(input), to = wide_axes(value);
  if (from.size() != to.size()) return std::nullopt;
  Perm perm;
  for (size_t i = 0; i < input.size(); ++i)
    if (input[i] == 1) perm.push_back(static_cast<int64_t>(i));
  for (int64_t axis : transpose) {
    auto place = std::find(to.begin(), to.end(), axis);
    if (place != to.end()) perm.push_back(from[static_cast<size_t>(place - to.begin())]);
  }
  if (is_identity(perm)) return std::nullopt;
  return perm;
}

// The permutation to channels-last that some layer behind `id` wants, reached through operators
// that do not care.
std::optional<Perm> wanted_perm(const View& view, ValueId id) {
  std::vector<bool> seen(view.graph().values.size(), false);
  std::vector<ValueId> queue = {id};
  while (!queue.empty()) {
    ValueId value = queue.back();
    queue.pop_back();
    if (seen[static_cast<size_t>(value)]) continue;
    seen[static_cast<size_t>(value)] = true;
    for (int reader : view.readers(value)) {
      if (reader < 0) continue;
      const Node& node = view.node(reader);
      if (const auto* transpose = std::get_if<Transpose>(&node.op)) {
        if (!to_channels_last(transpose->perm)) continue;
        if (auto perm = perm_at_input(view.shape(id), view.shape(value), transpose->perm))
          return perm;
      }
      const Shape& out = view.shape(node.outputs[0]);
      bool through = std::holds_alternative<Reshape>(node.op)
                         ? keeps_wide_axes(view.shape(value), out)
                         : is_agnostic(view, node) && out.size() == view.shape(value).size();
      if (through) queue.push_back(node.outputs[0]);
    }
  }
  return std::nullopt;
}

// All readers of the input transpose it in the same way: they read the input itself.
std::optional<Perm> common_perm(const View& view, ValueId id) {
  std::optional<Perm> perm;
  for (int reader : view.readers(id)) {
    const auto* transpose = view.op_as<Transpose>(reader);
    if (!transpose || (perm && *perm != transpose->perm)) return std::nullopt;
    if (view.is_output(view.node(reader).outputs[0])) return std::nullopt;
    perm = transpose->perm;
  }
  return perm;
}

bool absorb_input(Graph& graph, size_t port_index) {
  View view(graph);
  const Port port = graph.inputs[port_index];
  auto perm = common_perm(view, port.value);
  // Otherwise the inverse transpose, put behind the new input, sinks to where the two cancel. Once
  // per input, so that this comes to an end.
  if (!perm && port.source_perm.empty()) perm = wanted_perm(view, port.value);
  if (!perm) return false;
  Patch patch(graph);
  const TensorType old = graph.type(port.value);
  const std::string name = graph.value(port.value).name;
  ValueId turned = patch.add_value(name, transposed(old, *perm));
  // The old value keeps its readers and is written by the inverse; transposes behind it cancel in
  // layout.
  patch.set_input(port_index, {turned, source_perm(port, *perm), port.source_u8});
  patch.add_node(Transpose{inverse(*perm)}, name + "_transpose", {turned}, {port.value});
  patch.apply();
  return true;
}

// A transpose in front of the dequantize that writes an output goes the same way.
bool absorb_before_dequantize(Graph& graph, size_t port_index) {
  View view(graph);
  const Port port = graph.outputs[port_index];
  if (!view.writer_as<Dequantize>(port.value) || view.readers(port.value).size() != 1) return false;
  const int dequantize = view.writer(port.value);
  const ValueId middle = view.node(dequantize).inputs[0];
  const auto* transpose = view.writer_as<Transpose>(middle);
  if (!transpose) return false;
  const Perm back = inverse(transpose->perm);
  Patch patch(graph);
  patch.replace_node(dequantize, Dequantize{}, {view.node(view.writer(middle)).inputs[0]});
  patch.set_type(port.value, transposed(view.type(port.value), back));
  patch.set_output(port_index, {port.value, source_perm(port, back), port.source_u8});
  patch.apply();
  return true;
}

bool absorb_output(Graph& graph, size_t port_index) {
  View view(graph);
  const Port port = graph.outputs[port_index];
  const auto* transpose = view.writer_as<Transpose>(port.value);
  if (!transpose) return false;
  ValueId src = view.node(view.writer(port.value)).inputs[0];
  if (!may_replace(view, port.value, src)) return false;
  Patch patch(graph);
  // value = transpose(src, perm), so src = transpose(value, perm^-1).
  patch.set_output(port_index, {src, source_perm(port, inverse(transpose->perm)), port.source_u8});
  if (view.only_reader(port.value) < 0 && view.readers(port.value).size() == 1)
    patch.remove_node(view.writer(port.value));
  patch.apply();
  return true;
}

}  // namespace

int absorb_transposes(Graph& graph) {
  int changes = 0;
  for (size_t i = 0; i < graph.inputs.size(); ++i) changes += absorb_input(graph, i);
  for (size_t i = 0; i < graph.outputs.size(); ++i)
    changes += absorb_output(graph, i) || absorb_before_dequantize(graph, i);
  if (changes > 0) drop_dead_nodes(graph);
  return changes;
}

}  // namespace nibble
