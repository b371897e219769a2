// Calibrators on data whose answer is known, and the histogram's promise that order and merging do
// not matter.
#include "quantize/observers/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.h"

namespace nibble {
namespace {

std::vector<float> normal_values(int count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(rng.normal()));
  return values;
}

Observer observer_of(std::span<const float> values) {
  Observer observer;
  observer.histogram().add(values);
  return observer;
}

RealRange percentile_of(std::span<const float> values, double percentile) {
  ActivationSettings settings;
  settings.percentile = percentile;
  return percentile_range(observer_of(values), settings);
}

TEST(Histogram, CountsEveryValueInItsBin) {
  Histogram histogram;
  std::vector<float> values = {-1.0f, -0.5f, 0.0f, 0.25f, 3.0f};
  histogram.add(values);
  EXPECT_EQ(histogram.count(), 5);
  EXPECT_EQ(histogram.min(), -1.0f);
  EXPECT_EQ(histogram.max(), 3.0f);
  for (float value : values) {
    auto bin =
        static_cast<size_t>(std::floor((value - histogram.first_edge()) / histogram.bin_width()));
    EXPECT_EQ(histogram.bins()[bin], 1) << value;
  }
}

TEST(Histogram, MemoryIsBoundedWhateverTheRange) {
  Histogram histogram;
  for (float value : {1e-20f, 1.0f, -1e10f, 3e38f, -3e38f, 1e-45f}) {
    histogram.add(std::span(&value, 1));
    EXPECT_LE(static_cast<int64_t>(histogram.bins().size()), Histogram::kMaxBins);
  }
  EXPECT_EQ(histogram.count(), 6);
  EXPECT_EQ(std::accumulate(histogram.bins().begin(), histogram.bins().end(), int64_t{0}), 6);
}

TEST(Histogram, OrderAndMergingDoNotMatter) {
  std::vector<float> values = normal_values(20000, 1);
  values.push_back(55.0f);
  values.push_back(-0.001f);
  Histogram whole, reversed, first, second;
  whole.add(values);
  for (size_t i = 0; i < values.size(); ++i) (i % 3 ? first : second).add(std::span(&values[i], 1));
  std::reverse(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); i += 7)
    reversed.add(std::span(values).subspan(i, std::min<size_t>(7, values.size() - i)));
  Histogram other_way = second;
  other_way.merge(first);
  first.merge(second);
  for (const Histogram* other : {&reversed, &first, &other_way}) {
    EXPECT_EQ(whole.bin_width(), other->bin_width());
    EXPECT_EQ(whole.first_edge(), other->first_edge());
    EXPECT_TRUE(std::ranges::equal(whole.bins(), other->bins()));
  }
}

TEST(Histogram, ConstantsAndZeros) {
  Histogram zeros;
  std::vector<float> values(100, 0.0f);
  zeros.add(values);
  EXPECT_EQ(zeros.bins().size(), 1u);
  Histogram constant;
  std::fill(values.begin(), values.end(), 3.3f);
  constant.add(values);
  EXPECT_EQ(constant.count(), 100);
  zeros.merge(constant);
  EXPECT_EQ(zeros.count(), 200);
  EXPECT_EQ(zeros.max(), 3.3f);
}

TEST(MovingAverage, IsTheRecursionOfThePaper) {
  Observer observer;
  observer.add_extremes({-1, 2}, 0.9);
  observer.add_extremes({-3, 4}, 0.9);
  observer.add_extremes({0, 10}, 0.9);
  RealRange range = moving_average_range(observer, {});
  EXPECT_NEAR(range.min, ((-1 * 0.9 + -3 * 0.1) * 0.9 + 0), 1e-12);
  EXPECT_NEAR(range.max, ((2 * 0.9 + 4 * 0.1) * 0.9 + 10 * 0.1), 1e-12);
}

TEST(Percentile, CutsTheShareOfTheTails) {
  std::vector<float> values(10001);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 10000;
  RealRange one_sided = percentile_of(values, 99);
  EXPECT_EQ(one_sided.min, 0);
  EXPECT_NEAR(one_sided.max, 0.99, 1e-3);
  for (float& value : values) value = 2 * value - 1;
  RealRange two_sided = percentile_of(values, 99);
  EXPECT_NEAR(two_sided.min, -0.99, 2e-3);
  EXPECT_NEAR(two_sided.max, 0.99, 2e-3);
  RealRange all = percentile_of(values, 100);
  EXPECT_EQ(all.min, -1);
  EXPECT_EQ(all.max, 1);
}

// Banner et al. 2019, table of optimal clipping for a normal law: 3.92 deviations at 8 bits
// (symmetric), 2.55 at 4 bits.
TEST(Mse, FindsTheOptimalClippingOfANormalLaw) {
  Rng rng(3);
  std::vector<float> values;
  for (int i = 0; i < 400000; ++i) {
    // Box-Muller: the sum-of-uniforms generator has no tails.
    double radius = std::sqrt(-2 * std::log(1 - rng.uniform()));
    values.push_back(static_cast<float>(radius * std::cos(2 * M_PI * rng.uniform())));
  }
  RealRange eight = mse_range(observer_of(values), {});
  EXPECT_NEAR(eight.max, 3.92, 0.25);
  EXPECT_NEAR(eight.min, -3.92, 0.25);
  ActivationSettings of_four_bits;
  of_four_bits.bits = 4;
  RealRange four = mse_range(observer_of(values), of_four_bits);
  EXPECT_NEAR((four.max - four.min) / 2, 2.55, 0.15);
}

TEST(Mse, KeepsAUniformLawWhole) {
  Rng rng(4);
  std::vector<float> values;
  for (int i = 0; i < 50000; ++i) values.push_back(static_cast<float>(rng.uniform(-2, 2)));
  RealRange range = mse_range(observer_of(values), {});
  EXPECT_NEAR(range.max, 2, 0.03);
  EXPECT_NEAR(range.min, -2, 0.03);
}

TEST(Entropy, CutsAnOutlierAndKeepsAUniformLaw) {
  std::vector<float> values = normal_values(100000, 5);
  values.push_back(60.0f);
  RealRange range = entropy_range(observer_of(values), {});
  EXPECT_LT(range.max, 12);
  EXPECT_GT(range.max, 2.5);
  Rng rng(6);
  std::vector<float> uniform;
  for (int i = 0; i < 100000; ++i) uniform.push_back(static_cast<float>(rng.uniform(0, 5)));
  EXPECT_NEAR(entropy_range(observer_of(uniform), {}).max, 5, 0.4);
}

// The optimal clippings of the paper, table 1: in widths, for 2, 3, 4 and 8 bits.
TEST(AnalyticRanges, AreThePapers) {
  Rng rng(8);
  std::vector<float> laplace, normal = normal_values(400000, 9);
  for (int i = 0; i < 400000; ++i) {
    const double u = rng.uniform(-0.5, 0.5);
    laplace.push_back(static_cast<float>(std::copysign(std::log(1 - 2 * std::abs(u)), -u)));
  }
  const std::tuple<int, double, double> rows[] = {
      {2, 2.83, 1.71}, {3, 3.89, 2.15}, {4, 5.03, 2.55}, {8, 9.89, 3.92}};
  for (const auto& [bits, of_laplace, of_gaussian] : rows) {
    ActivationSettings settings;
    settings.bits = bits;
    EXPECT_NEAR(laplace_range(observer_of(laplace), settings).max, of_laplace, 0.1) << bits;
    EXPECT_NEAR(gaussian_range(observer_of(normal), settings).max, of_gaussian, 0.1) << bits;
  }
  // Behind a relu the bits serve one side: as one bit more.
  for (float& value : normal) value = std::max(value, 0.0f);
  ActivationSettings settings;
  settings.bits = 3;
  const RealRange folded = gaussian_range(observer_of(normal), settings);
  EXPECT_EQ(folded.min, 0);
  EXPECT_NEAR(folded.max, 2.55, 0.1);
}

TEST(CalibratedRange, AlwaysHoldsZero) {
  std::vector<float> values = {2.0f, 3.0f, 2.5f};
  for (Calibrator calibrator :
       {Calibrator::kMinMax, Calibrator::kPercentile, Calibrator::kMse, Calibrator::kEntropy}) {
    ActivationSettings settings;
    settings.calibrator = calibrator;
    RealRange range = calibrated_range(observer_of(values), settings);
    EXPECT_LE(range.min, 0) << calibrator_name(calibrator);
    EXPECT_GE(range.max, 2.5) << calibrator_name(calibrator);
  }
}

}  // namespace
}  // namespace nibble
