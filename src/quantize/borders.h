// Between nodes of integers and nodes that stay float. Inside quantize/ only.
#pragma once

#include "graph/graph.h"

namespace nibble {

// Nodes that stay float (Node::keep_float) read an integer value through one dequantize, all of
// them together, and write one through a quantize. The integer value keeps the name.
void insert_borders(Graph& graph);

}  // namespace nibble
