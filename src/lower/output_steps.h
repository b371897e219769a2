// Where a layer's output steps: the accumulators at which a channel's rescaling reaches each value.
// Rescaling does not decrease with the accumulator, so two ways of it are equal on all accumulators
// that can occur if they reach every value at the same one; the searches for cheaper ways of the
// instruction sets rest on that.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lower/variant.h"

namespace nibble {

// The values that an accumulator can take, bias included, both ends.
struct AccumulatorRange {
  int64_t low = 0, high = 0;

  // With the product of a weight and any s8 element less its zero point.
  void add_product(int64_t weight, int in_zero);
};

// Of each channel, `filter` holding the channels one after the other: for all inputs, with any of
// the products left out.
std::vector<AccumulatorRange> accumulator_ranges(std::span<const int8_t> filter,
                                                 std::span<const int32_t> bias, size_t channels,
                                                 int in_zero);

// How the layer rescales a channel (kernels/common/requant.h).
struct ChannelRescale {
  int32_t multiplier = 0;
  int exponent = 0;
  int rounding = 0;
  int zero = 0, low = -128, high = 127;  // low and high clamp

  static ChannelRescale of(const LayerView& layer, size_t channel);
  int output(int64_t acc) const;
};

// The least accumulator of `range` whose output is at least `value`; the output at range.low must
// be less, that at range.high must not.
int64_t least_reaching(const ChannelRescale& rescale, AccumulatorRange range, int value);

struct OutputSteps {
  int first = 0, last = 0;  // the outputs at both ends of the range
  std::vector<int64_t> at;  // at[i]: the least accumulator of output first + 1 + i
};

OutputSteps output_steps(const ChannelRescale& rescale, AccumulatorRange range);

}  // namespace nibble
