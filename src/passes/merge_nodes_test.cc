// merge_nodes: equal nodes, joins of joins, slices of slices.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(MergeNodes, EqualNodes) {
  Graph after = after_pass(merge_nodes, graph_of(R"(input %x : f32[1,4]
node "a" %a : f32[1,4] = clamp(%x) act=[0,1]
node "b" %b : f32[1,4] = clamp(%x) act=[0,1]
node "c" %c : f32[1,4] = clamp(%x) act=[0,2]
node "d" %d : f32[1,4] = sub(%a, %b)
node "e" %e : f32[1,4] = add(%d, %c)
output %e
)"));
  EXPECT_EQ(after.nodes.size(), 4u);
}

TEST(MergeNodes, EqualConstantsAreEqualOperands) {
  Graph after = after_pass(merge_nodes, graph_of(R"(input %x : f32[1,2]
const %v : f32[1,2] = hex:0000803f00000040
const %w : f32[1,2] = hex:0000803f00000040
node "a" %a : f32[1,2] = mul(%x, %v)
node "b" %b : f32[1,2] = mul(%x, %w)
node "d" %d : f32[1,2] = add(%a, %b)
output %d
)"));
  EXPECT_EQ(after.nodes.size(), 2u);
}

TEST(MergeNodes, TwoOutputsStayTwo) {
  expect_untouched(merge_nodes, R"(input %x : f32[1,4]
node "a" %a : f32[1,4] = sigmoid(%x)
node "b" %b : f32[1,4] = sigmoid(%x)
output %a
output %b
)");
}

TEST(MergeNodes, Concats) {
  const std::string inner = "{scale=[0.1], zero_point=[7], bits=8, range=[-128,127]}";
  auto text = [&](const std::string& quant) {
    return "input %x : s8[1,4] {scale=[0.2], zero_point=[1], bits=8, range=[-128,127]}\n"
           "node \"c\" %c : s8[1,8] " +
           inner + " = concat(%x, %x) axis=1\nnode \"d\" %d : s8[1,12] " + quant +
           " = concat(%c, %x) axis=1\noutput %d\n";
  };
  Graph after = after_pass(merge_nodes, graph_of(text(inner)));
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_EQ(after.nodes[0].inputs.size(), 3u);
  expect_untouched(merge_nodes, text("{scale=[0.3], zero_point=[7], bits=8, range=[-128,127]}"));
}

TEST(MergeNodes, Slices) {
  Graph after = after_pass(merge_nodes, graph_of(R"(input %x : f32[9,5]
node "s" %s : f32[4,4] = slice(%x) begin=[8,1] extent=[4,4] step=[-2,1]
node "t" %t : f32[2,1] = slice(%s) begin=[1,3] extent=[2,1] step=[2,1]
output %t
)"));
  EXPECT_EQ(after.nodes.size(), 1u);
}

}  // namespace
}  // namespace nibble
