// fuse_activations: clamps become bounds of the operator before, through what only moves elements.
#include "passes/list.h"
#include "passes/rewrite.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(FuseActivations, ComposeIsClampAfterClamp) {
  const float edges[] = {-INFINITY, -2, -1, 0, 1, 2, INFINITY};
  for (float a : edges)
    for (float b : edges)
      for (float c : edges)
        for (float d : edges) {
          if (a > b || c > d) continue;
          Bounds both = compose({a, b}, {c, d});
          for (float x : {-3.0f, -1.5f, -0.5f, 0.5f, 1.5f, 3.0f})
            ASSERT_EQ(std::min(std::max(x, both.min), both.max),
                      std::min(std::max(std::min(std::max(x, a), b), c), d));
        }
}

TEST(FuseActivations, IntoEachOperator) {
  const char* producers[] = {"conv2d(%x, %w, _)",   "depthwise_conv2d(%x, %u, _)",
                             "dense(%x, %d, _)",    "add(%x, %x) act=[-0.5,0.5]",
                             "sub(%x, %k)",         "mul(%x, %x)",
                             "max_pool2d(%x)",      "avg_pool2d(%x)",
                             "clamp(%x) act=[-1,1]"};
  for (const char* producer : producers) {
    Graph after = after_pass(fuse_activations, graph_of(R"(input %x : f32[1,4,4,2]
const %w : f32[2,1,1,2] = random
const %u : f32[1,1,1,2] = random
const %d : f32[2,2] = random
const %k : f32[2] = random
node "op" %h : f32[1,4,4,2] = )" + std::string(producer) +
                                                        R"(
node "relu" %y : f32[1,4,4,2] = clamp(%h) act=[0,0.75]
output %y
)"));
    EXPECT_EQ(after.nodes.size(), 1u) << producer;
  }
}

TEST(FuseActivations, ThroughMoves) {
  expect_becomes(fuse_activations, R"(input %x : f32[1,4,4,2]
const %w : f32[2,1,1,2] = random
node "conv" %h : f32[1,4,4,2] = conv2d(%x, %w, _)
node "turn" %t : f32[1,2,4,4] = transpose(%h) perm=[0,3,1,2]
node "pad" %p : f32[1,2,5,4] = pad(%t) before=[0,0,1,0] after=[0,0,0,0]
node "flat" %f : f32[1,40] = reshape(%p) shape=[1,40]
node "relu" %y : f32[1,40] = clamp(%f) act=[0,inf]
output %y
)",
                 R"(input %x : f32[1,4,4,2]
node "conv" %h : f32[1,4,4,2] = conv2d(%x, %w, _) act=[0,inf]
node "turn" %t : f32[1,2,4,4] = transpose(%h) perm=[0,3,1,2]
node "pad" %p : f32[1,2,5,4] = pad(%t) before=[0,0,1,0] after=[0,0,0,0]
node "flat" %y : f32[1,40] = reshape(%p) shape=[1,40]
output %y
)");
}

TEST(FuseActivations, OtherReadersAndOtherScalesStay) {
  expect_untouched(fuse_activations, R"(input %x : f32[1,4]
node "add" %h : f32[1,4] = add(%x, %x)
node "relu" %y : f32[1,4] = clamp(%h) act=[0,inf]
output %y
output %h
)");
  // The clamp rescales: its bounds are in other steps than the addition's.
  expect_untouched(fuse_activations,
                   R"(input %x : s8[1,4] {scale=[0.1], zero_point=[0], bits=8, range=[-128,127]}
node "add" %h : s8[1,4] {scale=[0.2], zero_point=[0], bits=8, range=[-128,127]} = add(%x, %x)
node "relu" %y : s8[1,4] {scale=[0.1], zero_point=[-128], bits=8, range=[-128,127]} = clamp(%h) act=[0,inf]
output %y
)");
}

TEST(FuseActivations, IntegersOfTheSameScale) {
  Graph after = after_pass(
      fuse_activations,
      graph_of(R"(input %x : s8[1,64] {scale=[0.1], zero_point=[3], bits=8, range=[-128,127]}
node "add" %h : s8[1,64] {scale=[0.2], zero_point=[-5], bits=8, range=[-128,127]} = add(%x, %x) act=[-3.33,7.77]
node "relu" %y : s8[1,64] {scale=[0.2], zero_point=[-5], bits=8, range=[-128,127]} = clamp(%h) act=[-1.11,3.33]
output %y
)"));
  EXPECT_EQ(after.nodes.size(), 1u);
}

}  // namespace
}  // namespace nibble
