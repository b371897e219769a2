// What resampling the calibration set does: against sets whose answer is known.
#include "quantize/stability.h"

#include <gtest/gtest.h>

#include "quantize/calibrate.h"
#include "quantize/quantize.h"
#include "support/float_network.h"

namespace nibble {
namespace {

CalibrationData constant_data(int64_t count) {
  return {count, [](int64_t) {
            Rng rng(1);
            return random_tensor({1, 8, 8, 3}, -1, 1, rng);
          }};
}

TEST(Stability, OneSampleManyTimesIsEnoughOnce) {
  const Stability found = *measure_stability(uneven_network(1), constant_data(9), {}, {10, 1}, {});
  EXPECT_EQ(found.samples, 9);
  EXPECT_EQ(found.enough, 1);
  ASSERT_EQ(found.subsets.size(), 5u);  // 1, 2, 4, 8, 9
  EXPECT_EQ(found.subsets[3].samples, 8);
  for (const SubsetStability& subset : found.subsets) EXPECT_EQ(subset.largest_change, 0);
  ASSERT_FALSE(found.ranges.empty());
  for (const RangeStability& range : found.ranges) {
    EXPECT_EQ(range.spread, 0) << range.value;
    EXPECT_EQ(range.least_max, range.largest_max) << range.value;
  }
}

// One sample of 16 is a hundred times larger: with min-max, whether it was drawn decides all. Of
// its ranges without it a share of 1/e of the resamplings has a hundredth.
TEST(Stability, ALoneOutlierIsSeen) {
  const Graph graph = uneven_network(1);
  const CalibrationData data = {16, [](int64_t i) {
                                  Rng rng(static_cast<uint64_t>(i));
                                  const double largest = i == 3 ? 100 : 1;
                                  return random_tensor({1, 8, 8, 3}, -largest, largest, rng);
                                }};
  const Stability found = *measure_stability(graph, data, {}, {40, 1}, {});
  EXPECT_GT(found.ranges[0].spread, 0.4);
  for (const RangeStability& range : found.ranges) {
    if (range.value != "x") continue;
    EXPECT_GT(range.largest_max, 80);
    EXPECT_LT(range.least_max, 2);
  }
  // The shuffled order has it somewhere: before, everything is a hundredth.
  EXPECT_GT(found.subsets.front().largest_change, 0.9);
  EXPECT_GT(found.enough, 1);
  EXPECT_EQ(found.subsets.back().largest_change, 0);
}

TEST(Stability, MetricsAreOfTheNetworks) {
  int64_t asked = 0;
  const Stability found =
      *measure_stability(uneven_network(1), random_data(8, {1, 8, 8, 3}, 5), {}, {6, 2},
                         [&](const Graph& integer) -> Result<double> {
                           EXPECT_TRUE(verify_graph(integer, VerifyLevel::kQuantized).ok());
                           return static_cast<double>(asked++);
                         });
  EXPECT_EQ(asked, 6 + 4);  // 1, 2, 4, 8
  EXPECT_EQ(found.metrics, (std::vector<double>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(found.metric, 9);
  EXPECT_NEAR(found.metric_low, 0.125, 1e-12);  // between 0 and 1 at 2.5 % of five gaps
}

// The observers of parts are those of a calibration on the part alone.
TEST(Stability, PartsAreWhatTheirSamplesGive) {
  const Graph graph = uneven_network(1);
  const CalibrationData data = random_data(6, {1, 8, 8, 3}, 5);
  const std::vector<double> averages = momenta(graph, {});
  const auto parts =
      *calibrate_parts(graph, data, averages, {{0, 1, 0, 2, 0, 0}, {1, 1, 1, 1, 1, 1}});
  const std::vector<int64_t> drawn = {1, 3, 3};
  const CalibrationData alone = {
      3, [&](int64_t i) { return data.sample(drawn[static_cast<size_t>(i)]); }};
  const Observers first = *calibrate(graph, alone, averages);
  const Observers second = *calibrate(graph, data, averages);
  auto same = [](const Observer& a, const Observer& b) {
    EXPECT_EQ(a.histogram().count(), b.histogram().count());
    EXPECT_EQ(a.histogram().min(), b.histogram().min());
    EXPECT_EQ(std::vector(a.histogram().bins().begin(), a.histogram().bins().end()),
              std::vector(b.histogram().bins().begin(), b.histogram().bins().end()));
    EXPECT_EQ(a.moving_average().max, b.moving_average().max);
  };
  for (size_t v = 0; v < first.size(); ++v) {
    if (!first[v]) continue;
    same(*parts[0][v], *first[v]);
    same(*parts[1][v], *second[v]);
  }
}

}  // namespace
}  // namespace nibble
