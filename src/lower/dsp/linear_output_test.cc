// linear_output() against the rescaling it stands for, for every accumulator of its range.
#include "lower/dsp/linear_output.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "common/channel_pairs_s8.h"

namespace nibble {
namespace {

int64_t first_difference(const ChannelRescale& rescale, const LinearOutput& linear, int shift,
                         const AccumulatorRange& range) {
  for (int64_t acc = range.low; acc <= range.high; ++acc) {
    int wanted = rescale.output(acc);
    int found = nibble_pairs_output_s8(static_cast<int32_t>(acc) + linear.start,
                                       static_cast<uint32_t>(linear.scale),
                                       static_cast<uint32_t>(linear.addend),
                                       NIBBLE_PAIRS_LINEAR + shift, 0, rescale.low, rescale.high);
    if (found != wanted) return acc;
  }
  return range.high + 1;
}

ChannelRescale random_rescale(Rng& rng, int rounding, bool clamps_at_zero) {
  ChannelRescale rescale;
  rescale.multiplier = static_cast<int32_t>(rng.integer(1 << 30, INT32_MAX));
  rescale.exponent = static_cast<int>(rng.integer(-12, -1));
  rescale.rounding = rounding;
  rescale.zero = static_cast<int>(rng.integer(-128, 127));
  if (clamps_at_zero) rescale.low = rescale.zero;
  if (rng.next() % 4 == 0) rescale.high = static_cast<int>(rng.integer(rescale.low, 127));
  return rescale;
}

TEST(LinearOutput, IsExactOnItsWholeRange) {
  Rng rng(1);
  int found = 0, tried = 0;
  for (int i = 0; i < 200; ++i) {
    bool single = i % 2 == 1;
    ChannelRescale rescale = random_rescale(
        rng, single ? NIBBLE_ROUNDING_SINGLE : NIBBLE_ROUNDING_TFLITE, !single || i % 4 == 1);
    AccumulatorRange range{-rng.integer(0, 200'000), rng.integer(0, 200'000)};
    int shift = static_cast<int>(rng.integer(1, std::clamp(-rescale.exponent - 1, 1, 8)));
    int bits = i % 3 == 0 ? static_cast<int>(rng.integer(0, 3)) : -1;
    ++tried;
    std::optional<LinearOutput> linear = linear_output(rescale, range, shift, bits);
    if (!linear) continue;
    ++found;
    if (bits >= 0) {
      EXPECT_EQ(linear->addend & 3, bits);
    }
    EXPECT_EQ(first_difference(rescale, *linear, shift, range), range.high + 1)
        << "layer " << i << ", multiplier " << rescale.multiplier << ", exponent "
        << rescale.exponent << ", zero " << rescale.zero << ", from " << rescale.low << " to "
        << rescale.high << ", shift " << shift;
  }
  EXPECT_GT(found, tried / 2);
}

TEST(LinearOutput, NeedsNegativeTiesToBeClamped) {
  ChannelRescale rescale{1'500'000'000, -8, NIBBLE_ROUNDING_TFLITE, 0, -128, 127};
  EXPECT_FALSE(linear_output(rescale, {-100'000, 100'000}, 4));
  rescale.low = 0;
  EXPECT_TRUE(linear_output(rescale, {-100'000, 100'000}, 4));
}

}  // namespace
}  // namespace nibble
