// Queries over a graph that every stage needs: who writes and who reads a value, what is unused.
#include "graph/ir.h"

namespace nibble {

std::string_view op_name(const Op& op) {
#define NIBBLE_OPERATOR_NAME(Type, name) , name
  static constexpr std::string_view kNames[] = {"none" NIBBLE_OPERATORS(NIBBLE_OPERATOR_NAME)};
#undef NIBBLE_OPERATOR_NAME
  return kNames[op.index()];
}

Bounds* activation_of(Op& op) {
  return std::visit(
      [](auto& typed) -> Bounds* {
        if constexpr (requires { typed.act; })
          return &typed.act;
        else
          return nullptr;
      },
      op);
}

const Bounds* activation_of(const Op& op) { return activation_of(const_cast<Op&>(op)); }

std::vector<int> producers(const Graph& graph) {
  std::vector<int> result(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId id : graph.nodes[i].outputs) result[static_cast<size_t>(id)] = static_cast<int>(i);
  return result;
}

std::vector<std::vector<int>> consumers(const Graph& graph) {
  std::vector<std::vector<int>> result(graph.values.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue) result[static_cast<size_t>(id)].push_back(static_cast<int>(i));
  for (const Port& port : graph.outputs) result[static_cast<size_t>(port.value)].push_back(-1);
  return result;
}

void drop_unused_values(Graph& graph) {
  std::vector<bool> used(graph.values.size(), false);
  auto mark = [&](ValueId id) {
    if (id != kNoValue) used[static_cast<size_t>(id)] = true;
  };
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) mark(id);
    for (ValueId id : node.outputs) mark(id);
  }
  for (const Port& port : graph.inputs) mark(port.value);
  for (const Port& port : graph.outputs) mark(port.value);

  std::vector<ValueId> renumbered(graph.values.size(), kNoValue);
  std::vector<Value> kept;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (!used[i]) continue;
    renumbered[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(kept);
  auto renumber = [&](ValueId& id) {
    if (id != kNoValue) id = renumbered[static_cast<size_t>(id)];
  };
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) renumber(id);
    for (ValueId& id : node.outputs) renumber(id);
  }
  for (Port& port : graph.inputs) renumber(port.value);
  for (Port& port : graph.outputs) renumber(port.value);
}

}  // namespace nibble
