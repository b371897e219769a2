#include "lower/rvv/partial_sums.h"

#include <algorithm>

namespace nibble {
namespace {

constexpr int kMaxPartialSum = 64;  // taps; more gain nothing

// Instructions of a tap, about.
double tap_cost(const VectorShape& shape) {
  if (shape.depth > 0) return 6;
  return 2 * shape.pixels + (shape.padded ? 2.0 * shape.registers / 8 : 2) + 1;
}

// The partial sums of a whole window.
std::vector<int> all_partial_sums(const VectorShape& shape, int at_most) {
  Walk walk = walk_of(shape);
  if (walk.rows_unrolled) return partial_sums(shape.taps(), at_most);
  std::vector<int> all;
  for (int row = 0; row < shape.rows; ++row) {
    for (int chunk = 0; chunk < walk.chunks; ++chunk)
      std::ranges::copy(partial_sums(walk.unrolled, at_most), std::back_inserter(all));
    std::ranges::copy(partial_sums(walk.rest, at_most), std::back_inserter(all));
  }
  return all;
}

// Σ x w over -128 <= x <= 127 stays within 16 bits.
bool fit_16_bits(int64_t positive, int64_t negative) {
  return 127 * positive + 128 * negative <= INT16_MAX &&
         128 * positive + 127 * negative <= -int64_t{INT16_MIN};
}

bool partial_sums_fit(const VectorShape& shape, int at_most, const WindowWeight& weight) {
  std::vector<int> sizes = all_partial_sums(shape, at_most);
  for (int channel = 0; channel < shape.out_c; ++channel) {
    int byte = 0;
    for (int size : sizes) {
      int64_t positive = 0, negative = 0;
      for (int i = 0; i < size; ++i, ++byte) {
        int w = weight(channel, byte);
        (w > 0 ? positive : negative) += std::abs(w);
      }
      if (!fit_16_bits(positive, negative)) return false;
    }
  }
  return true;
}

// Partial sums of straight code of `taps` taps that runs at each of the window's bytes `starts`:
// each goes on as long as it fits for all channels and starts.
std::vector<int> longest_sums(const VectorShape& shape, int taps, const std::vector<int>& starts,
                              const WindowWeight& weight) {
  auto channels = static_cast<size_t>(shape.out_c);
  std::vector<int> sizes;
  std::vector<int64_t> positive, negative;
  for (int tap = 0; tap < taps; ++tap) {
    bool fits = !sizes.empty();
    if (tap == 0) positive.assign(channels * starts.size(), 0), negative = positive;
    for (bool again : {false, true}) {
      if (again && fits) break;
      if (again) {
        sizes.push_back(0);
        positive.assign(positive.size(), 0), negative = positive;
      }
      for (size_t i = 0; i < positive.size(); ++i) {
        int start = starts[i / channels];
        int w = weight(static_cast<int>(i % channels), start + tap);
        (w > 0 ? positive : negative)[i] += std::abs(w);
        fits = fits && fit_16_bits(positive[i], negative[i]);
      }
    }
    ++sizes.back();
  }
  return sizes;
}

}  // namespace

Walk walk_of(const VectorShape& shape) {
  Walk walk;
  int limit = std::max(8, static_cast<int>(shape.max_unrolled / tap_cost(shape)));
  if (shape.taps() <= limit) {
    walk.rows_unrolled = true;
    walk.rest = shape.taps();
    return walk;
  }
  if (shape.run <= limit) {
    walk.rest = shape.run;
    return walk;
  }
  int at_once = shape.padded ? 8 / shape.registers : 1;
  int times = (shape.run + limit - 1) / limit;
  walk.unrolled = ((shape.run + times - 1) / times + at_once - 1) / at_once * at_once;
  // A divisor of the run that is nearly as long leaves no rest.
  for (int u = walk.unrolled; u > walk.unrolled / 2; u -= at_once)
    if (shape.run % u == 0) {
      walk.unrolled = u;
      break;
    }
  walk.chunks = shape.run / walk.unrolled;
  walk.rest = shape.run % walk.unrolled;
  return walk;
}

std::vector<int> partial_sums(int taps, int at_most) {
  std::vector<int> sizes;
  int count = (taps + at_most - 1) / at_most;
  for (int i = 0; i < count; ++i) sizes.push_back(taps * (i + 1) / count - taps * i / count);
  return sizes;
}

void set_partial_sums(VectorShape& shape, const WindowWeight& weight) {
  shape.taps_in_16_bits = std::min(kMaxPartialSum, shape.taps());
  while (shape.taps_in_16_bits > 1 && !partial_sums_fit(shape, shape.taps_in_16_bits, weight))
    --shape.taps_in_16_bits;
}

bool set_longest_sums(VectorShape& shape, const WindowWeight& weight) {
  Walk walk = walk_of(shape);
  int rows = walk.rows_unrolled ? 1 : shape.rows, looped = walk.chunks * walk.unrolled;
  std::vector<int> chunks, rests;
  for (int row = 0; row < rows; ++row) {
    for (int chunk = 0; chunk < walk.chunks; ++chunk)
      chunks.push_back(row * shape.run + chunk * walk.unrolled);
    rests.push_back(row * shape.run + looped);
  }
  shape.loop_sums = longest_sums(shape, walk.unrolled, chunks, weight);
  shape.rest_sums = longest_sums(shape, walk.rest, rests, weight);
  auto uniform = [&](int taps) { return partial_sums(taps, shape.taps_in_16_bits).size(); };
  return shape.loop_sums.size() + shape.rest_sums.size() <
         uniform(walk.unrolled) + uniform(walk.rest);
}

}  // namespace nibble
