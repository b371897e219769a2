// The arithmetic of certify: sums over all inputs of a range, and the error of fixed-point factors.
// Inside quantize/ only.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "quantize/certify.h"

namespace nibble {

struct IntegerRange {
  int64_t min = 0, max = 0;
  IntegerRange with(int64_t value) const;
  IntegerRange joined(IntegerRange other) const;
  IntegerRange clamped(IntegerRange to) const;
  int64_t reach() const;  // max |value|
  bool operator==(const IntegerRange&) const = default;
};

// Bits of the smallest two's complement integer that holds the range.
int bits_for(IntegerRange range);

// One output channel of a layer with weights: sum of w (q - z) + bias.
struct ChannelSums {
  IntegerRange finished, partial;  // as AccumulatorBound says
};
// `inputs`: the values q that the layer reads. `padded`: taps may be missing, as if q = z. A filter
// element is (q - zero_point) * group factor. `bias`: one per channel, or empty.
std::vector<ChannelSums> channel_sums(const Tensor& filter, int channel_axis, IntegerRange inputs,
                                      int64_t zero_point, bool padded,
                                      const std::vector<int64_t>& bias);

// A factor as kernels/common/requant.h has it, and what its rounding is called there.
struct FixedFactor {
  int64_t multiplier = 0;
  int exponent = 0;
  int32_t rounding = 0;  // NIBBLE_ROUNDING_...
  // multiplier * 2^(exponent - 31), for `reduced` 2^(exponent - 15).
  double value() const;
  // The most that rounding adds to acc * value():
  //   tflite with exponent e < 0: two roundings, 1/2 + 2^e / 2; all others: one, 1/2.
  double rounding_steps() const;
};
// The most that clamp(fixed(acc)) is away from clamp(acc * factor), |acc| <= acc_reach, both clamps
// to magnitudes of at most out_reach: |value / factor - 1| min(acc_reach factor, out_reach) and the
// rounding.
RescalingBound rescaling_bound(double factor, const FixedFactor& fixed, double acc_reach,
                               double out_reach);

}  // namespace nibble
