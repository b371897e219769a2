// Removes nodes whose results reach no output of the graph.
#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {

int remove_dead(Graph& graph) { return drop_dead_nodes(graph); }

}  // namespace nibble
