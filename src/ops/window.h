// Sliding windows over an image axis: which taps lie inside. Inside ops/ only.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nibble {

// Taps first <= k < end of a window at `origin` lie inside [0, in); end <= first: none does.
struct TapRange {
  int64_t first = 0, end = 0;
  int64_t count() const { return std::max<int64_t>(end - first, 0); }
};

inline TapRange taps_inside(int64_t origin, int64_t in, int64_t k, int64_t dilation) {
  auto taps_to_cover = [&](int64_t distance) {
    return distance <= 0 ? 0 : (distance + dilation - 1) / dilation;
  };
  return {taps_to_cover(-origin), std::min(k, taps_to_cover(in - origin))};
}

}  // namespace nibble
