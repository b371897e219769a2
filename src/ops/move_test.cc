// The operators that move elements: hand-made examples, positions from first principles, error
// texts.
#include <gmock/gmock.h>

#include <numeric>

#include "support/layer.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 0, 1, 2, ...
Tensor counted(Shape shape) {
  Tensor tensor(TensorType{std::move(shape), DType::kF32, std::nullopt});
  auto elems = tensor.mutable_data<float>();
  std::iota(elems.begin(), elems.end(), 0.0f);
  return tensor;
}

TEST(Reshape, KeepsElements) {
  Layer layer = valid_layer(Reshape{{3, 2}}, {counted({2, 3})});
  EXPECT_EQ(layer.out_type().shape, (Shape{3, 2}));
  EXPECT_THAT(floats_of(layer.run()), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(layer_error(Reshape{{4, 2}}, {counted({2, 3})}),
            "reshape 'node': src 2x3 has 6 elements, shape 4x2 has 8");
  EXPECT_THAT(layer_error(Reshape{{-1, 2}}, {counted({2, 3})}),
              HasSubstr("every extent must be 1 or more"));
  EXPECT_THAT(layer_error(Reshape{{int64_t{1} << 40, int64_t{1} << 40}}, {counted({2, 3})}),
              HasSubstr("fewer than 2^30"));
}

TEST(Transpose, MovesAxes) {
  EXPECT_THAT(floats_of(valid_layer(Transpose{{1, 0}}, {counted({2, 3})}).run()),
              ElementsAre(0, 3, 1, 4, 2, 5));
  // NCHW to NHWC: element (h, w, c) of the result is (c, h, w) of the source.
  Layer layer = valid_layer(Transpose{{0, 2, 3, 1}}, {counted({1, 3, 4, 5})});
  EXPECT_EQ(layer.out_type().shape, (Shape{1, 4, 5, 3}));
  std::vector<float> got = floats_of(layer.run());
  for (size_t h = 0; h < 4; ++h)
    for (size_t w = 0; w < 5; ++w)
      for (size_t c = 0; c < 3; ++c)
        EXPECT_EQ(got[(h * 5 + w) * 3 + c], static_cast<float>((c * 4 + h) * 5 + w));
  EXPECT_EQ(layer_error(Transpose{{0, 0}}, {counted({2, 3})}),
            "transpose 'node': perm [0, 0] must name each of the 2 axes of src 2x3 once");
  EXPECT_THAT(layer_error(Transpose{{0, 2}}, {counted({2, 3})}), HasSubstr("perm [0, 2]"));
  EXPECT_THAT(layer_error(Transpose{{0}}, {counted({2, 3})}), HasSubstr("perm [0]"));
}

TEST(Transpose, OfAxesThatHoldOneElementCostsNothing) {
  Rng rng(1);
  Layer layer = valid_layer(Transpose{{0, 2, 3, 1}},
                            {random_s8(rng, {1, 8, 1, 1}, s8_params(1, 0))}, s8_params(1, 0));
  EXPECT_TRUE(lower_node(layer.graph, layer.node())->empty());
}

TEST(Slice, StepsBothWays) {
  Layer layer = valid_layer(Slice{{1, 4}, {2, 3}, {1, -2}}, {counted({3, 5})});
  EXPECT_THAT(floats_of(layer.run()), ElementsAre(9, 7, 5, 14, 12, 10));
  EXPECT_THAT(floats_of(valid_layer(Slice{{2}, {1}, {1000}}, {counted({4})}).run()),
              ElementsAre(2));
  EXPECT_EQ(
      layer_error(Slice{{1}, {4}, {1}}, {counted({4})}),
      "slice 'node': axis 0: 4 elements from 1 in steps of 1 do not lie within 0 to 3 (src 4)");
  EXPECT_THAT(layer_error(Slice{{0}, {1}, {0}}, {counted({4})}), HasSubstr("in steps of 0"));
  EXPECT_THAT(layer_error(Slice{{1}, {3}, {-1}}, {counted({4})}), HasSubstr("do not lie within"));
  EXPECT_THAT(layer_error(Slice{{0}, {4}, {INT64_MAX}}, {counted({4})}),
              HasSubstr("do not lie within"));
  EXPECT_THAT(layer_error(Slice{{0}, {INT64_MAX}, {1}}, {counted({4})}),
              HasSubstr("do not lie within"));
  EXPECT_THAT(layer_error(Slice{{0, 0}, {1}, {1}}, {counted({4})}),
              HasSubstr("needs one for each of its 1 axes"));
}

TEST(Concat, AlongAnyAxis) {
  EXPECT_THAT(floats_of(valid_layer(Concat{1}, {counted({2, 2}), counted({2, 1})}).run()),
              ElementsAre(0, 1, 0, 2, 3, 1));
  EXPECT_THAT(floats_of(valid_layer(Concat{0}, {counted({1, 2}), counted({2, 2})}).run()),
              ElementsAre(0, 1, 0, 1, 2, 3));
  EXPECT_EQ(
      layer_error(Concat{1}, {counted({2, 2}), counted({3, 1})}),
      "concat 'node': operand 1 has shape 3x1, the first 2x2; they may differ along axis 1 only");
  EXPECT_THAT(layer_error(Concat{2}, {counted({2, 2})}), HasSubstr("axis is 2, must be 0 to 1"));
  EXPECT_THAT(layer_error(Concat{-1}, {counted({2, 2})}), HasSubstr("axis is -1"));
  EXPECT_THAT(layer_error(Concat{0}, {}), HasSubstr("has no operands"));
}

TEST(Concat, RescalesWhatDiffers) {
  Tensor same = s8_tensor({2}, {10, -128}, s8_params(0.5f, 0));
  Tensor finer = s8_tensor({3}, {9, 127, 2}, s8_params(0.25f, 1));
  // (9 - 1) * 0.25 = 2 = 4 steps; (127 - 1) * 0.25 = 63 steps; 0.25 = half a step, away from zero.
  EXPECT_THAT(elems_of(valid_layer(Concat{0}, {same, finer}, s8_params(0.5f, 0)).run()),
              ElementsAre(10, -128, 4, 63, 1));
}

TEST(Pad, FillsWithTheValue) {
  EXPECT_THAT(floats_of(valid_layer(Pad{{1, 0}, {0, 2}, 7}, {counted({1, 2})}).run()),
              ElementsAre(7, 7, 7, 7, 0, 1, 7, 7));
  // Integers: real 0 is the zero point, 2.5 is 5 steps above it, 1e9 saturates.
  Tensor src = s8_tensor({1}, {3}, s8_params(0.5f, -20));
  EXPECT_THAT(elems_of(valid_layer(Pad{{1}, {1}, 0}, {src}, s8_params(0.5f, -20)).run()),
              ElementsAre(-20, 3, -20));
  EXPECT_THAT(elems_of(valid_layer(Pad{{1}, {0}, 2.5f}, {src}, s8_params(0.5f, -20)).run()),
              ElementsAre(-15, 3));
  EXPECT_THAT(elems_of(valid_layer(Pad{{0}, {1}, 1e9f}, {src}, s8_params(0.5f, -20)).run()),
              ElementsAre(3, 127));
  EXPECT_THAT(layer_error(Pad{{1}, {0}, 0}, {src}, s8_params(0.25f, -20)),
              HasSubstr("this operator keeps them, put a quantize behind it"));
}

TEST(Pad, Errors) {
  EXPECT_THAT(layer_error(Pad{{1}, {0, 0}, 0}, {counted({1, 2})}),
              HasSubstr("before and after have 1 and 2 entries"));
  EXPECT_THAT(layer_error(Pad{{-1, 0}, {0, 0}, 0}, {counted({1, 2})}),
              HasSubstr("pads axis 0 by -1 and 0"));
  EXPECT_THAT(layer_error(Pad{{INT64_MAX, 0}, {INT64_MAX, 0}, 0}, {counted({1, 2})}),
              HasSubstr("must be 0 to 2^24"));
  EXPECT_THAT(layer_error(Pad{{1 << 24, 1 << 24}, {0, 0}, 0}, {counted({1, 2})}),
              HasSubstr("fewer than 2^30"));
  EXPECT_THAT(layer_error(Pad{{0, 0}, {0, 0}, NAN}, {counted({1, 2})}), HasSubstr("not a number"));
}

TEST(Pad, EveryPositionOfARandomPad) {
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    Pad pad;
    pad.value = -1;
    Shape shape;
    for (int axis = 0; axis < 5; ++axis) {
      shape.push_back(rng.integer(1, 3));
      pad.before.push_back(rng.integer(0, 1) * rng.integer(0, 2));
      pad.after.push_back(rng.integer(0, 1) * rng.integer(0, 2));
    }
    Layer layer = valid_layer(pad, {counted(shape)});
    Shape out = layer.out_type().shape;
    std::vector<float> got = floats_of(layer.run());
    for (int64_t at = 0; at < elem_count(out); ++at) {
      int64_t rest = at, source = 0, step = 1;
      bool inside = true;
      for (size_t axis = 5; axis-- > 0;) {
        int64_t index = rest % out[axis] - pad.before[axis];
        rest /= out[axis];
        inside = inside && index >= 0 && index < shape[axis];
        source += index * step;
        step *= shape[axis];
      }
      ASSERT_EQ(got[static_cast<size_t>(at)], inside ? static_cast<float>(source) : -1.0f);
    }
  }
}

TEST(ResizeNearest, ByHand) {
  // Twice as wide: each pixel twice. TensorFlow's rules differ when shrinking 4 to 2: floor(2x)
  // against floor(2x + 1).
  EXPECT_THAT(floats_of(valid_layer(ResizeNearest{1, 4}, {counted({1, 1, 2, 1})}).run()),
              ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(floats_of(valid_layer(ResizeNearest{1, 2}, {counted({1, 1, 4, 1})}).run()),
              ElementsAre(0, 2));
  EXPECT_THAT(floats_of(valid_layer(ResizeNearest{1, 2, true}, {counted({1, 1, 4, 1})}).run()),
              ElementsAre(1, 3));
  // Corners aligned: 0, 3 * 1/2 = 1.5 rounds to 2, 3.
  EXPECT_THAT(
      floats_of(valid_layer(ResizeNearest{1, 3, false, true}, {counted({1, 1, 4, 1})}).run()),
      ElementsAre(0, 2, 3));
  // Channels stay together, rows repeat.
  EXPECT_THAT(floats_of(valid_layer(ResizeNearest{2, 1}, {counted({1, 1, 1, 3})}).run()),
              ElementsAre(0, 1, 2, 0, 1, 2));
  EXPECT_EQ(
      layer_error(ResizeNearest{0, 3}, {counted({1, 2, 2, 1})}),
      "resize_nearest 'node': resizes src 1x2x2x1 to 0x3; heights and widths must be 1 to 32767");
  EXPECT_THAT(layer_error(ResizeNearest{1, 1}, {counted({2, 2})}), HasSubstr("must have rank 4"));
}

TEST(ResizeNearest, SourcePositions) {
  EXPECT_THAT(source_positions({5, 1, false, false}, 3, 5), ElementsAre(0, 0, 1, 1, 2));
  EXPECT_THAT(source_positions({5, 1, false, true}, 3, 5), ElementsAre(0, 1, 1, 2, 2));
  EXPECT_THAT(source_positions({2, 1, true, false}, 4, 2), ElementsAre(1, 3));
  EXPECT_THAT(source_positions({1, 1, false, true}, 4, 1), ElementsAre(0));
}

TEST(Move, OtherElementTypes) {
  Tensor indices =
      Tensor::of<int64_t>({2, 2}, DType::kS64, std::vector<int64_t>{1, 2, 3, int64_t{1} << 50});
  EXPECT_EQ(valid_layer(Transpose{{1, 0}}, {indices}).run().integer_at(3), int64_t{1} << 50);
  EXPECT_EQ(valid_layer(Slice{{1, 1}, {1, 1}, {1, 1}}, {indices}).run().integer_at(0),
            int64_t{1} << 50);
  EXPECT_EQ(valid_layer(Concat{0}, {indices, indices}).run().integer_at(7), int64_t{1} << 50);
  EXPECT_EQ(valid_layer(Pad{{0, 0}, {0, 1}, -2}, {indices}).run().integer_at(2), -2);
}

TEST(Move, IntegersKeepTheirBytes) {
  Rng rng(4);
  Tensor real = random_f32(rng, {1, 6, 6, 4});
  // Only the rounding of the input: 6 deviations over 256 steps.
  for (const Op& op :
       {Op(Transpose{{0, 3, 1, 2}}), Op(Reshape{{36, 4}}), Op(ResizeNearest{12, 12}),
        Op(Slice{{0, 1, 1, 0}, {1, 4, 4, 4}, {1, 1, 1, 1}}), Op(Pad{{0, 1, 1, 0}, {0, 1, 1, 0}})})
    EXPECT_GT(float_to_integer_sqnr(op, {real}), 40) << op_name(op);
  EXPECT_GT(float_to_integer_sqnr(Concat{3}, {real, random_f32(rng, {1, 6, 6, 2}, 3)}), 34);
}

}  // namespace
}  // namespace nibble
