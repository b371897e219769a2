// Removes nodes whose results reach no output of the graph.
#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {

int remove_dead(Graph& graph) {
  std::vector<bool> live(graph.values.size(), false);
  for (const Port& port : graph.outputs) live[static_cast<size_t>(port.value)] = true;
  Patch patch(graph);
  int removed = 0;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    bool used = false;
    for (ValueId id : node.outputs) used = used || live[static_cast<size_t>(id)];
    if (!used) {
      patch.remove_node(static_cast<int>(i));
      ++removed;
      continue;
    }
    for (ValueId id : node.inputs)
      if (id != kNoValue) live[static_cast<size_t>(id)] = true;
  }
  if (removed > 0) patch.apply();
  return removed;
}

}  // namespace nibble
