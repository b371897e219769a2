// From accumulator to s8 by one multiplication and one saturating shift, bit for bit equal to the
// layer's own rescaling for every accumulator that can occur:
//   out(acc) = saturate((addend + round((acc + start) * scale / 2^32)) >> shift)
// Both sides do not decrease with acc, so they are equal if they reach each output k at the same
// accumulator t_k. With m = scale / 2^32 that is, for all k,
//   k 2^shift - t_k m  <=  start m + addend + 1/2  <  k 2^shift - (t_k - 1) m:
// an interval for the sum in the middle, which start and addend reach in steps as fine as one
// likes, since m is hardly ever a ratio of small numbers. (An addend alone comes in steps of 1 / m
// accumulators, a start alone in whole ones; the interval is about 1/100 of one wide.)
// Ties away from zero put the t_k of negative values on another line, so this form exists where
// they are clamped (a fused ReLU) or the rounding is single.
#pragma once

#include <cstdint>
#include <optional>

#include "lower/output_steps.h"

namespace nibble {

struct LinearOutput {
  int32_t start = 0, scale = 0, addend = 0;
};

// `addend_bits`: what the two lowest bits of the addend must be, for a stream that has flags there;
// -1: anything. Nothing if there is no such form with this shift (it is 1 to 15; the larger, the
// finer the scale, which must stay below 2^31).
std::optional<LinearOutput> linear_output(const ChannelRescale& rescale,
                                          const AccumulatorRange& range, int shift,
                                          int addend_bits = -1);

}  // namespace nibble
