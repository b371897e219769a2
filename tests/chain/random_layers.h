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
};

inline void PrintTo(const LayerFamily& family, std::ostream* out) { *out << family.name; }

// All operators and forms that have kernels of their own.
const std::vector<LayerFamily>& layer_families();

// Adds `count` layers of the family to `all`, of whose rounding they are.
void add_layers(const LayerFamily& family, int count, Rng& rng, Graph& all);
// `count` layers of one family.
Graph draw_layers(const LayerFamily& family, int count, uint64_t seed, Rounding rounding);

}  // namespace nibble
