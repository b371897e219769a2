// fuse_pads: into every window that may take the padding, in float and in integers; not where the
// function would change.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[7], bits=8, range=[-128,127]}";
const std::string kPad = "pad(%x) before=[0,1,2,0] after=[0,0,1,0]";

// A layer behind a pad from [1,5,5,3] to [1,6,8,3].
std::string padded(bool integer, const std::string& pad, const std::string& layer) {
  const std::string dtype = integer ? "s8" : "f32", quant = integer ? kQuant : "";
  const std::string weight_quant =
      integer ? " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}" : "";
  return "input %x : " + dtype + "[1,5,5,3]" + quant + "\nnode \"pad\" %p : " + dtype +
         "[1,6,8,3]" + quant + " = " + pad + "\nconst %w : " + dtype + "[4,3,3,3]" + weight_quant +
         " = random\nconst %u : " + dtype + "[1,3,3,3]" + weight_quant +
         " = random\nnode \"layer\" %y : " + dtype + "[1,4,6," + (layer[0] == 'c' ? "4" : "3") +
         "]" + quant + " = " + layer + "\noutput %y\n";
}

TEST(FusePads, WindowsTakeThem) {
  for (bool integer : {false, true})
    for (const char* layer :
         {"conv2d(%p, %w, _)", "depthwise_conv2d(%p, %u, _)", "avg_pool2d(%p) k_h=3 k_w=3"}) {
      Graph after = after_pass(fuse_pads, graph_of(padded(integer, kPad, layer)));
      ASSERT_EQ(after.nodes.size(), 1u) << layer;
      std::string text = skeleton(after);
      EXPECT_NE(text.find("pad_top=1 pad_left=2 pad_right=1"), std::string::npos) << text;
      EXPECT_EQ(text.find("count_pad=true") != std::string::npos, layer[0] == 'a') << text;
    }
}

TEST(FusePads, OtherValuesAndAxesStay) {
  expect_untouched(fuse_pads, padded(false, kPad + " value=1", "conv2d(%p, %w, _)"));
  expect_untouched(fuse_pads, padded(false, kPad, "max_pool2d(%p) k_h=3 k_w=3"));
  expect_untouched(fuse_pads, R"(input %x : f32[1,5,5,3]
node "pad" %p : f32[1,5,5,4] = pad(%x) before=[0,0,0,0] after=[0,0,0,1]
const %w : f32[2,1,1,4] = random
node "layer" %y : f32[1,5,5,2] = conv2d(%p, %w, _)
output %y
)");
}

TEST(FusePads, MaxPoolWhereThePaddingCannotWin) {
  const std::string tail = R"(
node "pool" %y : f32[1,3,3,3] = max_pool2d(%p) k_h=3 k_w=3 stride_h=2 stride_w=2
output %y
)";
  Graph after = after_pass(fuse_pads, graph_of(R"(input %x : f32[1,5,5,3]
node "relu" %r : f32[1,5,5,3] = clamp(%x) act=[0,inf]
node "pad" %p : f32[1,7,7,3] = pad(%r) before=[0,1,1,0] after=[0,1,1,0])" +
                                               tail));
  EXPECT_EQ(after.nodes.size(), 2u);
  after = after_pass(fuse_pads, graph_of(R"(input %x : f32[1,5,5,3]
node "pad" %p : f32[1,7,7,3] = pad(%x) before=[0,1,1,0] after=[0,1,1,0] value=-inf)" +
                                         tail));
  EXPECT_EQ(after.nodes.size(), 1u);
  // A window of 1 in the corner would see nothing but padding.
  expect_untouched(fuse_pads, R"(input %x : f32[1,5,5,3]
node "relu" %r : f32[1,5,5,3] = clamp(%x) act=[0,inf]
node "pad" %p : f32[1,7,7,3] = pad(%r) before=[0,1,1,0] after=[0,1,1,0]
node "pool" %y : f32[1,4,4,3] = max_pool2d(%p) stride_h=2 stride_w=2
output %y
)");
}

TEST(FusePads, TwoPadsAndTwoReaders) {
  Graph after = after_pass(fuse_pads, graph_of(R"(input %x : f32[1,4,4,2]
node "p1" %p1 : f32[1,5,5,2] = pad(%x) before=[0,1,1,0] after=[0,0,0,0]
node "p2" %p2 : f32[1,6,6,2] = pad(%p1) before=[0,0,0,0] after=[0,1,1,0]
const %w : f32[2,3,3,2] = random
node "a" %a : f32[1,4,4,2] = conv2d(%p2, %w, _)
node "b" %b : f32[1,4,4,2] = avg_pool2d(%p2) k_h=3 k_w=3
output %a
output %b
)"));
  EXPECT_EQ(after.nodes.size(), 2u);
}

}  // namespace
}  // namespace nibble
