// conv2d: hand-computed cases, the definition in 64-bit integers and doubles, oneDNN against the
// loop, and errors.
#include "support/weight_layer.h"

namespace nibble {
namespace {

Window padded_by(int64_t pad) {
  Window window;
  window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = pad;
  return window;
}

// 3x3 image 1..9, filter of ones: sums of neighbourhoods.
TEST(Conv2d, NeighbourhoodSums) {
  Tensor src = Tensor::of_floats({1, 3, 3, 1}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  Tensor filter = Tensor::of_floats({1, 3, 3, 1}, std::vector<float>(9, 1.0f));
  Layer same = valid_layer(Conv2d{padded_by(1), 1, {}}, {src, filter});
  EXPECT_EQ(floats_of(same.run()), (std::vector<float>{12, 21, 16, 27, 45, 33, 24, 39, 28}));
  Tensor bias = Tensor::of_floats({1}, std::vector<float>{-30});
  Layer relu = valid_layer(Conv2d{padded_by(1), 1, {0, 10}}, {src, filter, bias});
  EXPECT_EQ(floats_of(relu.run()), (std::vector<float>{0, 0, 0, 0, 10, 3, 0, 9, 0}));
}

// Two groups: each output sees its own half of the channels.
TEST(Conv2d, GroupsKeepChannelsApart) {
  Tensor src = Tensor::of_floats({1, 1, 2, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  Tensor filter = Tensor::of_floats({2, 1, 1, 2}, std::vector<float>{1, 10, 100, 1000});
  Conv2d op;
  op.groups = 2;
  EXPECT_EQ(floats_of(valid_layer(op, {src, filter}).run()),
            (std::vector<float>{21, 4300, 65, 8700}));
}

// Dilation 2 takes every second element; stride 2 every second window; padding on one side only.
TEST(Conv2d, DilationStrideAndOneSidedPadding) {
  Tensor src = Tensor::of_floats({1, 1, 5, 1}, std::vector<float>{1, 2, 3, 4, 5});
  Tensor filter = Tensor::of_floats({1, 1, 2, 1}, std::vector<float>{1, 10});
  Conv2d op;
  op.window.dilation_w = 2;
  EXPECT_EQ(floats_of(valid_layer(op, {src, filter}).run()), (std::vector<float>{31, 42, 53}));
  op.window.stride_w = 2;
  EXPECT_EQ(floats_of(valid_layer(op, {src, filter}).run()), (std::vector<float>{31, 53}));
  op.window.pad_right = 2;
  EXPECT_EQ(floats_of(valid_layer(op, {src, filter}).run()), (std::vector<float>{31, 53, 5}));
  op.window.pad_right = 0;
  op.window.pad_left = 3;
  EXPECT_EQ(floats_of(valid_layer(op, {src, filter}).run()), (std::vector<float>{0, 20, 42}));
}

// src scale 1/2, zero point 3; filter scales 1/4 and 1/8; output scale 1/2, zero point -1: factors
// 1/4 and 1/8. Pixel q = {5, 1}: centred {2, -2}. Channel 0: 2*3 - 2*5 + 7 = 3, 3/4 → 1, q 0.
// Channel 1: 2*-100 + -2*100 + 8 = -392, -392/8 = -49, q -50.
TEST(Conv2d, IntegerByHand) {
  Tensor filter = s8_tensor({2, 1, 1, 2}, {3, 5, -100, 100},
                            QuantParams{{0.25f, 0.125f}, {0, 0}, 0, 8, -127, 127});
  Tensor bias = Tensor::of<int32_t>({2}, DType::kS32, std::vector<int32_t>{7, 8});
  Tensor src = s8_tensor({1, 1, 1, 2}, {5, 1}, s8_params(0.5f, 3));
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    auto layer = make_layer(Conv2d{}, {src, filter, bias}, s8_params(0.5f, -1), rounding,
                            {false, true, true});
    ASSERT_TRUE(layer.ok()) << layer.error().message;
    EXPECT_EQ(elems_of(layer->run()), (std::vector<int>{0, -50}));
  }
}

// Factor 1/4 on accumulators 2 and -2 (ties of 1/2): tflite goes away from zero, single goes up.
TEST(Conv2d, RoundingsDifferAtTies) {
  Tensor src = s8_tensor({1, 1, 1, 1}, {1}, s8_params(1, 0));
  Tensor filter = s8_tensor({2, 1, 1, 1}, {2, -2}, s8_params(1, 0));
  auto run = [&](Rounding rounding) {
    return elems_of(
        make_layer(Conv2d{}, {src, filter}, s8_params(4, 0), rounding, {false, true})->run());
  };
  EXPECT_EQ(run(Rounding::kTflite), (std::vector<int>{1, -1}));
  EXPECT_EQ(run(Rounding::kSingle), (std::vector<int>{1, 0}));
}

// Relu6 on scale 0.1, zero point -20: real 0 is q -20, real 6 is q 40.
TEST(Conv2d, FusedBoundsAreQuantized) {
  Tensor src = s8_tensor({1, 1, 3, 1}, {-100, 10, 100}, s8_params(0.1f, 0));
  Tensor filter = s8_tensor({1, 1, 1, 1}, {1}, s8_params(1, 0));
  auto layer = make_layer(Conv2d{{}, 1, {0, 6}}, {src, filter}, s8_params(0.1f, -20),
                          Rounding::kTflite, {false, true});
  EXPECT_EQ(elems_of(layer->run()), (std::vector<int>{-20, -10, 40}));
}

TEST(Conv2d, IntegerWithinRoundingOfTheDefinition) {
  for_valid_layers(Rng(11), 400, random_conv2d, [](const Layer& layer) {
    const auto& op = std::get<Conv2d>(layer.node().op);
    const Tensor& filter = layer.operands[1];
    const Shape& f = filter.shape();
    expect_convolution(layer, op, [&](int64_t pixel, int64_t ky, int64_t kx, int64_t o) {
      int64_t group = o / (f[0] / op.groups), sum = 0;
      for (int64_t ic = 0; ic < f[3]; ++ic)
        sum += centred_src(layer, pixel + group * f[3] + ic) *
               filter.integer_at(((o * f[1] + ky) * f[2] + kx) * f[3] + ic);
      return sum;
    });
  });
}

TEST(Conv2d, ErrorsSayWhatDoesNotFit) {
  Rng rng(1);
  Tensor src = random_f32(rng, {1, 8, 8, 4});
  EXPECT_EQ(layer_error(Conv2d{}, {src}),
            "conv2d 'node': operand filter is missing; it takes src, filter, [bias]");
  EXPECT_EQ(layer_error(Conv2d{}, {src, random_f32(rng, {2, 3, 3, 3})}),
            "conv2d 'node': filter 2x3x3x3 takes 3 input channels, src 1x8x8x4 in 1 group has 4");
  Conv2d grouped;
  grouped.groups = 3;
  EXPECT_EQ(layer_error(grouped, {src, random_f32(rng, {3, 3, 3, 4})}),
            "conv2d 'node': 3 groups do not divide 4 input and 3 output channels");
  EXPECT_EQ(
      layer_error(Conv2d{}, {src, random_f32(rng, {2, 9, 3, 4})}),
      "conv2d 'node': along the height the window spans 9 elements, the padded input only 8 (8 + "
      "0 + 0)");
  Conv2d still;
  still.window.stride_h = 0;
  EXPECT_NE(layer_error(still, {src, random_f32(rng, {2, 3, 3, 4})}).find("stride 0"),
            std::string::npos);
  EXPECT_EQ(layer_error(Conv2d{}, {src, random_f32(rng, {2, 3, 3, 4}), random_f32(rng, {3})}),
            "conv2d 'node': bias has shape 3, must have one value for each of 2 channels");
}

}  // namespace
}  // namespace nibble
