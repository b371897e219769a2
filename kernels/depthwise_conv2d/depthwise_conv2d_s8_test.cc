// depthwise_conv2d_s8 against the integer reference of depthwise_conv2d.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(DepthwiseConv2dKernel, EqualsReference) {
  int multiplied = 0, dilated = 0, outside = 0;
  int valid = compare_random_layers(1500, [&](Rng& rng) {
    auto layer = random_depthwise_conv2d(rng);
    if (!layer.ok()) return layer;
    const auto& op = std::get<DepthwiseConv2d>(layer->node().op);
    const Shape &src = layer->operands[0].shape(), &filter = layer->operands[1].shape();
    multiplied += filter[3] > src[3];
    dilated += op.window.dilation_h > 1 || op.window.dilation_w > 1;
    outside += op.window.pad_top >= filter[1] && op.window.dilation_h == 1;
    return layer;
  });
  EXPECT_EQ(valid, 1500);
  EXPECT_GT(multiplied, 100);
  EXPECT_GT(dilated, 100);
  EXPECT_GT(outside, 50);
}

}  // namespace
}  // namespace nibble
