// Random layers of every kernel, many in one graph, each with an input and an output of its own.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "support/layer.h"

namespace nibble {

// Draws a layer of one operator; an error: what was drawn is none.
struct LayerFamily {
  std::string name;
  std::function<Result<Layer>(Rng&)> draw;
  int per_graph = 50;  // so many at most, that their inputs and outputs fit every board
};

inline void PrintTo(const LayerFamily& family, std::ostream* out) { *out << family.name; }

// All operators and forms that have kernels of their own.
const std::vector<LayerFamily>& layer_families();

// NIBBLE_RANDOM_LAYERS: how many a test tries; `by_default` where it is not set.
int random_layers_wanted(int by_default);

// Adds `count` layers of the family to `all`, of whose rounding they are.
void add_layers(const LayerFamily& family, int count, Rng& rng, Graph& all);
// `count` layers of one family.
Graph draw_layers(const LayerFamily& family, int count, uint64_t seed, Rounding rounding);

}  // namespace nibble
