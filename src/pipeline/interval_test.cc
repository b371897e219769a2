// Intervals against their closed forms.
#include "pipeline/interval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace nibble {
namespace {

constexpr double kZ = 1.959963984540054;

TEST(Interval, OfAShareIsWhereTheShareIsOneDeviationLimitAway) {
  for (const auto& [hits, count] : {std::pair(460.0, 503.0), {3.0, 10.0}, {1.0, 700.0}}) {
    const Interval interval = share_interval(hits, count);
    for (double p : {interval.low, interval.high})
      EXPECT_NEAR(std::abs(p - hits / count), kZ * std::sqrt(p * (1 - p) / count), 1e-12);
    EXPECT_LT(interval.low, hits / count);
    EXPECT_GT(interval.high, hits / count);
  }
}

// All of n right: from n / (n + z^2) on.
TEST(Interval, AllOfFewRightIsNoCertainty) {
  const Interval all = share_interval(20, 20), none = share_interval(0, 20);
  EXPECT_NEAR(all.low, 20 / (20 + kZ * kZ), 1e-12);
  EXPECT_DOUBLE_EQ(all.high, 1);
  EXPECT_NEAR(none.high, 1 - all.low, 1e-12);
}

TEST(Interval, OfAMean) {
  const std::vector<double> values = {1, 2, 3, 6};  // mean 3, s^2 = 14 / 3
  const Interval interval = mean_interval(values);
  EXPECT_NEAR(interval.low, 3 - kZ * std::sqrt(14.0 / 3 / 4), 1e-12);
  EXPECT_NEAR(interval.high, 3 + kZ * std::sqrt(14.0 / 3 / 4), 1e-12);
  EXPECT_TRUE(std::isinf(mean_interval(std::vector<double>{1}).high));
}

// 3 samples only the first has right, 1 only the second, of 10: with half a sample added to each
// cell b = 3.5, c = 1.5, n = 12.
TEST(Interval, OfADifferenceOverTheSameSamples) {
  const std::vector<double> first = {1, 1, 1, 0, 1, 1, 1, 1, 0, 0};
  const std::vector<double> second = {0, 0, 0, 1, 1, 1, 1, 1, 0, 0};
  const Interval interval = paired_share_interval(first, second);
  const double half = kZ * std::sqrt(5 - 4 / 12.0) / 12;
  EXPECT_NEAR(interval.low, 2 / 12.0 - half, 1e-12);
  EXPECT_NEAR(interval.high, 2 / 12.0 + half, 1e-12);
  const Interval swapped = paired_share_interval(second, first);
  EXPECT_NEAR(swapped.low, -interval.high, 1e-12);
}

// Of 2,000 drawn data sets about 95 % have the true difference inside.
TEST(Interval, OfALossIsOfHitsOrOfErrors) {
  const std::vector<double> first = {1, 1, 0, 1, 1}, second = {1, 0, 0, 0, 1};
  const Interval hits = paired_loss_interval(true, first, second);
  EXPECT_EQ(hits.low, paired_share_interval(first, second).low);
  EXPECT_EQ(hits.high, paired_share_interval(first, second).high);
  // Errors grow by 0, -1, 0, -1, 0.
  const Interval errors = paired_loss_interval(false, first, second);
  EXPECT_NEAR((errors.low + errors.high) / 2, -0.4, 1e-12);
  EXPECT_NEAR(errors.half_width(), 1.959964 * std::sqrt(1.2 / 4 / 5), 1e-6);
}

TEST(Interval, OfADifferenceHoldsItsShare) {
  Rng rng(7);
  int inside = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> first, second;
    for (int i = 0; i < 200; ++i) {
      const double draw = rng.uniform(0, 1);  // both 0.8, only the first 0.07, only the second 0.03
      first.push_back(draw < 0.87);
      second.push_back(draw < 0.8 || (draw >= 0.87 && draw < 0.9));
    }
    const Interval interval = paired_share_interval(first, second);
    inside += interval.low <= 0.04 && 0.04 <= interval.high;
  }
  EXPECT_GE(inside, 1860);
  EXPECT_LE(inside, 1960);
}

}  // namespace
}  // namespace nibble
