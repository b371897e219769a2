// Levels of non-uniform quantization against lists written down by hand, and the codebook against
// all that there are.
#include "quantize/levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace nibble {
namespace {

using testing::ElementsAre;

TEST(Levels, PowersOfTwo) {
  EXPECT_THAT(power_of_two_levels(2), ElementsAre(-1, 0, 1));
  EXPECT_THAT(power_of_two_levels(3), ElementsAre(-4, -2, -1, 0, 1, 2, 4));
  EXPECT_THAT(power_of_two_levels(4),
              ElementsAre(-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64));
  EXPECT_EQ(power_of_two_levels(8).back(), 1 << 14);
}

// 5 bits: a from {0, 32, 8, 2}, b from {0, 16, 4, 1}.
TEST(Levels, SumsOfTwoPowers) {
  EXPECT_THAT(additive_levels(2), ElementsAre(-1, 0, 1));
  EXPECT_THAT(additive_levels(3), ElementsAre(-3, -2, -1, 0, 1, 2, 3));
  const std::vector<int32_t> five = additive_levels(5);
  EXPECT_EQ(five.size(), 31u);
  EXPECT_THAT(std::vector<int32_t>(five.begin() + 15, five.end()),
              ElementsAre(0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48));
}

double error_of(std::span<const double> values, const std::vector<int32_t>& levels) {
  double sum = 0;
  for (double value : values) {
    double least = INFINITY;
    for (int32_t level : levels) least = std::min(least, (value - level) * (value - level));
    sum += least;
  }
  return sum;
}

// Four levels among 21 integers: none of the 5,985 choices is better.
TEST(Levels, CodebookIsOptimal) {
  Rng rng(4);
  for (int round = 0; round < 5; ++round) {
    std::vector<double> values;
    // Whole numbers: a bin's values are all alike, so that the bins lose nothing.
    for (int i = 0; i < 60; ++i)
      values.push_back(std::clamp(std::round(4 * rng.normal()), -10.0, 10.0));
    const std::vector<int32_t> found = codebook_levels(values, 2, -10, 10);
    ASSERT_LE(found.size(), 4u);
    double best = INFINITY;
    for (int a = -10; a <= 7; ++a)
      for (int b = a + 1; b <= 8; ++b)
        for (int c = b + 1; c <= 9; ++c)
          for (int d = c + 1; d <= 10; ++d) best = std::min(best, error_of(values, {a, b, c, d}));
    EXPECT_NEAR(error_of(values, found), best, 1e-9);
  }
}

}  // namespace
}  // namespace nibble
