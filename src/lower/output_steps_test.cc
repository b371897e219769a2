// Where an output steps, against a walk over all accumulators.
#include "lower/output_steps.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace nibble {
namespace {

TEST(OutputSteps, AreWhereAWalkFindsThem) {
  Rng rng(1);
  for (int round = 0; round < 400; ++round) {
    ChannelRescale rescale;
    // Also multipliers far below those of importers, whose roundings move the steps far.
    rescale.multiplier = static_cast<int32_t>(rng.integer(1, int64_t{1} << rng.integer(1, 31)) - 1);
    rescale.exponent = static_cast<int>(rng.integer(-12, 0));
    rescale.rounding = static_cast<int>(rng.integer(0, 1));
    rescale.zero = static_cast<int>(rng.integer(-128, 127));
    rescale.low = static_cast<int>(rng.integer(-128, 0));
    rescale.high = static_cast<int>(rng.integer(0, 127));
    AccumulatorRange range{-rng.integer(0, 5'000), rng.integer(0, 5'000)};
    OutputSteps steps = output_steps(rescale, range);
    EXPECT_EQ(steps.first, rescale.output(range.low));
    EXPECT_EQ(steps.last, rescale.output(range.high));
    std::vector<int64_t> at;
    for (int64_t acc = range.low + 1; acc <= range.high; ++acc)
      for (int k = rescale.output(acc - 1); k < rescale.output(acc); ++k) at.push_back(acc);
    EXPECT_EQ(steps.at, at) << "round " << round << ", multiplier " << rescale.multiplier
                            << ", exponent " << rescale.exponent;
  }
}

TEST(AccumulatorRanges, CoverEveryInput) {
  const int8_t filter[] = {1, -2, 3, 4};
  const int32_t bias[] = {10, -20};
  std::vector<AccumulatorRange> ranges = accumulator_ranges(filter, bias, 2, -128);
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].low, 10 - 2 * 255);
  EXPECT_EQ(ranges[0].high, 10 + 255);
  EXPECT_EQ(ranges[1].low, -20);
  EXPECT_EQ(ranges[1].high, -20 + 7 * 255);
}

}  // namespace
}  // namespace nibble
