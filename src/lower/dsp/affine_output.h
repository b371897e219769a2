// One multiplication from accumulator to s8: out(acc) = floor((acc * 2^g + start) * scale / 2^48),
// saturated, equal to the layer's own rescaling for every accumulator that can occur.
//
// Both are non-decreasing in acc, so they are equal if they reach each output k at the same
// accumulator T_k: (T_k * 2^g + start) * scale >= k * 2^48 > ((T_k - 1) * 2^g + start) * scale.
// For one scale that is an interval of starts, max L_k <= start <= min L_k + 2^g - 1 with L_k =
// ceil(k * 2^48 / scale) - T_k * 2^g; the scale that leaves most room is searched. The two
// roundings of TensorFlow Lite put all T_k with k above the zero point on one line, those below on
// another, so a form exists mainly where a fused activation clamps at the zero point. The finer the
// accumulator (the larger g), the more often a start is found.
#pragma once

#include <cstdint>
#include <optional>

#include "lower/output_steps.h"

namespace nibble {

struct AffineOutput {
  int bits = 0;  // g
  int32_t start = 0;
  int32_t scale = 0;  // > 0
};

// For g in [least_bits, most_bits]. Nothing if there is no such form, if low or high clamp an
// accumulator that can occur, or if acc * 2^g + start could leave 32 bits.
std::optional<AffineOutput> affine_output(const ChannelRescale& rescale, AccumulatorRange range,
                                          int least_bits, int most_bits);

// A rescaling with an exponent under 0 for one that has a larger one: with acc * 2^bits + start in
// the place of acc, and exponent - bits.
struct WidenedOutput {
  int bits = 0;
  int32_t start = 0;
};
// Equal on all accumulators of the range after clamping, found and proved as above. Nothing if
// there is none with bits <= most_bits.
std::optional<WidenedOutput> widened_output(const ChannelRescale& rescale, AccumulatorRange range,
                                            int most_bits);

}  // namespace nibble
