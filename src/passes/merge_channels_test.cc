// merge_channels: copies of a channel are read as one where the sums fit.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[3], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";

// Channel 2 of the first layer is a copy of channel 0; `middle` stands between the two layers.
Graph with_copy(const std::string& middle, int divisor) {
  Graph graph = graph_of(
      "input %x : s8[1,4,4,2]" + kQuant + "\nconst %w : s8[3,1,1,2]" + kWeights +
      " = random\nconst %b : s32[3] = random\nnode \"first\" %f : s8[1,4,4,3]" + kQuant +
      " = conv2d(%x, %w, %b)\nconst %u : s8[1,3,3,3]" + kWeights +
      " = random\nnode \"middle\" %m : s8[1,4,4,3]" + kQuant + " = " + middle +
      "\nconst %v : s8[2,3,3,3]" + kWeights + " = random\nnode \"second\" %y : s8[1,4,4,2]" +
      kQuant + " = conv2d(%m, %v, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1\noutput %y\n");
  auto constant = [&](size_t node, size_t operand) -> Tensor& {
    return *graph.value(graph.nodes[node].inputs[operand]).constant;
  };
  for (int64_t i : {0, 1}) constant(0, 1).set_integer_at(4 + i, constant(0, 1).integer_at(i));
  constant(0, 2).set_integer_at(2, constant(0, 2).integer_at(0));
  if (graph.nodes[1].inputs.size() > 2)
    for (int64_t tap = 0; tap < 9; ++tap)
      constant(1, 1).set_integer_at(3 * tap + 2, constant(1, 1).integer_at(3 * tap));
  Tensor& filter = constant(2, 1);
  for (int64_t i = 0; i < filter.size(); ++i)
    filter.set_integer_at(i, filter.integer_at(i) / divisor);
  return graph;
}

bool reads_channel(const Graph& graph, int64_t channel) {
  const Tensor& filter = *graph.value(graph.nodes.back().inputs[1]).constant;
  for (int64_t i = channel; i < filter.size(); i += filter.shape().back())
    if (filter.integer_at(i) != 0) return true;
  return false;
}

constexpr const char* kDepthwise =
    "depthwise_conv2d(%f, %u, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1";

TEST(MergeChannels, ThroughWhatTreatsThemAlike) {
  for (const char* middle : {kDepthwise, "clamp(%f) act=[0,1]", "max_pool2d(%f)", "add(%f, %f)"}) {
    Graph after = after_pass(merge_channels, with_copy(middle, 2));
    EXPECT_TRUE(reads_channel(after, 0)) << middle;
    EXPECT_FALSE(reads_channel(after, 2)) << middle;
  }
}

TEST(MergeChannels, SumsThatDoNotFitStay) {
  Graph graph = with_copy(kDepthwise, 1);
  graph.value(graph.nodes[2].inputs[1]).constant->set_integer_at(0, 100);
  graph.value(graph.nodes[2].inputs[1]).constant->set_integer_at(2, 28);
  EXPECT_EQ(merge_channels(graph), 0);
}

TEST(MergeChannels, AnotherBiasOrFilterIsAnotherChannel) {
  Graph graph = with_copy(kDepthwise, 2);
  Tensor& bias = *graph.value(graph.nodes[0].inputs[2]).constant;
  bias.set_integer_at(2, bias.integer_at(2) + 1);
  EXPECT_EQ(merge_channels(graph), 0);
  graph = with_copy(kDepthwise, 2);
  Tensor& filter = *graph.value(graph.nodes[1].inputs[1]).constant;
  filter.set_integer_at(2, filter.integer_at(2) == 5 ? 4 : 5);
  EXPECT_EQ(merge_channels(graph), 0);
}

}  // namespace
}  // namespace nibble
