// The kernels of the 16x8 scheme against the integer references of their operators.
#include "support/element_layer.h"
#include "support/kernel_runner.h"

namespace nibble {
namespace {

TEST(S16Kernels, WeightLayersEqualReference) {
  EXPECT_EQ(compare_random_layers(300, random_conv2d_s16), 300);
  EXPECT_EQ(compare_random_layers(300, random_depthwise_conv2d_s16), 300);
  EXPECT_EQ(compare_random_layers(300, random_dense_s16), 300);
}

TEST(S16Kernels, SumsProductsAndPoolsEqualReference) {
  EXPECT_EQ(compare_random_layers(300, random_sum_s16), 300);
  EXPECT_EQ(compare_random_layers(300, random_mul_s16), 300);
  EXPECT_EQ(compare_random_layers(300, random_pool_s16<MaxPool2d>), 300);
  EXPECT_EQ(compare_random_layers(300, random_pool_s16<AvgPool2d>), 300);
}

TEST(S16Kernels, BroadcastEqualsReference) {
  EXPECT_EQ(
      compare_random_layers(300,
                            [](Rng& rng) {
                              Shape lhs{1, rng.integer(1, 4), rng.integer(1, 4), 5}, rhs = lhs;
                              for (size_t axis = 1; axis < 4; ++axis)
                                if (rng.next() % 2) (rng.next() % 2 ? lhs : rhs)[axis] = 1;
                              QuantParams params = random_s16_params(rng);
                              std::vector<Tensor> operands{random_s16(rng, lhs, params),
                                                           random_s16(rng, rhs, params)};
                              QuantParams out = random_s16_params(rng);
                              if (rng.next() % 2)
                                return make_layer(Mul{}, std::move(operands), out);
                              return make_layer(Sub{}, std::move(operands), out);
                            }),
      300);
}

TEST(S16Kernels, ElementwiseEqualReference) {
  EXPECT_EQ(
      compare_random_layers(600,
                            [](Rng& rng) {
                              QuantParams in = random_s16_params(rng);
                              double centre = static_cast<double>(in.scale[0]);
                              Tensor src = random_s16(rng, {random_channels(rng)}, in);
                              QuantParams out = random_s16_params(rng, centre, 3);
                              Rounding rounding = random_rounding_mode(rng);
                              switch (rng.next() % 4) {
                                case 0:
                                  return make_layer(LeakyRelu{0.1f}, {src}, out, rounding);
                                case 1:
                                  return make_layer(Clamp{random_act(rng)}, {src}, out, rounding);
                                case 2:
                                  return make_layer(Clamp{random_act(rng)}, {src}, in, rounding);
                                default:
                                  return make_layer(Quantize{}, {src}, out, rounding);
                              }
                            }),
      600);
}

TEST(S16Kernels, SoftmaxAndMeanEqualReference) {
  EXPECT_EQ(compare_random_layers(
                300,
                [](Rng& rng) {
                  QuantParams in = random_s16_params(rng, 0.0003, 2);
                  Tensor src = random_s16(rng, {rng.integer(1, 3), random_channels(rng)}, in);
                  return make_layer(Softmax{}, {src}, s16_params(1.0f / 32768));
                }),
            300);
  EXPECT_EQ(compare_random_layers(
                300,
                [](Rng& rng) {
                  QuantParams in = random_s16_params(rng);
                  double centre = static_cast<double>(in.scale[0]);
                  Shape shape{1, rng.integer(1, 6), rng.integer(1, 6), random_channels(rng)};
                  return make_layer(Mean{{1, 2}, rng.next() % 2 == 0}, {random_s16(rng, shape, in)},
                                    random_s16_params(rng, centre, 1), random_rounding_mode(rng));
                }),
            300);
}

}  // namespace
}  // namespace nibble
