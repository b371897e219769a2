// fold_batch_norm: into the layer before, into the layers behind where exact, otherwise an operator
// of its own.
#include "passes/list.h"
#include "passes/passes.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

// gamma, beta, mean and a positive variance of 4 channels.
const std::string kParams = R"(const %g : f32[4] = random
const %b : f32[4] = random
const %m : f32[4] = random
const %v : f32[4] = hex:0000003f0000803f0000004000008040
)";

TEST(FoldBatchNorm, HandComputed) {
  // y = 2 (x * 3 + 1 - 0.5) / sqrt(4) + 10 = 3 x + 10.5
  Graph after = after_pass(fold_batch_norm, graph_of(R"(input %x : f32[1,1]
const %w : f32[1,1] = hex:00004040
const %c : f32[1] = hex:0000803f
node "fc" %h : f32[1,1] = dense(%x, %w, %c)
const %g : f32[1] = hex:00000040
const %b : f32[1] = hex:00002041
const %m : f32[1] = hex:0000003f
const %v : f32[1] = hex:00008040
node "bn" %y : f32[1,1] = batch_norm(%h, %g, %b, %m, %v) epsilon=0
output %y
)"));
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_FLOAT_EQ(after.value(after.nodes[0].inputs[1]).constant->data<float>()[0], 3.0f);
  EXPECT_FLOAT_EQ(after.value(after.nodes[0].inputs[2]).constant->data<float>()[0], 10.5f);
}

TEST(FoldBatchNorm, BehindEachKindOfLayer) {
  const char* layers[] = {
      "const %w : f32[4,3,3,3] = random\nnode \"l\" %h : f32[1,5,5,4] = conv2d(%x, %w, _) "
      "pad_top=1 "
      "pad_left=1 pad_bottom=1 pad_right=1",
      "const %w : f32[1,1,1,12] = random\nconst %wb : f32[12] = random\nnode \"d\" %d : "
      "f32[1,5,5,12] = depthwise_conv2d(%x, %w, %wb)\nconst %v2 : f32[4,12] = random\nnode \"l\" "
      "%h "
      ": f32[1,5,5,4] = dense(%d, %v2, _)",
  };
  for (const char* layer : layers) {
    Graph after =
        after_pass(fold_batch_norm,
                   graph_of("input %x : f32[1,5,5,3]\n" + std::string(layer) + "\n" + kParams +
                            R"(node "bn" %y : f32[1,5,5,4] = batch_norm(%h, %g, %b, %m, %v)
output %y
)"));
    EXPECT_EQ(op_name(after.nodes.back().op) == "batch_norm", false);
  }
}

TEST(FoldBatchNorm, IntoTheLayersBehind) {
  Graph after = after_pass(fold_batch_norm,
                           graph_of("input %x : f32[1,5,5,4]\n" + kParams +
                                    R"(node "bn" %h : f32[1,5,5,4] = batch_norm(%x, %g, %b, %m, %v)
const %w : f32[6,3,3,2] = random
node "conv" %a : f32[1,3,3,6] = conv2d(%h, %w, _) groups=2
const %u : f32[1,2,2,8] = random
const %ub : f32[8] = random
node "dw" %c : f32[1,4,4,8] = depthwise_conv2d(%h, %u, %ub)
output %a
output %c
)"));
  EXPECT_EQ(after.nodes.size(), 2u);
}

TEST(FoldBatchNorm, PaddingAndAnActivationStandInTheWay) {
  expect_untouched(fold_batch_norm, "input %x : f32[1,5,5,4]\n" + kParams +
                                        R"(const %w0 : f32[4,1,1,4] = random
node "relu" %r : f32[1,5,5,4] = conv2d(%x, %w0, _) act=[0,inf]
node "bn" %h : f32[1,5,5,4] = batch_norm(%r, %g, %b, %m, %v)
const %w : f32[6,3,3,4] = random
node "conv" %y : f32[1,5,5,6] = conv2d(%h, %w, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1
output %y
)");
}

TEST(LowerBatchNorm, ImagesAndVectors) {
  Graph image = after_pass(lower_batch_norm,
                           graph_of("input %x : f32[1,5,5,4]\n" + kParams +
                                    R"(node "bn" %y : f32[1,5,5,4] = batch_norm(%x, %g, %b, %m, %v)
output %y
)"));
  EXPECT_EQ(skeleton(image), R"(input %x : f32[1,5,5,4]
node "bn" %y : f32[1,5,5,4] = depthwise_conv2d(%x, %bn_filter, %bn_bias)
output %y
)");
  Graph vector = after_pass(lower_batch_norm,
                            graph_of("input %x : f32[1,4]\n" + kParams +
                                     R"(node "bn" %y : f32[1,4] = batch_norm(%x, %g, %b, %m, %v)
output %y
)"));
  EXPECT_EQ(skeleton(vector), R"(input %x : f32[1,4]
node "bn_scaled" %bn_scaled : f32[1,4] = mul(%x, %bn_scale)
node "bn" %y : f32[1,4] = add(%bn_scaled, %bn_shift)
output %y
)");
}

}  // namespace
}  // namespace nibble
