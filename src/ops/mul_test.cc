// mul: broadcasting, hand-computed integers, distance from the real product, error texts.
#include <gmock/gmock.h>

#include "support/layer.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Mul, FloatBroadcasts) {
  Tensor lhs = Tensor::of_floats({2, 2}, std::vector<float>{1, 2, 3, 4});
  Tensor rhs = Tensor::of_floats({2, 1}, std::vector<float>{10, -1});
  EXPECT_THAT(floats_of(valid_layer(Mul{}, {lhs, rhs}).run()), ElementsAre(10, 20, -3, -4));
  EXPECT_THAT(floats_of(valid_layer(Mul{{0, 15}}, {lhs, rhs}).run()), ElementsAre(10, 15, 0, 0));
}

TEST(Mul, IntegersByHand) {
  // (q - 2) * 0.5 times (q + 1) * 0.25 over 0.125: the factor is 1.
  Tensor lhs = s8_tensor({4}, {4, 0, 127, -128}, s8_params(0.5f, 2));
  Tensor rhs = s8_tensor({4}, {4, 4, 127, 127}, s8_params(0.25f, -1));
  EXPECT_THAT(elems_of(valid_layer(Mul{}, {lhs, rhs}, s8_params(0.125f, 3)).run()),
              ElementsAre(2 * 5 + 3, -2 * 5 + 3, 127, -128));
  // The factor 1/4: 10/4 = 2.5 rounds away from zero, and so does -2.5.
  EXPECT_THAT(elems_of(valid_layer(Mul{}, {lhs, rhs}, s8_params(0.5f, 0)).run()),
              ElementsAre(3, -3, 127, -128));
}

TEST(Mul, IntegersNearTheRealProduct) {
  Rng rng(2);
  for (int i = 0; i < 400; ++i) {
    QuantParams a = random_params(rng), b = random_params(rng);
    double product = static_cast<double>(a.scale[0]) * static_cast<double>(b.scale[0]);
    QuantParams o = random_params(rng, product * 100, 3);
    Tensor lhs = random_s8(rng, {8, 8}, a), rhs = random_s8(rng, {8}, b);
    for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
      auto layer = make_layer(Mul{}, {lhs, rhs}, o, rounding);
      ASSERT_TRUE(layer.ok()) << layer.error().message;
      Tensor out = layer->run();
      for (int64_t k = 0; k < 64; ++k) {
        double centred = static_cast<double>(lhs.integer_at(k) - a.zero_point[0]) *
                         static_cast<double>(rhs.integer_at(k % 8) - b.zero_point[0]);
        double exact = std::clamp(
            product * centred / static_cast<double>(o.scale[0]) + o.zero_point[0], -128.0, 127.0);
        // Double rounding: half a step, and half of what the shift after it drops.
        ASSERT_NEAR(static_cast<double>(out.integer_at(k)), exact,
                    rounding == Rounding::kSingle ? 0.5001 : 1.0);
      }
    }
  }
}

TEST(Mul, Errors) {
  Rng rng(3);
  EXPECT_THAT(layer_error(Mul{}, {random_f32(rng, {3}), random_f32(rng, {4})}),
              HasSubstr("lhs 3 and rhs 4 do not broadcast"));
  Tensor s8 = random_s8(rng, {4}, s8_params(1, 0));
  EXPECT_THAT(layer_error(Mul{}, {s8, s8}, s8_params(1e-6f, 0)), HasSubstr("overflows 32 bits"));
  EXPECT_THAT(layer_error(Mul{}, {s8, s8}, s8_params(1e-20f, 0)),
              HasSubstr("lhs scale * rhs scale / output scale"));
}

TEST(Mul, SqnrOfRandomData) {
  Rng rng(5);
  EXPECT_GT(float_to_integer_sqnr(Mul{}, {random_f32(rng, {4096}), random_f32(rng, {4096}, 2)}),
            25);
}

}  // namespace
}  // namespace nibble
