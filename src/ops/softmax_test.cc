// softmax: real values, rows, distance of the fixed-point evaluation from the real function,
// extreme scales, error texts.
#include <gmock/gmock.h>

#include "support/layer.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const QuantParams kOut = s8_params(1.0f / 256, -128);

TEST(Softmax, FloatRows) {
  Tensor src = Tensor::of_floats({2, 2}, std::vector<float>{0, 0, 1000, 1000 + std::log(3.0f)});
  std::vector<float> got = floats_of(valid_layer(Softmax{}, {src}).run());
  EXPECT_EQ(got[0], 0.5f);
  EXPECT_NEAR(got[2], 0.25, 1e-4);
  EXPECT_NEAR(got[3], 0.75, 1e-4);
}

TEST(Softmax, IntegersByHand) {
  // Two equal: 1/2 each. A lead of ln 3 (11 steps of a tenth of it): 3/4 to 1/4.
  Tensor equal = s8_tensor({1, 2}, {77, 77}, s8_params(0.3f, -9));
  EXPECT_THAT(elems_of(valid_layer(Softmax{}, {equal}, kOut).run()), ElementsAre(0, 0));
  Tensor lead = s8_tensor({1, 2}, {0, 11}, s8_params(std::log(3.0f) / 11, 0));
  EXPECT_THAT(elems_of(valid_layer(Softmax{}, {lead}, kOut).run()), ElementsAre(-64, 64));
  // One element is certain, and saturates below 256/256.
  Tensor one = s8_tensor({1, 1}, {-128}, s8_params(0.3f, 0));
  EXPECT_THAT(elems_of(valid_layer(Softmax{}, {one}, kOut).run()), ElementsAre(127));
}

TEST(Softmax, NearTheRealFunction) {
  Rng rng(1);
  for (int i = 0; i < 600; ++i) {
    QuantParams in = random_params(rng, 0.05, 5);
    Softmax op{static_cast<float>(rng.uniform(0.2, 3))};
    int64_t len = rng.integer(1, 40);
    Tensor src = random_s8(rng, {3, len}, in);
    Tensor dst = valid_layer(op, {src}, kOut).run();
    for (int64_t row = 0; row < 3; ++row) {
      double sum = 0;
      int64_t max = -128;
      for (int64_t k = 0; k < len; ++k) max = std::max(max, src.integer_at(row * len + k));
      auto weight = [&](int64_t k) {
        return std::exp(static_cast<double>(op.beta) * static_cast<double>(in.scale[0]) *
                        static_cast<double>(src.integer_at(row * len + k) - max));
      };
      for (int64_t k = 0; k < len; ++k) sum += weight(k);
      for (int64_t k = 0; k < len; ++k) {
        double exact = std::min(256 * weight(k) / sum - 128, 127.0);
        ASSERT_NEAR(static_cast<double>(dst.integer_at(row * len + k)), exact, 0.502);
      }
    }
  }
}

TEST(Softmax, ExtremeScales) {
  Tensor src = s8_tensor({1, 4}, {-128, 0, 126, 127}, s8_params(1, 0));
  // So coarse that only the largest counts, so fine that all are equal.
  for (float scale : {1e3f, 1e12f, 1e30f}) {
    src.set_quant(s8_params(scale, 0));
    EXPECT_THAT(elems_of(valid_layer(Softmax{}, {src}, kOut).run()),
                ElementsAre(-128, -128, -128, 127))
        << scale;
  }
  for (float scale : {1e-9f, 1e-20f, 1e-37f}) {
    src.set_quant(s8_params(scale, 0));
    EXPECT_THAT(elems_of(valid_layer(Softmax{}, {src}, kOut).run()),
                ElementsAre(-64, -64, -64, -64))
        << scale;
  }
}

TEST(Softmax, ManyEqualElementsRoundToZero) {
  Tensor src(TensorType{{1, 4095}, DType::kS8, s8_params(0.1f, 0)});
  for (int q : elems_of(valid_layer(Softmax{}, {src}, kOut).run())) ASSERT_EQ(q, -128);
  Tensor few(TensorType{{1, 500}, DType::kS8, s8_params(0.1f, 0)});
  for (int q : elems_of(valid_layer(Softmax{}, {few}, kOut).run())) ASSERT_EQ(q, -127);
}

TEST(Softmax, Errors) {
  Rng rng(1);
  Tensor src = random_s8(rng, {1, 10}, s8_params(0.1f, 0));
  EXPECT_EQ(layer_error(Softmax{}, {src}, s8_params(0.5f, 1)),
            "softmax 'node': the output has scale 0.5 and zero point 1, integer softmax gives "
            "1/256 and -128; put "
            "a quantize behind it");
  EXPECT_THAT(layer_error(Softmax{}, {random_s8(rng, {1, 4096}, s8_params(0.1f, 0))}, kOut),
              HasSubstr("runs over 4096 elements, integer softmax takes 4095 at most"));
  EXPECT_THAT(layer_error(Softmax{0}, {src}, kOut),
              HasSubstr("beta is 0, must be positive and finite"));
  EXPECT_THAT(layer_error(Softmax{}, {random_f32(rng, {})}), HasSubstr("must have rank 1 or more"));
}

TEST(Softmax, SqnrOfRandomData) {
  Rng rng(2);
  EXPECT_GT(float_to_integer_sqnr(Softmax{}, {random_f32(rng, {100, 10}, 2)}), 28);
}

}  // namespace
}  // namespace nibble
