// Words of a layer list. Inside cost/npu/ only.
#pragma once

#include <string_view>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// "3x3", "96x96x1"; none is negative.
Result<Shape> extents(std::string_view text);

}  // namespace nibble
