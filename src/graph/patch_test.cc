// Patch: each kind of edit on a small graph, compared with the text of the result; topological
// sorting.
#include "graph/patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace nibble {
namespace {

Graph parsed(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return *graph;
}

std::string text_of(const Graph& graph) {
  auto status = verify_structure(graph, VerifyLevel::kImported);
  EXPECT_TRUE(status.ok()) << status.error().message;
  return print_graph(graph);
}

ValueId id_of(const Graph& graph, std::string_view name) {
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  return kNoValue;
}

constexpr std::string_view kChain = R"(graph "g" rounding=tflite
input %x : f32[4]
node "first" %a : f32[4] = sigmoid(%x)
node "second" %b : f32[4] = tanh(%a)
node "third" %y : f32[4] = hard_swish(%b)
output %y
)";

TEST(Patch, RemovesANodeAndItsValue) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  EXPECT_TRUE(patch.empty());
  patch.remove_node(1);
  patch.replace_uses(id_of(graph, "b"), id_of(graph, "a"));
  EXPECT_FALSE(patch.empty());
  EXPECT_EQ(text_of(graph), kChain) << "nothing changes before apply";
  patch.apply();
  EXPECT_TRUE(patch.empty());
  EXPECT_EQ(text_of(graph), R"(graph "g" rounding=tflite
input %x : f32[4]
node "first" %a : f32[4] = sigmoid(%x)
node "third" %y : f32[4] = hard_swish(%a)
output %y
)");
  EXPECT_EQ(graph.values.size(), 3u);
}

TEST(Patch, AnOutputKeepsItsName) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  patch.remove_node(2);
  patch.replace_uses(id_of(graph, "y"), id_of(graph, "b"));
  patch.apply();
  EXPECT_EQ(text_of(graph), R"(graph "g" rounding=tflite
input %x : f32[4]
node "first" %a : f32[4] = sigmoid(%x)
node "second" %y : f32[4] = tanh(%a)
output %y
)");
}

TEST(Patch, AnInputKeepsItsNameWhenItBecomesTheOutput) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  for (int i = 0; i < 3; ++i) patch.remove_node(i);
  patch.replace_uses(id_of(graph, "y"), id_of(graph, "b"));
  patch.replace_uses(id_of(graph, "b"), id_of(graph, "a"));
  patch.replace_uses(id_of(graph, "a"), id_of(graph, "x"));
  patch.apply();
  EXPECT_EQ(text_of(graph), "graph \"g\" rounding=tflite\ninput %x : f32[4]\noutput %x\n");
}

TEST(Patch, InsertsANodeInFrontOfAllReaders) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  ValueId x = id_of(graph, "x");
  ValueId widened = patch.add_value("a", {{4}, DType::kF32, std::nullopt});
  EXPECT_EQ(graph.value(widened).name, "a_2");
  patch.add_node(LeakyRelu{0.5f}, "first", {x}, {widened});
  patch.replace_uses(x, widened);
  patch.apply();
  EXPECT_EQ(text_of(graph), R"(graph "g" rounding=tflite
input %x : f32[4]
node "first_2" %a_2 : f32[4] = leaky_relu(%x) alpha=0.5
node "first" %a : f32[4] = sigmoid(%a_2)
node "second" %b : f32[4] = tanh(%a)
node "third" %y : f32[4] = hard_swish(%b)
output %y
)");
}

TEST(Patch, ReplacesOperatorAndOperandsInPlace) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  std::vector<float> ones(4, 1.0f);
  ValueId constant = patch.add_constant("one", Tensor::of_floats({4}, ones));
  patch.replace_node(1, Add{Bounds{0, 6}}, {id_of(graph, "a"), constant});
  patch.set_type(id_of(graph, "b"), {{2, 2}, DType::kF32, std::nullopt});
  patch.apply();
  EXPECT_EQ(text_of(graph), R"(graph "g" rounding=tflite
input %x : f32[4]
node "first" %a : f32[4] = sigmoid(%x)
const %one : f32[4] = hex:0000803f0000803f0000803f0000803f
node "second" %b : f32[2,2] = add(%a, %one) act=[0,6]
node "third" %y : f32[4] = hard_swish(%b)
output %y
)");
}

TEST(Patch, ANewNodeFollowsAValueThatTheSamePatchRemoves) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  // "second" goes, and the replacement of "third" still speaks of its output.
  patch.remove_node(1);
  patch.replace_uses(id_of(graph, "b"), id_of(graph, "a"));
  patch.replace_node(2, Tanh{}, {id_of(graph, "b")});
  patch.apply();
  EXPECT_EQ(text_of(graph), R"(graph "g" rounding=tflite
input %x : f32[4]
node "first" %a : f32[4] = sigmoid(%x)
node "third" %y : f32[4] = tanh(%a)
output %y
)");
}

TEST(Patch, PortsAreReplaced) {
  Graph graph = parsed(R"(graph "g" rounding=tflite
input %x : f32[2,3]
node "turn" %t : f32[3,2] = transpose(%x) perm=[1,0]
node "f" %y : f32[3,2] = tanh(%t)
output %y
)");
  Patch patch(graph);
  ValueId turned = patch.add_value("x", {{3, 2}, DType::kF32, std::nullopt});
  patch.set_input(0, {turned, {1, 0}});
  patch.remove_node(0);
  patch.replace_uses(id_of(graph, "t"), turned);
  patch.apply();
  EXPECT_EQ(text_of(graph), R"(graph "g" rounding=tflite
input %x : f32[3,2] source_perm=[1,0]
node "f" %y : f32[3,2] = tanh(%x)
output %y
)");
}

TEST(Patch, FreshNamesDoNotPileUpCounters) {
  Graph graph = parsed(kChain);
  Patch patch(graph);
  EXPECT_EQ(patch.fresh_name("new"), "new");
  EXPECT_EQ(patch.fresh_name("a"), "a_2");
  patch.add_value("a", {{1}, DType::kF32, std::nullopt});
  EXPECT_EQ(patch.fresh_name("a_2"), "a_3");
  patch.add_value("tensor_163", {{1}, DType::kF32, std::nullopt});
  EXPECT_EQ(patch.fresh_name("tensor_163"), "tensor_163_2") << "a number of the file is no counter";
  EXPECT_EQ(patch.fresh_name(""), "unnamed");
}

TEST(SortTopologically, KeepsTheOrderWhereItCan) {
  Graph graph = parsed(kChain);
  std::swap(graph.nodes[0], graph.nodes[2]);
  ASSERT_TRUE(sort_topologically(graph).ok());
  EXPECT_EQ(print_graph(graph), kChain);
}

TEST(SortTopologically, NamesANodeOnACycle) {
  Graph graph = parsed(kChain);
  graph.nodes[0].inputs[0] = id_of(graph, "b");
  auto status = sort_topologically(graph);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, testing::HasSubstr("node 'first' stands on a cycle"));
}

}  // namespace
}  // namespace nibble
