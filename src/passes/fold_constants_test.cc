// fold_constants: constants computed beforehand, dequantized ones only late.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

constexpr const char* kChain = R"(input %x : f32[2,2]
const %a : f32[2,2] = hex:0000803f000000400000404000008040
node "turn" %t : f32[2,2] = transpose(%a) perm=[1,0]
node "twice" %d : f32[2,2] = add(%t, %t)
node "y" %y : f32[2,2] = mul(%x, %d)
output %y
)";

TEST(FoldConstants, AChainBecomesOneConstant) {
  Graph after = after_pass(fold_constants, graph_of(kChain));
  ASSERT_EQ(after.nodes.size(), 1u);
  auto data = after.value(after.nodes[0].inputs[1]).constant->data<float>();
  EXPECT_EQ(std::vector<float>(data.begin(), data.end()), (std::vector<float>{2, 6, 4, 8}));
}

TEST(FoldConstants, AnOutputIsNotMadeConstant) {
  expect_untouched(fold_constants, R"(const %a : f32[2] = random
node "y" %y : f32[2] = tanh(%a)
output %y
)");
}

TEST(FoldConstants, DequantizeWaits) {
  const char* text = R"(input %x : f32[2]
const %q : s8[2] {scale=[0.5], zero_point=[1], bits=8, range=[-128,127]} = hex:03ff
node "dq" %r : f32[2] = dequantize(%q)
node "y" %y : f32[2] = add(%x, %r)
output %y
)";
  expect_untouched(fold_constants, text);
  Graph after = after_pass(fold_dequantized_constants, graph_of(text));
  ASSERT_EQ(after.nodes.size(), 1u);
  auto data = after.value(after.nodes[0].inputs[1]).constant->data<float>();
  EXPECT_EQ(data[0], 1.0f);   // 0.5 * (3 - 1)
  EXPECT_EQ(data[1], -1.0f);  // 0.5 * (-1 - 1)
}

}  // namespace
}  // namespace nibble
