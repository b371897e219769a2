// A float input that is only quantized becomes an integer input with the parameters of that
// quantize, and a float output that is only dequantized becomes an integer output: whoever calls
// the compiled model has integers at hand, and the command line quantizes real data itself. It
// changes what the caller sees, so it is a choice (SimplifyOptions).
#include "passes/list.h"
#include "passes/qdq.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

bool integer_input(Graph& graph, const Port& port) {
  View view(graph);
  if (!is_float(view.type(port.value))) return false;
  const TensorType* type = nullptr;
  for (int reader : view.readers(port.value)) {
    if (!view.op_as<Quantize>(reader)) return false;
    const ValueId dst = view.node(reader).outputs[0];
    if (type && *type != view.type(dst)) return false;
    if (!may_replace(view, dst, port.value)) return false;
    type = &view.type(dst);
  }
  if (!type) return false;  // nothing reads it
  Patch patch(graph);
  const std::vector<int> readers = view.readers(port.value);
  patch.set_type(port.value, *type);
  for (int reader : readers) {
    patch.remove_node(reader);
    patch.replace_uses(view.node(reader).outputs[0], port.value);
  }
  patch.apply();
  return true;
}

bool integer_output(Graph& graph, size_t index) {
  View view(graph);
  const Port port = graph.outputs[index];
  const ValueId src = dequantized(view, port.value);
  if (src == kNoValue || view.is_input(src) || view.is_output(src) || view.constant(src))
    return false;
  Patch patch(graph);
  patch.set_output(index, {src, port.source_perm, port.source_u8});
  patch.apply();
  return true;
}

// A last operator whose result always has the same parameters (softmax) is computed on integers
// even where the file leaves it in float behind a dequantize.
bool fixed_output(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  if (node.outputs.size() != 1 || node.inputs.size() != 1) return false;
  const ValueId dst = node.outputs[0];
  const ValueId src = dequantized(view, node.inputs[0]);
  if (src == kNoValue || !view.is_output(dst) || view.readers(dst).size() != 1) return false;
  const TensorType real = view.type(dst);
  auto type = fixed_type(node.op, real.shape);
  OperandInfo operand{&view.type(src), nullptr};
  if (!type || !integer_ok(node.op, view.graph().rounding, {&operand, 1}, *type)) return false;
  const std::string name = node.name;
  patch.replace_node(index, node.op, {src});
  patch.set_type(dst, *type);
  ValueId dequantized_value = patch.add_value(name + "_dequantize", real);
  patch.add_node(Dequantize{}, name + "_dequantize", {dst}, {dequantized_value});
  patch.replace_uses(dst, dequantized_value);
  return true;
}

}  // namespace

int integer_ports(Graph& graph) {
  int changes = rewrite(graph, {fixed_output});
  const std::vector<Port> inputs = graph.inputs;
  for (size_t i = 0; i < inputs.size(); ++i) changes += integer_input(graph, graph.inputs[i]);
  for (size_t i = 0; i < graph.outputs.size(); ++i) changes += integer_output(graph, i);
  if (changes > 0) drop_dead_nodes(graph);
  return changes;
}

}  // namespace nibble
