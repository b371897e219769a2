// The random integer networks of the chain's tests: a seed decides their size, shape and rounding.
#pragma once

#include "support/random_graph.h"

namespace nibble {

inline Graph random_integer_graph(uint64_t seed) {
  RandomGraphOptions options;
  options.integer = true;
  options.nodes = 4 + static_cast<int>(seed % 20);
  options.unfolded = seed % 3 != 0;
  options.dense_head = seed % 4 != 0;
  Graph graph = random_graph(seed, options);
  if (seed % 2) graph.rounding = Rounding::kSingle;
  return graph;
}

}  // namespace nibble
