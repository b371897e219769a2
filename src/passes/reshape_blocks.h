// What a reshape does to axes, for the passes that move transposes past it. Inside passes/ only.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// Axes of a shape and the axes that a reshape makes of them: the smallest runs of equal products,
// axes of extent 1 left out on both sides.
struct AxisBlock {
  std::vector<int64_t> before, after;
};
std::vector<AxisBlock> reshape_blocks(const Shape& before, const Shape& after);

}  // namespace nibble
