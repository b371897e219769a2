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
  Rng rng(12);
  int valid = 0;
  for (int i = 0; i < 2000 && valid < 400; ++i) {
    auto layer = random_depthwise_conv2d(rng);
    if (!layer.ok()) continue;
    ++valid;
    const auto& op = std::get<DepthwiseConv2d>(layer->node().op);
    const Tensor &src = layer->operands[0], &filter = layer->operands[1];
    Tensor out = layer->run();
    const Shape &in = src.shape(), &dst = out.shape(), &f = filter.shape();
    for (int64_t index = 0; index < out.size(); index += 1 + out.size() / 50) {
      int64_t o = index % dst[3], ox = index / dst[3] % dst[2],
              oy = index / dst[3] / dst[2] % dst[1], n = index / (dst[1] * dst[2] * dst[3]);
      int64_t acc = layer->operands.size() > 2 ? layer->operands[2].integer_at(o) : 0;
      for (int64_t ky = 0; ky < f[1]; ++ky)
        for (int64_t kx = 0; kx < f[2]; ++kx) {
          int64_t y = oy * op.window.stride_h + ky * op.window.dilation_h - op.window.pad_top;
          int64_t x = ox * op.window.stride_w + kx * op.window.dilation_w - op.window.pad_left;
          if (y < 0 || y >= in[1] || x < 0 || x >= in[2]) continue;
          int64_t c = o / (f[3] / in[3]);
          acc += (src.integer_at(((n * in[1] + y) * in[2] + x) * in[3] + c) -
                  src.type().quant->zero_point[0]) *
                 filter.integer_at((ky * f[2] + kx) * f[3] + o);
        }
      expect_rescaled(*layer, acc, o, op.act, out.integer_at(index));
    }
  }
  EXPECT_EQ(valid, 400);
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
