// Sums of products in 16-bit lanes (lower/rvv/block_kernel.h): how a window is walked, and how many
// of its taps may be added up before the sum could leave 16 bits.
#pragma once

#include "lower/rvv/block_kernel.h"

namespace nibble {

// How the taps of a window are walked: `rows` times, `chunks` times `unrolled` bytes and then
// `rest`; or all rows in one.
struct Walk {
  bool rows_unrolled = false;
  int chunks = 0, unrolled = 0, rest = 0;
};

Walk walk_of(const VectorShape& shape);

// `taps` taps of straight code as partial sums of nearly equal length.
std::vector<int> partial_sums(int taps, int at_most);

}  // namespace nibble
