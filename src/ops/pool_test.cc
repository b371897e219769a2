// max_pool2d and avg_pool2d: hand-computed cases and errors.
#include "support/layer.h"

namespace nibble {
namespace {

Tensor image(std::vector<int8_t> elems, int64_t height, int64_t width, const QuantParams& quant) {
  return s8_tensor({1, height, width, 1}, elems, quant);
}

TEST(MaxPool2d, LargestOfEachWindow) {
  Tensor src = Tensor::of_floats({1, 2, 4, 1}, std::vector<float>{1, 5, -2, -3, 4, 2, -9, -4});
  MaxPool2d op{2, 2, {}, {}};
  op.window.stride_h = op.window.stride_w = 2;
  EXPECT_EQ(floats_of(valid_layer(op, {src}).run()), (std::vector<float>{5, -2}));
  op.act = {0, 4};
  EXPECT_EQ(floats_of(valid_layer(op, {src}).run()), (std::vector<float>{4, 0}));
}

// Padding never wins, though it would stand for real 0 and all elements are negative.
TEST(MaxPool2d, PaddingNeverWins) {
  MaxPool2d op{3, 3, {}, {}};
  op.window.pad_top = op.window.pad_left = op.window.pad_bottom = op.window.pad_right = 1;
  Tensor src = image({-100, -90, -80, -70}, 2, 2, s8_params(1, 0));
  EXPECT_EQ(elems_of(valid_layer(op, {src}, s8_params(1, 0)).run()),
            (std::vector<int>{-70, -70, -70, -70}));
  Tensor real = dequantize_tensor(src);
  EXPECT_EQ(floats_of(valid_layer(op, {real}).run()), (std::vector<float>{-70, -70, -70, -70}));
}

TEST(MaxPool2d, DilationSkipsElements) {
  MaxPool2d op{1, 2, {}, {}};
  op.window.dilation_w = 2;
  Tensor src = image({1, 9, 2, 8, 3}, 1, 5, s8_params(1, 0));
  EXPECT_EQ(elems_of(valid_layer(op, {src}, s8_params(1, 0)).run()), (std::vector<int>{2, 9, 3}));
}

// Sums 5, -5, 6, -6 over 2: 2.5 and -2.5 go away from zero.
TEST(AvgPool2d, QuotientsRoundAwayFromZero) {
  AvgPool2d op{1, 2, {}, false, {}};
  op.window.stride_w = 2;
  Tensor src = image({2, 3, -2, -3, 3, 3, -3, -3}, 1, 8, s8_params(1, 10));
  EXPECT_EQ(elems_of(valid_layer(op, {src}, s8_params(1, 10)).run()),
            (std::vector<int>{3, -3, 3, -3}));
}

// Window of 3 over {10, 20} with one element of padding on the left: mean of 10, 20, or with
// count_pad of 0, 10, 20, where 0 is the zero point -5 in integers: (-5 + 10 + 20) / 3 = 8.33.
TEST(AvgPool2d, PaddingCountsOnlyWhereAsked) {
  AvgPool2d op{1, 3, {}, false, {}};
  op.window.pad_left = 1;
  Tensor src = image({10, 20}, 1, 2, s8_params(1, -5));
  EXPECT_EQ(elems_of(valid_layer(op, {src}, s8_params(1, -5)).run()), (std::vector<int>{15}));
  Tensor real = Tensor::of_floats({1, 1, 2, 1}, std::vector<float>{10, 20});
  EXPECT_EQ(floats_of(valid_layer(op, {real}).run()), (std::vector<float>{15}));
  op.count_pad = true;
  EXPECT_EQ(elems_of(valid_layer(op, {src}, s8_params(1, -5)).run()), (std::vector<int>{8}));
  EXPECT_EQ(floats_of(valid_layer(op, {real}).run()), (std::vector<float>{10}));
}

TEST(Pool, ErrorsSayWhatDoesNotFit) {
  Tensor src = image({1, 2, 3, 4}, 2, 2, s8_params(1, 0));
  MaxPool2d op{2, 2, {}, {}};
  op.window.pad_top = 2;
  EXPECT_EQ(
      layer_error(op, {src}, s8_params(1, 0)),
      "max_pool2d 'node': along the height window 0 lies wholly in the padding; the padding must "
      "be smaller than the window");
  EXPECT_EQ(
      layer_error(AvgPool2d{2, 2, {}, false, {}}, {src}, s8_params(0.5f, 0)),
      "avg_pool2d 'node': src has scale 1 and zero point 0, its output scale 0.5 and zero point "
      "0; this operator keeps them, put a quantize behind it");
  MaxPool2d hostile{int64_t{1} << 40, 1, {}, {}};
  EXPECT_NE(layer_error(hostile, {src}, s8_params(1, 0)).find("at most 2^24"), std::string::npos);
}

}  // namespace
}  // namespace nibble
