// In which order the values of a sample come: the model file's own layout or the graph's. Inside
// formats/ only.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

enum class Order { kGraph, kFile };

// The order of samples of these extents for a port of the shape `graph` whose axes are permuted by
// `perm` against the file (Port::source_perm). Errors: another number of values, or an order that
// cannot be told.
Result<Order> find_order(std::span<const int64_t> sample, const Shape& graph, const Perm& perm,
                         const std::string& file);

// Every sample from the file's order to the graph's. `samples` has a leading axis that counts them.
Tensor permute_samples(Tensor samples, const Shape& graph, const Perm& perm);

}  // namespace nibble
