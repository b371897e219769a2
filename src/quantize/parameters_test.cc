// Scales and zero points against the formulas, at the ends of what may occur.
#include "quantize/parameters.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nibble {
namespace {

TEST(ActivationParams, FollowTheFormula) {
  QuantParams params = activation_params({-1, 3}, 8);
  EXPECT_FLOAT_EQ(params.scale[0], 4.0f / 255);
  EXPECT_EQ(params.zero_point[0], -128 + 64);  // -128 + 255/4 = -64.25, rounded
  QuantParams relu = activation_params({0, 6}, 8);
  EXPECT_EQ(relu.zero_point[0], -128);
  QuantParams negative = activation_params({-6, 0}, 8);
  EXPECT_EQ(negative.zero_point[0], 127);
}

TEST(ActivationParams, NothingSeenGetsScaleOne) {
  QuantParams params = activation_params({0, 0}, 8);
  EXPECT_EQ(params.scale[0], 1);
  EXPECT_EQ(params.zero_point[0], 0);
}

TEST(WeightParams, PerChannelAndPerTensor) {
  std::vector<float> values = {1, -2, 0.5, 0.25, 0, 0};
  Tensor weight = Tensor::of_floats({3, 2}, values);
  QuantParams channel = weight_params(weight, 0, 8);
  ASSERT_EQ(channel.scale.size(), 3u);
  EXPECT_FLOAT_EQ(channel.scale[0], 2.0f / 127);
  EXPECT_FLOAT_EQ(channel.scale[1], 0.5f / 127);
  EXPECT_FLOAT_EQ(channel.scale[2], 2.0f / 127);  // a dead channel takes a sane scale
  EXPECT_EQ(channel.q_min, -127);
  QuantParams tensor = weight_params(weight, -1, 8);
  ASSERT_EQ(tensor.scale.size(), 1u);
  EXPECT_FLOAT_EQ(tensor.scale[0], 2.0f / 127);
  QuantParams inner = weight_params(weight, 1, 8);
  EXPECT_FLOAT_EQ(inner.scale[0], 1.0f / 127);
  EXPECT_FLOAT_EQ(inner.scale[1], 2.0f / 127);
}

TEST(Bias, StaysWithin32Bits) {
  std::vector<float> weights = {1e-9f, 1.0f};
  std::vector<float> biases = {5.0f, 0.125f};
  Tensor weight = Tensor::of_floats({2, 1}, weights);
  Tensor bias = Tensor::of_floats({2}, biases);
  QuantParams params = weight_params(weight, 0, 8);
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
