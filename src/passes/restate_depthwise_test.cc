// restate_depthwise: depthwise convolutions of one input channel.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(RestateDepthwise, OneChannelBecomesAConvolution) {
  Graph after = after_pass(restate_depthwise, graph_of(R"(input %x : f32[1,5,6,1]
const %w : f32[1,2,3,4] = random
const %b : f32[4] = random
node "dw" %y : f32[1,2,3,4] = depthwise_conv2d(%x, %w, %b) stride_h=2 stride_w=2 pad_left=1 act=[0,1]
output %y
)"));
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Conv2d>(after.nodes[0].op));
}

TEST(RestateDepthwise, IntegersKeepTheirScales) {
  Graph after = after_pass(
      restate_depthwise,
      graph_of(R"(input %x : s8[1,4,4,1] {scale=[0.1], zero_point=[3], bits=8, range=[-128,127]}
const %w : s8[1,2,2,3] {scale=[0.1,0.2,0.3], zero_point=[0,0,0], axis=3, bits=8, range=[-127,127]} = random
node "dw" %y : s8[1,3,3,3] {scale=[0.5], zero_point=[-7], bits=8, range=[-128,127]} = depthwise_conv2d(%x, %w, _)
output %y
)"));
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Conv2d>(after.nodes[0].op));
  EXPECT_EQ(after.type(after.nodes[0].inputs[1]).quant->axis, 0);
}

TEST(RestateDepthwise, SeveralChannelsStay) {
  expect_untouched(restate_depthwise, R"(input %x : f32[1,4,4,2]
const %w : f32[1,2,2,2] = random
node "dw" %y : f32[1,3,3,2] = depthwise_conv2d(%x, %w, _)
output %y
)");
}

}  // namespace
}  // namespace nibble
