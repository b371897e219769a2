// add and sub: broadcasting, hand-computed integers, distance from the real result, error texts.
#include <gmock/gmock.h>

#include "support/layer.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor f32(Shape shape, std::vector<float> elems) {
  return Tensor::of_floats(std::move(shape), elems);
}

TEST(Add, FloatBroadcasts) {
  EXPECT_THAT(
      floats_of(
          valid_layer(Add{}, {f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({3}, {10, 20, 30})}).run()),
      ElementsAre(11, 22, 33, 14, 25, 36));
  EXPECT_THAT(floats_of(valid_layer(Add{}, {f32({2, 1}, {1, 2}), f32({1, 2}, {10, 20})}).run()),
              ElementsAre(11, 21, 12, 22));
  EXPECT_THAT(floats_of(valid_layer(Sub{}, {f32({}, {1}), f32({2}, {10, 20})}).run()),
              ElementsAre(-9, -19));
  EXPECT_THAT(
      floats_of(valid_layer(Add{{0, 6}}, {f32({3}, {-5, 1, 9}), f32({3}, {0, 1, 2})}).run()),
      ElementsAre(0, 2, 6));
}

TEST(Add, EveryBroadcastOfTwoShapes) {
  // All pairs of shapes over extents {1, 2, 3} against an index computation from first principles.
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    Shape lhs, rhs, out;
    for (int axis = 0; axis < 4; ++axis) {
      int64_t extent = rng.integer(1, 3);
      bool lhs_one = rng.next() % 3 == 0, rhs_one = rng.next() % 3 == 0;
      lhs.push_back(lhs_one ? 1 : extent);
      rhs.push_back(rhs_one ? 1 : extent);
      out.push_back(std::max(lhs.back(), rhs.back()));
    }
    Tensor a = random_f32(rng, lhs), b = random_f32(rng, rhs);
    Layer layer = valid_layer(Sub{}, {a, b});
    ASSERT_EQ(layer.out_type().shape, out);
    std::vector<float> got = floats_of(layer.run());
    for (int64_t at = 0; at < elem_count(out); ++at) {
      int64_t rest = at, a_at = 0, b_at = 0, a_step = 1, b_step = 1;
      for (size_t axis = 4; axis-- > 0;) {
        int64_t index = rest % out[axis];
        rest /= out[axis];
        a_at += std::min(index, lhs[axis] - 1) * a_step;
        b_at += std::min(index, rhs[axis] - 1) * b_step;
        a_step *= lhs[axis];
        b_step *= rhs[axis];
      }
      ASSERT_EQ(got[static_cast<size_t>(at)], a.data<float>()[static_cast<size_t>(a_at)] -
                                                  b.data<float>()[static_cast<size_t>(b_at)]);
    }
  }
}

TEST(Add, IntegersByHand) {
  // Scales 0.5 and 0.25 into 0.5: 3*0.5 + 5*0.25 = 2.75 = 5.5 steps, ties away from zero; -2.75
  // likewise.
  Tensor lhs = s8_tensor({4}, {3, -3, 127, -128}, s8_params(0.5f, 0));
  Tensor rhs = s8_tensor({4}, {5, -5, 127, -128}, s8_params(0.25f, 0));
  EXPECT_THAT(elems_of(valid_layer(Add{}, {lhs, rhs}, s8_params(0.5f, 0)).run()),
              ElementsAre(6, -6, 127, -128));
  // 3*0.5 - 5*0.25 = 0.25 = half a step.
  EXPECT_THAT(elems_of(valid_layer(Sub{}, {lhs, rhs}, s8_params(0.5f, 0)).run()),
              ElementsAre(1, -1, 64, -64));
  // Zero points, and relu6 as an integer clamp at 6/0.5 - 10 = 2.
  Tensor shifted = s8_tensor({3}, {-10, 10, 20}, s8_params(0.5f, -10));
  EXPECT_THAT(elems_of(valid_layer(Add{{0, 6}}, {shifted, shifted}, s8_params(0.5f, -10)).run()),
              ElementsAre(-10, 2, 2));
}

template <class T>
void expect_within_a_step(double sign) {
  Rng rng(2);
  int compared = 0;
  for (int i = 0; i < 400; ++i) {
    QuantParams a = random_params(rng), b = random_params(rng), o = random_params(rng, 0.1, 3);
    Tensor lhs = random_s8(rng, {64}, a), rhs = random_s8(rng, {64}, b);
    for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
      auto layer = make_layer(T{}, {lhs, rhs}, o, rounding);
      ASSERT_TRUE(layer.ok()) << layer.error().message;
      Tensor out = layer->run();
      for (int64_t k = 0; k < 64; ++k) {
        double real = static_cast<double>(a.scale[0]) *
                          static_cast<double>(lhs.integer_at(k) - a.zero_point[0]) +
                      sign * static_cast<double>(b.scale[0]) *
                          static_cast<double>(rhs.integer_at(k) - b.zero_point[0]);
        double exact =
            std::clamp(real / static_cast<double>(o.scale[0]) + o.zero_point[0], -128.0, 127.0);
        // Half a step by rounding the output, and what two inputs with 20 bits below them lose.
        ASSERT_NEAR(static_cast<double>(out.integer_at(k)), exact, 0.502);
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 400 * 2 * 64);
}

TEST(Add, IntegersNearTheRealSum) { expect_within_a_step<Add>(1); }
TEST(Sub, IntegersNearTheRealDifference) { expect_within_a_step<Sub>(-1); }

TEST(Add, PlainIntegers) {
  Tensor a = Tensor::of<int64_t>({2}, DType::kS64, std::vector<int64_t>{int64_t{1} << 40, -3});
  Tensor b = Tensor::of<int64_t>({1}, DType::kS64, std::vector<int64_t>{5});
  Layer layer = valid_layer(Sub{}, {a, b});
  EXPECT_EQ(layer.run().integer_at(0), (int64_t{1} << 40) - 5);
  EXPECT_EQ(layer.run().integer_at(1), -8);
}

TEST(Add, Errors) {
  Rng rng(3);
  EXPECT_EQ(layer_error(Add{}, {random_f32(rng, {1, 4, 4, 8}), random_f32(rng, {4, 3})}),
            "add 'node': lhs 1x4x4x8 and rhs 4x3 do not broadcast: extents 8 and 3 on axis 1 from "
            "the end "
            "must be equal, or one of them 1");
  EXPECT_THAT(layer_error(Add{}, {random_f32(rng, {4})}), HasSubstr("operand rhs is missing"));
  EXPECT_THAT(layer_error(Add{}, {random_f32(rng, {4}), random_s8(rng, {4}, s8_params(1, 0))}),
              HasSubstr("lhs is f32 and rhs is s8; both must have one element type"));
  EXPECT_THAT(layer_error(Add{{1, 0}}, {random_f32(rng, {4}), random_f32(rng, {4})}),
              HasSubstr("clamps its output to [1, 0]"));
  EXPECT_THAT(layer_error(Add{{NAN, 0}}, {random_f32(rng, {4}), random_f32(rng, {4})}),
              HasSubstr("clamps its output to [nan, 0]"));
  EXPECT_THAT(
      layer_error(Sub{},
                  {random_s8(rng, {4}, s8_params(1, 0)), random_s8(rng, {4}, s8_params(1, 0))},
                  s8_params(1e-7f, 0)),
      HasSubstr(
          "do not go into an output of scale 1e-07; it must be more than 2^-19 of the larger"));
  // Two large shapes may broadcast to an absurd one.
  EXPECT_THAT(layer_error(Add{}, {Tensor(TensorType{{65536, 1}, DType::kS8, s8_params(1, 0)}),
                                  Tensor(TensorType{{1, 65536}, DType::kS8, s8_params(1, 0)})}),
              HasSubstr("the output has shape 65536x65536"));
}

TEST(AddAndSub, SqnrOfRandomData) {
  Rng rng(5);
  // Uniform noise of a step against normal data over six deviations or so: 8 bits give about 37 dB
  // for each of three roundings.
  EXPECT_GT(float_to_integer_sqnr(Add{}, {random_f32(rng, {4096}), random_f32(rng, {4096}, 2)}),
            35);
  EXPECT_GT(float_to_integer_sqnr(Sub{}, {random_f32(rng, {4096}), random_f32(rng, {4096}, 2)}),
            35);
}

}  // namespace
}  // namespace nibble
