// remove_noops: every operator that can do nothing, when it does nothing, and not when it does
// something.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(RemoveNoops, EachKind) {
  const char* nodes[] = {
      "transpose(%a) perm=[0,1,2,3]",
      "slice(%a) begin=[0,0,0,0] extent=[1,2,3,4] step=[1,1,1,1]",
      "pad(%a) before=[0,0,0,0] after=[0,0,0,0]",
      "concat(%a) axis=2",
      "reshape(%a) shape=[1,2,3,4]",
      "resize_nearest(%a) out_h=2 out_w=3",
      "max_pool2d(%a)",
      "avg_pool2d(%a)",
      "clamp(%a)",
  };
  for (const char* node : nodes)
    expect_becomes(remove_noops,
                   std::string(R"(input %x : f32[1,2,3,4]
node "a" %a : f32[1,2,3,4] = tanh(%x)
node "n" %n : f32[1,2,3,4] = )") +
                       node + R"(
node "y" %y : f32[1,2,3,4] = sigmoid(%n)
output %y
)",
                   R"(input %x : f32[1,2,3,4]
node "a" %a : f32[1,2,3,4] = tanh(%x)
node "y" %y : f32[1,2,3,4] = sigmoid(%a)
output %y
)");
}

TEST(RemoveNoops, WhatDoesSomethingStays) {
  const char* nodes[] = {
      "slice(%x) begin=[0,0,0,3] extent=[1,2,2,4] step=[1,1,1,-1]",
      "transpose(%x) perm=[0,2,1,3]",
      "clamp(%x) act=[0,inf]",
      "max_pool2d(%x) act=[0,inf]",
  };
  for (const char* node : nodes)
    expect_untouched(remove_noops, std::string("input %x : f32[1,2,2,4]\nnode \"n\" %y : "
                                               "f32[1,2,2,4] = ") +
                                       node + "\noutput %y\n");
}

TEST(RemoveNoops, AClampBeyondTheIntegersRange) {
  const std::string type = "s8[4] {scale=[0.1], zero_point=[-128], bits=8, range=[-128,127]}";
  expect_becomes(
      remove_noops,
      "input %x : " + type + "\nnode \"a\" %a : " + type +
          " = clamp(%x) act=[0,3]\nnode \"b\" %y : " + type +
          " = clamp(%a) act=[0,inf]\noutput %y\n",
      "input %x : " + type + "\nnode \"a\" %y : " + type + " = clamp(%x) act=[0,3]\noutput %y\n");
}

TEST(RemoveNoops, MeanOverSingleElements) {
  expect_becomes(remove_noops, R"(input %x : f32[1,1,1,4]
node "m" %y : f32[1,4] = mean(%x) axes=[1,2]
output %y
)",
                 R"(input %x : f32[1,1,1,4]
node "m" %y : f32[1,4] = reshape(%x) shape=[1,4]
output %y
)");
}

TEST(RemoveNoops, AnInputDoesNotBecomeAnOutput) {
  expect_untouched(remove_noops, R"(input %x : f32[1,4]
node "n" %y : f32[1,4] = reshape(%x) shape=[1,4]
output %y
)");
}

}  // namespace
}  // namespace nibble
