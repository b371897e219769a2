// The element-wise functions of one operand: every s8 value against the real function in double,
// special values by hand, and error texts. Bit-exactness of whole models with them is the golden
// tests' part.
#include <gmock/gmock.h>

#include "support/layer.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const QuantParams kSigmoidOut = s8_params(1.0f / 256, -128);
const QuantParams kTanhOut = s8_params(1.0f / 128, 0);

Tensor all_values(const QuantParams& params) {
  std::vector<int8_t> elems;
  for (int q = -128; q <= 127; ++q) elems.push_back(static_cast<int8_t>(q));
  return s8_tensor({256}, elems, params);
}

// The largest distance, in output steps, of the integer result from the real function over all s8
// values. The result before rounding is exact, so half a step is unavoidable.
template <class Real>
double worst_steps(const Op& op, const QuantParams& in, const QuantParams& out, Real&& real,
                   Rounding rounding = Rounding::kTflite) {
  Tensor src = all_values(in);
  Tensor dst = valid_layer(op, {src}, out, rounding).run();
  double worst = 0;
  for (int64_t i = 0; i < 256; ++i) {
    double x = static_cast<double>(in.scale[0]) *
               static_cast<double>(src.integer_at(i) - in.zero_point[0]);
    double exact =
        std::clamp(real(x) / static_cast<double>(out.scale[0]) + out.zero_point[0], -128.0, 127.0);
    worst = std::max(worst, std::abs(static_cast<double>(dst.integer_at(i)) - exact));
  }
  return worst;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double hard_swish(double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }

TEST(Sigmoid, FixedPointIsTheNearestValue) {
  Rng rng(1);
  for (int i = 0; i < 300; ++i)
    ASSERT_LT(worst_steps(Sigmoid{}, random_params(rng, 0.03, 3), kSigmoidOut, sigmoid), 0.501);
}

TEST(Sigmoid, OtherOutputParametersAreTheNearestValue) {
  Rng rng(2);
  for (int i = 0; i < 300; ++i)
    ASSERT_LE(
        worst_steps(Sigmoid{}, random_params(rng, 0.03, 3), random_params(rng, 0.01, 2), sigmoid),
        0.5001);
}

TEST(Sigmoid, ByHand) {
  // 0 is one half; far out it saturates at 0 and 255/256.
  Tensor src = s8_tensor({5}, {0, 1, -1, 127, -128}, s8_params(2, 0));
  EXPECT_THAT(elems_of(valid_layer(Sigmoid{}, {src}, kSigmoidOut).run()),
              ElementsAre(0, 97, -97, 127, -128));
  Tensor real = Tensor::of_floats({3}, std::vector<float>{0, -200, 200});
  EXPECT_THAT(floats_of(valid_layer(Sigmoid{}, {real}).run()), ElementsAre(0.5f, 0, 1));
}

TEST(Tanh, FixedPointIsTheNearestValue) {
  Rng rng(1);
  for (int i = 0; i < 300; ++i)
    ASSERT_LT(worst_steps(Tanh{}, random_params(rng, 0.03, 3), kTanhOut,
                          [](double x) { return std::tanh(x); }),
              0.501);
}

TEST(Tanh, ByHand) {
  Tensor src = s8_tensor({5}, {0, 1, -1, 127, -128}, s8_params(0.5f, 0));
  // tanh(0.5) = 0.46212 = 59.15 steps
  EXPECT_THAT(elems_of(valid_layer(Tanh{}, {src}, kTanhOut).run()),
              ElementsAre(0, 59, -59, 127, -128));
}

TEST(SigmoidAndTanh, TinyAndHugeInputScales) {
  // Under 2^-31 in Q4.27 every input is zero; beyond 15 every input but zero saturates.
  for (float scale : {1e-30f, 1e-12f}) {
    EXPECT_LT(worst_steps(Sigmoid{}, s8_params(scale, 5), kSigmoidOut, sigmoid), 0.001);
    EXPECT_LT(
        worst_steps(Tanh{}, s8_params(scale, 5), kTanhOut, [](double x) { return std::tanh(x); }),
        0.001);
  }
  for (float scale : {15.9f, 1e10f, 1e30f}) {
    Tensor src = s8_tensor({2}, {-1, 1}, s8_params(scale, 0));
    EXPECT_THAT(elems_of(valid_layer(Sigmoid{}, {src}, kSigmoidOut).run()), ElementsAre(-128, 127));
    EXPECT_THAT(elems_of(valid_layer(Tanh{}, {src}, kTanhOut).run()), ElementsAre(-128, 127));
  }
}

TEST(HardSwish, WithinAStepOfTheRealFunction) {
  Rng rng(1);
  for (int i = 0; i < 400; ++i) {
    QuantParams in = random_params(rng, 0.05, 3);
    // An output range that suits the input: at most its own.
    QuantParams out = s8_params(in.scale[0] * static_cast<float>(rng.uniform(0.4, 1.2)),
                                static_cast<int32_t>(rng.integer(-128, 127)));
    ASSERT_LT(worst_steps(HardSwish{}, in, out, hard_swish), 1.05)
        << in.scale[0] << " " << out.scale[0];
  }
}

TEST(HardSwish, OutsideSixteenBitsIsTheNearestValue) {
  // 130 times finer than the input, and 1000 times coarser.
  EXPECT_LE(worst_steps(HardSwish{}, s8_params(0.05f, 0), s8_params(0.0003f, 7), hard_swish),
            0.5001);
  EXPECT_LE(worst_steps(HardSwish{}, s8_params(0.001f, -3), s8_params(1, 7), hard_swish), 0.5001);
  EXPECT_LE(worst_steps(HardSwish{}, s8_params(1e6f, -3), s8_params(1e6f, 7), hard_swish), 0.5001);
}

TEST(HardSwish, FloatByHand) {
  Tensor src = Tensor::of_floats({5}, std::vector<float>{-4, -3, -1.5f, 1.5f, 5});
  EXPECT_THAT(floats_of(valid_layer(HardSwish{}, {src}).run()),
              ElementsAre(0, 0, -0.375f, 1.125f, 5));
}

TEST(HardSigmoid, IsTheNearestValue) {
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    HardSigmoid op{static_cast<float>(rng.uniform(-0.5, 0.5)), static_cast<float>(rng.uniform())};
    auto real = [&](double x) {
      return std::clamp(static_cast<double>(op.alpha) * x + static_cast<double>(op.beta), 0.0, 1.0);
    };
    ASSERT_LE(worst_steps(op, random_params(rng), s8_params(1.0f / 255, -128), real), 0.5001);
  }
  EXPECT_THAT(layer_error(HardSigmoid{NAN, 0}, {Tensor::of_floats({1}, std::vector<float>{0})}),
              HasSubstr("alpha is nan and beta 0; both must be finite"));
}

TEST(LeakyRelu, ByHand) {
  Tensor src = s8_tensor({5}, {-100, -3, 0, 3, 100}, s8_params(0.5f, 0));
  // alpha 0.5: -1.5 steps; the doubling high multiply takes negative ties towards zero.
  EXPECT_THAT(elems_of(valid_layer(LeakyRelu{0.5f}, {src}, s8_params(0.5f, 10)).run()),
              ElementsAre(-40, 9, 10, 13, 110));
  EXPECT_THAT(elems_of(valid_layer(LeakyRelu{-1}, {src}, s8_params(0.5f, 0)).run()),
              ElementsAre(100, 3, 0, 3, 100));
  EXPECT_THAT(
      floats_of(valid_layer(LeakyRelu{0.1f}, {Tensor::of_floats({2}, std::vector<float>{-10, 10})})
                    .run()),
      ElementsAre(-1, 10));
}

TEST(LeakyRelu, NearTheRealFunction) {
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    LeakyRelu op{static_cast<float>(rng.uniform(-0.5, 1.5))};
    auto real = [&](double x) { return x >= 0 ? x : static_cast<double>(op.alpha) * x; };
    QuantParams in = random_params(rng), out = random_params(rng);
    ASSERT_LE(worst_steps(op, in, out, real, Rounding::kSingle), 0.5001);
    ASSERT_LE(worst_steps(op, in, out, real, Rounding::kTflite), 1.0);
  }
  Tensor src = all_values(s8_params(1, 0));
  EXPECT_THAT(layer_error(LeakyRelu{INFINITY}, {src}, s8_params(1, 0)),
              HasSubstr("alpha is inf, must be finite"));
  EXPECT_THAT(layer_error(LeakyRelu{1e30f}, {src}, s8_params(1, 0)),
              HasSubstr("alpha * input scale / output scale"));
  EXPECT_THAT(layer_error(LeakyRelu{1}, {src}, s8_params(1e-8f, 0)),
              HasSubstr("overflows 32 bits"));
}

TEST(Clamp, SameParametersOnlyClamp) {
  QuantParams params = s8_params(0.1f, -20);
  Tensor src = all_values(params);
  std::vector<int> got = elems_of(valid_layer(Clamp{{0, 6}}, {src}, params).run());
  for (int q = -128; q <= 127; ++q)
    EXPECT_EQ(got[static_cast<size_t>(q + 128)], std::clamp(q, -20, 40));
  EXPECT_THAT(
      floats_of(
          valid_layer(Clamp{{0, 6}}, {Tensor::of_floats({3}, std::vector<float>{-1, 2, 9})}).run()),
      ElementsAre(0, 2, 6));
}

TEST(Clamp, OtherParametersRescale) {
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    Clamp op{{0, INFINITY}};
    auto real = [](double x) { return std::max(x, 0.0); };
    QuantParams in = random_params(rng), out = random_params(rng);
    ASSERT_LE(worst_steps(op, in, out, real, Rounding::kSingle), 0.5001);
    ASSERT_LE(worst_steps(op, in, out, real, Rounding::kTflite), 1.0);
  }
}

TEST(Unary, Errors) {
  Rng rng(1);
  EXPECT_EQ(layer_error(Sigmoid{}, {}), "sigmoid 'node': operand src is missing; it takes src");
  Tensor s16(TensorType{{4}, DType::kS16, QuantParams{{1}, {0}, -1, 16, -32768, 32767}});
  EXPECT_THAT(layer_error(Sigmoid{}, {s16}, kSigmoidOut),
              HasSubstr("src is s16; integer execution of this operator takes s8"));
  EXPECT_THAT(layer_error(Tanh{}, {random_f32(rng, {2}), random_f32(rng, {2})}),
              HasSubstr("has 2 operands, takes src"));
  EXPECT_THAT(layer_error(Clamp{{2, 1}}, {random_f32(rng, {2})}),
              HasSubstr("clamps its output to [2, 1]"));
}

// Noise of one input and one output rounding. hard_sigmoid and clamp keep only part of the signal.
TEST(Unary, SqnrOfRandomData) {
  Rng rng(9);
  Tensor data = random_f32(rng, {4096}, 2);
  EXPECT_GT(float_to_integer_sqnr(Sigmoid{}, {data}), 40);
  EXPECT_GT(float_to_integer_sqnr(Tanh{}, {data}), 34);
  EXPECT_GT(float_to_integer_sqnr(HardSwish{}, {data}), 32);
  EXPECT_GT(float_to_integer_sqnr(HardSigmoid{}, {data}), 40);
  EXPECT_GT(float_to_integer_sqnr(LeakyRelu{0.1f}, {data}), 34);
  EXPECT_GT(float_to_integer_sqnr(Clamp{{0, 6}}, {data}), 34);
}

}  // namespace
}  // namespace nibble
