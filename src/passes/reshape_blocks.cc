#include "passes/reshape_blocks.h"

namespace nibble {

std::vector<AxisBlock> reshape_blocks(const Shape& before, const Shape& after) {
  std::vector<AxisBlock> blocks;
  size_t from = 0, to = 0;
  auto skip_units = [](const Shape& shape, size_t& axis) {
    while (axis < shape.size() && shape[axis] == 1) ++axis;
    return axis < shape.size();
  };
  while (skip_units(before, from) && skip_units(after, to)) {
    AxisBlock block;
    int64_t left = 1, right = 1;
    do {
      // The smaller product takes the next axis; both are under 2^31, so products do not overflow.
      bool take_before = left <= right;
      const Shape& shape = take_before ? before : after;
      size_t& axis = take_before ? from : to;
      if (!skip_units(shape, axis)) return {};
      (take_before ? left : right) *= shape[axis];
      (take_before ? block.before : block.after).push_back(static_cast<int64_t>(axis++));
    } while (left != right);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace nibble
