// What every integer value of a graph can hold, element by element, whatever the input: interval
// arithmetic with the operators' own integer references, so that it is exact to the last rounding.
// Inside passes/ only.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// Every element of a value lies between the same elements of two tensors of its type.
struct ElementRange {
  Tensor min, max;
};

// One entry per value; absent for floats, for what holds indices and shapes, and for values of more
// than 2^26 elements. A graph input may hold everything that its element type does. Bounds of an
// operator are the tightest that bounds of its operands allow (each operand, and each element of an
// operand, taken as independent of all others); softmax, every operator this analysis does not
// know, and layers of more than 2^30 MACs are taken to give anything.
std::vector<std::optional<ElementRange>> element_ranges(const Graph& graph);

}  // namespace nibble
