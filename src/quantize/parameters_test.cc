// Scales and zero points against the formulas, at the ends of what may occur.
#include "quantize/parameters.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nibble {
namespace {

TEST(ActivationParams, FollowTheFormula) {
  QuantParams params = activation_params({-1, 3}, {});
  EXPECT_FLOAT_EQ(params.scale[0], 4.0f / 255);
  EXPECT_EQ(params.zero_point[0], -128 + 64);  // -128 + 255/4 = -64.25, rounded
  QuantParams relu = activation_params({0, 6}, {});
  EXPECT_EQ(relu.zero_point[0], -128);
  QuantParams negative = activation_params({-6, 0}, {});
  EXPECT_EQ(negative.zero_point[0], 127);
}

TEST(ActivationParams, NothingSeenGetsScaleOne) {
  QuantParams params = activation_params({0, 0}, {});
  EXPECT_EQ(params.scale[0], 1);
  EXPECT_EQ(params.zero_point[0], 0);
}

TEST(WeightParams, PerChannelAndPerTensor) {
  std::vector<float> values = {1, -2, 0.5, 0.25, 0, 0};
  Tensor weight = Tensor::of_floats({3, 2}, values);
  QuantParams channel = weight_params(weight, 0, {});
  ASSERT_EQ(channel.scale.size(), 3u);
  EXPECT_FLOAT_EQ(channel.scale[0], 2.0f / 127);
  EXPECT_FLOAT_EQ(channel.scale[1], 0.5f / 127);
  EXPECT_FLOAT_EQ(channel.scale[2], 2.0f / 127);  // a dead channel takes a sane scale
  EXPECT_EQ(channel.q_min, -127);
  WeightSettings per_tensor;
  per_tensor.granularity = Granularity::kTensor;
  QuantParams tensor = weight_params(weight, 0, per_tensor);
  ASSERT_EQ(tensor.scale.size(), 1u);
  EXPECT_FLOAT_EQ(tensor.scale[0], 2.0f / 127);
  QuantParams inner = weight_params(weight, 1, {});
  EXPECT_FLOAT_EQ(inner.scale[0], 1.0f / 127);
  EXPECT_FLOAT_EQ(inner.scale[1], 2.0f / 127);
}

ActivationSettings activations(int bits, Grid grid, Scales scales = Scales::kReal) {
  ActivationSettings settings;
  settings.bits = bits;
  settings.grid = grid;
  settings.scales = scales;
  return settings;
}

TEST(ActivationParams, GridsOfAnyWidth) {
  const QuantParams symmetric = activation_params({-1, 3}, activations(4, Grid::kSymmetric));
  EXPECT_FLOAT_EQ(symmetric.scale[0], 3.0f / 7);
  EXPECT_EQ(symmetric.zero_point[0], 0);
  EXPECT_EQ(symmetric.q_min, -8);
  EXPECT_EQ(symmetric.q_max, 7);
  const QuantParams positive = activation_params({-1, 3}, activations(4, Grid::kUnsigned));
  EXPECT_FLOAT_EQ(positive.scale[0], 3.0f / 15);
  EXPECT_EQ(positive.zero_point[0], -8);
  // -2 - (-1 / (4/3)) = -1.25
  const QuantParams two = activation_params({-1, 3}, activations(2, Grid::kAsymmetric));
  EXPECT_FLOAT_EQ(two.scale[0], 4.0f / 3);
  EXPECT_EQ(two.zero_point[0], -1);
  // More than 8 bits are symmetric.
  const QuantParams twelve = activation_params({-1, 3}, activations(12, Grid::kAsymmetric));
  EXPECT_FLOAT_EQ(twelve.scale[0], 3.0f / 2047);
  EXPECT_EQ(twelve.zero_point[0], 0);
}

TEST(AllowedScale, IsTheNextOfItsKind) {
  EXPECT_EQ(allowed_scale(0.3, Scales::kReal), 0.3);
  EXPECT_EQ(allowed_scale(0.3, Scales::kPowerOfTwo), 0.5);
  EXPECT_EQ(allowed_scale(0.25, Scales::kPowerOfTwo), 0.25);
  EXPECT_EQ(allowed_scale(0.3, Scales::kDyadic), 154.0 / 512);  // 153.6
  EXPECT_EQ(allowed_scale(255.5 / 256, Scales::kDyadic), 1);
}

TEST(WeightParams, GridsAndWidths) {
  const std::vector<float> values = {1, -2, 0.5, 3};
  const Tensor weight = Tensor::of_floats({1, 4}, values);
  WeightSettings settings;
  settings.bits = 4;
  settings.grid = Grid::kAsymmetric;
  const QuantParams asymmetric = weight_params(weight, 0, settings);
  EXPECT_FLOAT_EQ(asymmetric.scale[0], 5.0f / 15);
  EXPECT_EQ(asymmetric.zero_point[0], -2);  // -8 + 2 / (1/3)
  const Tensor quantized = quantize_weights(weight, asymmetric, settings, 1);
  EXPECT_EQ(quantized.integer_at(0), 1);
  EXPECT_EQ(quantized.integer_at(1), -8);
  EXPECT_EQ(quantized.integer_at(3), 7);
  settings.bits = 12;
  settings.grid = Grid::kSymmetric;
  EXPECT_EQ(quantize_weights(weight, weight_params(weight, 0, settings), settings, 1).dtype(),
            DType::kS16);
  settings.narrow = false;
  EXPECT_EQ(weight_params(weight, 0, settings).q_min, -2048);
}

// An outlier of 4 among values of 0.4: with 4 bits the range of all rounds 0.4 to 0.57.
TEST(WeightParams, LeastSquaresClipsAnOutlier) {
  std::vector<float> values(1000, 0.4f);
  values[0] = 4;
  const Tensor weight = Tensor::of_floats({1, 1000}, values);
  WeightSettings settings;
  settings.bits = 4;
  auto error = [&](WeightRange range) {
    settings.range = range;
    const Tensor real = dequantize_tensor(
        quantize_weights(weight, weight_params(weight, 0, settings), settings, 1));
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double difference =
          static_cast<double>(real.data<float>()[i]) - static_cast<double>(values[i]);
      sum += difference * difference;
    }
    return sum;
  };
  EXPECT_NEAR(error(WeightRange::kMax), 999 * 0.1714 * 0.1714, 0.1);  // 4/7 - 0.4
  EXPECT_LT(error(WeightRange::kMse), 2.0);
}

// Runs of two: the largest 3, then 0.3, then 1.5.
TEST(WeightParams, GroupsHaveFactors) {
  const std::vector<float> values = {3, -1, 0.3f, 0.1f, 1.5f};
  const Tensor weight = Tensor::of_floats({1, 5}, values);
  WeightSettings settings;
  settings.granularity = Granularity::kGroup;
  settings.group = 2;
  const QuantParams params = weight_params(weight, 0, settings);
  EXPECT_FLOAT_EQ(params.scale[0], 3.0f / 127 / 15);
  EXPECT_EQ(params.group_factor, (std::vector<int32_t>{15, 2, 8}));
  const Tensor quantized = quantize_weights(weight, params, settings, 1);
  EXPECT_EQ(quantized.integer_at(0), 127);
  EXPECT_EQ(quantized.integer_at(2), 95);  // 0.3 / (3/127/15 * 2) = 95.25
  const Tensor real = dequantize_tensor(quantized);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(real.data<float>()[i], values[i], 0.012);
}

TEST(QuantizeWeights, Roundings) {
  const std::vector<float> values = {2.5f, -2.5f, 1.3f, -1.3f, 127};
  const Tensor weight = Tensor::of_floats({1, 5}, values);
  auto integers = [&](ValueRounding rounding) {
    WeightSettings settings;
    settings.rounding = rounding;
    const Tensor tensor = quantize_weights(weight, weight_params(weight, 0, settings), settings, 1);
    std::vector<int64_t> list;
    for (int64_t i = 0; i < 4; ++i) list.push_back(tensor.integer_at(i));
    return list;
  };
  EXPECT_EQ(integers(ValueRounding::kNearest), (std::vector<int64_t>{3, -3, 1, -1}));
  EXPECT_EQ(integers(ValueRounding::kHalfEven), (std::vector<int64_t>{2, -2, 1, -1}));
  EXPECT_EQ(integers(ValueRounding::kFloor), (std::vector<int64_t>{2, -3, 1, -2}));
}

// The mean of what stochastic rounding gives is the value.
TEST(QuantizeWeights, StochasticRoundingIsUnbiased) {
  std::vector<float> values(20000, 0.3f);
  values[0] = 127;
  const Tensor weight = Tensor::of_floats({1, 20000}, values);
  WeightSettings settings;
  settings.rounding = ValueRounding::kStochastic;
  const Tensor tensor = quantize_weights(weight, weight_params(weight, 0, settings), settings, 1);
  double sum = 0;
  for (int64_t i = 1; i < tensor.size(); ++i) sum += static_cast<double>(tensor.integer_at(i));
  EXPECT_NEAR(sum / 19999, 0.3, 0.012);  // three standard deviations
}

TEST(Bias, StaysWithin32Bits) {
  std::vector<float> weights = {1e-9f, 1.0f};
  std::vector<float> biases = {5.0f, 0.125f};
  Tensor weight = Tensor::of_floats({2, 1}, weights);
  Tensor bias = Tensor::of_floats({2}, biases);
  QuantParams params = weight_params(weight, 0, {});
  widen_for_bias(params, bias, 0.01f, 1);
  Tensor quantized = quantize_bias(bias, 0.01f, params);
  std::span<const int32_t> q = quantized.data<int32_t>();
  for (size_t o = 0; o < 2; ++o) {
    double real = static_cast<double>(q[o]) * 0.01f * params.scale[o];
    EXPECT_NEAR(real, biases[o], 1e-4);
    EXPECT_LT(std::abs(static_cast<double>(q[o])) + 127 * 256.0, 0x1p31);
  }
}

}  // namespace
}  // namespace nibble
