// lower_u8: the same real values in s8.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(LowerU8, ValuesAndConstants) {
  Graph graph = graph_of(R"(input %x : f32[2]
node "q" %q : u8[2] {scale=[0.5], zero_point=[100], bits=8, range=[0,255]} = quantize(%x)
node "dq" %r : f32[2] = dequantize(%q)
const %c : u8[2] {scale=[0.25], zero_point=[128], bits=8, range=[0,255]} = hex:00ff
node "dc" %d : f32[2] = dequantize(%c)
node "y" %y : f32[2] = add(%r, %d)
output %y
)");
  Graph after = graph;
  EXPECT_EQ(lower_u8(after), 2);
  auto status = verify_graph(after, VerifyLevel::kImported);
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(after.type(after.nodes[0].outputs[0]),
            (TensorType{{2}, DType::kS8, QuantParams{{0.5f}, {-28}, -1, 8, -128, 127}}));
  const Tensor& constant = *after.value(after.nodes[2].inputs[0]).constant;
  EXPECT_EQ(constant.integer_at(0), -128);
  EXPECT_EQ(constant.integer_at(1), 127);
  EXPECT_EQ(constant.type().quant->zero_point[0], 0);
  expect_same_function(graph, after, 1, 0);
}

TEST(LowerU8, PortsRememberTheTypeOfTheFile) {
  Graph graph = graph_of(R"(input %x : u8[2] {scale=[0.5], zero_point=[100], bits=8, range=[0,255]}
node "y" %y : f32[2] = dequantize(%x)
output %y
)");
  EXPECT_EQ(lower_u8(graph), 1);
  EXPECT_TRUE(graph.inputs[0].source_u8);
  EXPECT_FALSE(graph.outputs[0].source_u8);
  Result<Graph> again = parse_graph(print_graph(graph));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->inputs[0].source_u8);
}

}  // namespace
}  // namespace nibble
