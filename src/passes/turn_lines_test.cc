// turn_lines: layers on images of one line, and only those, turn, with their filters and windows.
#include "passes/passes.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[7], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";

std::string layer(const std::string& in, const std::string& filter, const std::string& out,
                  const std::string& op) {
  return "input %x : s8" + in + kQuant + "\nconst %w : s8" + filter + kWeights +
         " = random\nnode \"layer\" %y : s8" + out + kQuant + " = " + op + "\noutput %y\n";
}

int to_column(Graph& graph) { return turn_lines(graph, OneLine::kColumn); }
int to_row(Graph& graph) { return turn_lines(graph, OneLine::kRow); }

const Node& layer_of(const Graph& graph) {
  return *std::ranges::find(graph.nodes, std::string("layer"), &Node::name);
}

TEST(TurnLines, WindowAndFilterTurn) {
  const Graph after = after_pass(
      to_column,
      graph_of(layer("[1,1,12,2]", "[3,1,4,2]", "[1,1,5,3]",
                     "conv2d(%x, %w, _) stride_w=2 dilation_w=1 pad_left=1 pad_right=0")));
  const Node& node = layer_of(after);
  EXPECT_EQ(after.type(node.inputs[0]).shape, (Shape{1, 12, 1, 2}));
  EXPECT_EQ(after.type(node.inputs[1]).shape, (Shape{3, 4, 1, 2}));
  EXPECT_EQ(after.type(node.outputs[0]).shape, (Shape{1, 5, 1, 3}));
  const auto& conv = std::get<Conv2d>(node.op);
  EXPECT_EQ(conv.window.stride_h, 2);
  EXPECT_EQ(conv.window.pad_top, 1);
  EXPECT_EQ(conv.window.pad_left, 0);
  EXPECT_EQ(after.type(after.outputs[0].value).shape, (Shape{1, 1, 5, 3}));
  EXPECT_EQ(after.value(after.outputs[0].value).name, "y");
}

TEST(TurnLines, TapsOfBothAxesChangePlaces) {
  const Graph after =
      after_pass(to_column, graph_of(layer("[1,1,6,2]", "[1,3,2,2]", "[1,1,5,2]",
                                           "depthwise_conv2d(%x, %w, _) pad_top=1 pad_bottom=1")));
  EXPECT_EQ(after.type(layer_of(after).inputs[1]).shape, (Shape{1, 2, 3, 2}));
}

TEST(TurnLines, ColumnsBecomeRows) {
  const Graph after = after_pass(to_row, graph_of(layer("[1,9,1,2]", "[3,4,1,2]", "[1,3,1,3]",
                                                        "conv2d(%x, %w, _) stride_h=3 pad_top=1")));
  const Node& node = layer_of(after);
  EXPECT_EQ(after.type(node.inputs[1]).shape, (Shape{3, 1, 4, 2}));
  EXPECT_EQ(after.type(node.outputs[0]).shape, (Shape{1, 1, 3, 3}));
  EXPECT_EQ(std::get<Conv2d>(node.op).window.stride_w, 3);
}

TEST(TurnLines, OthersStay) {
  for (const std::string& text :
       {layer("[1,2,6,2]", "[1,2,2,2]", "[1,1,5,2]", "depthwise_conv2d(%x, %w, _)"),
        layer("[1,6,1,2]", "[1,2,1,2]", "[1,5,1,2]", "depthwise_conv2d(%x, %w, _)"),
        layer("[1,1,1,2]", "[3,1,1,2]", "[1,1,1,3]", "conv2d(%x, %w, _)")})
    expect_untouched(to_column, text);
}

}  // namespace
}  // namespace nibble
