// Which layers are learned together. Inside train/ only.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace nibble {

// Nodes [begin, end) of a graph in its order.
struct Block {
  size_t begin = 0, end = 0;
  std::vector<size_t> layers;  // nodes among them with weights
  // What nodes behind it, or the caller, read of what it writes; at least one.
  std::vector<ValueId> outputs;
};

// Whether the node multiplies an activation by integer weights.
bool has_weights(const Graph& graph, const Node& node);

// One block for each node with weights.
std::vector<Block> layer_blocks(const Graph& graph);

// The blocks of BRECQ (Li et al. 2021, section 3.2): the graph is cut wherever one activation alone
// leads on, so that a residual block is one block; a depthwise layer goes with the layer behind it.
// What only the caller reads does not lead on: a head of several is a block of its own where it
// starts from the activation that does. Parts without weights belong to no block, nor do those of
// which nothing is read.
std::vector<Block> residual_blocks(const Graph& graph);

}  // namespace nibble
