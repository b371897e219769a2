// depthwise_conv2d: hand-computed cases, the definition in 64-bit integers and doubles, and errors.
#include "support/weight_layer.h"

namespace nibble {
namespace {

// Channel c is multiplied by its own filters only; output channels of one input channel stand
// together.
TEST(DepthwiseConv2d, ChannelsAndTheirMultiples) {
  Tensor src = Tensor::of_floats({1, 1, 2, 2}, std::vector<float>{1, 2, 3, 4});
  Tensor one = Tensor::of_floats({1, 1, 2, 2}, std::vector<float>{1, 10, 100, 1000});
  EXPECT_EQ(floats_of(valid_layer(DepthwiseConv2d{}, {src, one}).run()),
            (std::vector<float>{301, 4020}));
  Tensor two = Tensor::of_floats({1, 1, 1, 4}, std::vector<float>{1, 10, 100, 1000});
  EXPECT_EQ(floats_of(valid_layer(DepthwiseConv2d{}, {src, two}).run()),
            (std::vector<float>{1, 10, 200, 2000, 3, 30, 400, 4000}));
}

TEST(DepthwiseConv2d, IntegerWithinRoundingOfTheDefinition) {
  for_valid_layers(Rng(12), 400, random_depthwise_conv2d, [](const Layer& layer) {
    const auto& op = std::get<DepthwiseConv2d>(layer.node().op);
    const Tensor& filter = layer.operands[1];
    const Shape& f = filter.shape();
    int64_t multiplier = f[3] / layer.operands[0].shape()[3];
    expect_convolution(layer, op, [&](int64_t pixel, int64_t ky, int64_t kx, int64_t o) {
      return centred_src(layer, pixel + o / multiplier) *
             filter.integer_at((ky * f[2] + kx) * f[3] + o);
    });
  });
}

TEST(DepthwiseConv2d, ErrorsSayWhatDoesNotFit) {
  Rng rng(1);
  Tensor src = random_f32(rng, {1, 8, 8, 4});
  EXPECT_EQ(layer_error(DepthwiseConv2d{}, {src, random_f32(rng, {2, 3, 3, 4})}),
            "depthwise_conv2d 'node': filter has shape 2x3x3x4, its first extent must be 1");
  EXPECT_EQ(
      layer_error(DepthwiseConv2d{}, {src, random_f32(rng, {1, 3, 3, 6})}),
      "depthwise_conv2d 'node': filter 1x3x3x6 has 6 channels, not a multiple of the 4 channels "
      "of src 1x8x8x4");
  EXPECT_EQ(
      layer_error(DepthwiseConv2d{}, {random_f32(rng, {8, 8, 4}), random_f32(rng, {1, 3, 3, 4})}),
      "depthwise_conv2d 'node': src has shape 8x8x4 of rank 3, must have rank 4");
}

}  // namespace
}  // namespace nibble
