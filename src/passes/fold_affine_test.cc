// fold_affine: arithmetic with constants disappears into weights and biases.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(FoldAffine, BehindALayer) {
  const char* operations[] = {"add(%h, %c) act=[0,6]", "add(%c, %h)", "sub(%h, %c)",
                              "sub(%c, %h)",           "mul(%h, %c)", "mul(%c, %h) act=[-0.5,0.5]"};
  for (const char* constant : {"f32[4]", "f32[1,4]", "f32[1]", "f32[]"})
    for (const char* operation : operations) {
      Graph after = after_pass(fold_affine, graph_of(R"(input %x : f32[1,3]
const %w : f32[4,3] = random
node "fc" %h : f32[1,4] = dense(%x, %w, _)
const %c : )" + std::string(constant) + R"( = random
node "op" %y : f32[1,4] = )" + operation + "\noutput %y\n"));
      ASSERT_EQ(after.nodes.size(), 1u) << operation << " with " << constant;
      EXPECT_EQ(after.nodes[0].name, "fc");
      EXPECT_EQ(after.value(after.outputs[0].value).name, "y");
    }
}

TEST(FoldAffine, InFrontOfLayers) {
  Graph after = after_pass(fold_affine, graph_of(R"(input %x : f32[1,5,5,3]
const %s : f32[] = random
node "scale" %a : f32[1,5,5,3] = mul(%x, %s)
const %w : f32[4,3,3,3] = random
node "conv" %y : f32[1,5,5,4] = conv2d(%a, %w, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1
output %y
)"));
  EXPECT_EQ(after.nodes.size(), 1u) << "scaling keeps zero, so padding is no hindrance";
  expect_untouched(fold_affine, R"(input %x : f32[1,5,5,3]
const %s : f32[] = random
node "shift" %a : f32[1,5,5,3] = add(%x, %s)
const %w : f32[4,3,3,3] = random
node "conv" %y : f32[1,5,5,4] = conv2d(%a, %w, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1
output %y
)");
}

TEST(FoldAffine, WhatMustStay) {
  const char* rests[] = {
      // The layer's result has another reader.
      "node \"op\" %y : f32[1,4] = mul(%h, %c)\noutput %y\noutput %h\n",
      // The constant widens the result.
      "const %m : f32[2,4] = random\nnode \"op\" %y : f32[2,4] = mul(%h, %m)\noutput %y\n",
      // Not a constant at all.
      "node \"op\" %y : f32[1,4] = mul(%h, %h)\noutput %y\n",
  };
  for (const char* rest : rests)
    expect_untouched(fold_affine, R"(input %x : f32[1,3]
const %w : f32[4,3] = random
node "fc" %h : f32[1,4] = dense(%x, %w, _)
const %c : f32[4] = random
)" + std::string(rest));
  const std::string type = " {scale=[0.1], zero_point=[0], bits=8, range=[-128,127]}";
  expect_untouched(fold_affine, "input %x : s8[1,3]" + type + "\nconst %w : s8[4,3]" + type +
                                    " = random\nnode \"fc\" %h : s8[1,4]" + type +
                                    " = dense(%x, %w, _)\nconst %c : s8[4]" + type +
                                    " = random\nnode \"op\" %y : s8[1,4]" + type +
                                    " = add(%h, %c)\noutput %y\n");
}

TEST(FoldAffine, ADequantizedAddendBecomesTheBias) {
  expect_becomes(fold_affine, R"(input %x : f32[1,3]
const %w : f32[4,3] = random
node "fc" %h : f32[1,4] = dense(%x, %w, _)
const %q : s8[4] {scale=[0.1], zero_point=[0], bits=8, range=[-128,127]} = random
node "dq" %c : f32[4] = dequantize(%q)
node "op" %y : f32[1,4] = add(%h, %c)
output %y
)",
                 R"(input %x : f32[1,3]
node "dq" %c : f32[4] = dequantize(%q)
node "fc" %y : f32[1,4] = dense(%x, %w, %c)
output %y
)");
}

}  // namespace
}  // namespace nibble
