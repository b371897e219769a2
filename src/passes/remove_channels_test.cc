// remove_channels: what nobody reads goes, through everything that works channel by channel.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[3], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";
const std::string kPerChannel =
    " {scale=[0.01,0.02,0.03,0.04], zero_point=[0,0,0,0], axis=0, bits=8, range=[-127,127]}";

// A layer of four channels, `middle` (from %f to %m, whose last extent is `channels`), and a dense
// layer or pointwise convolution that does not read the channels in `unread`.
Graph between(const std::string& middle, int64_t channels, const std::vector<int64_t>& unread) {
  Graph graph = graph_of(
      "input %x : s8[1,4,4,2]" + kQuant + "\nconst %w : s8[4,1,1,2]" + kPerChannel +
      " = random\nconst %b : s32[4] = random\nnode \"first\" %f : s8[1,4,4,4]" + kQuant +
      " = conv2d(%x, %w, %b)\nconst %u : s8[1,3,3,8]" + kWeights + " = random\nconst %c : s8[4]" +
      kQuant + " = random\n" + middle + "\nconst %v : s8[2," + std::to_string(channels) + "]" +
      kWeights + " = random\nnode \"last\" %y : s8[1,2]" + kQuant +
      " = dense(%m, %v, _)\noutput %y\n");
  Tensor& filter = *graph.value(graph.nodes.back().inputs[1]).constant;
  for (int64_t i = 0; i < filter.size(); ++i)
    if (std::find(unread.begin(), unread.end(), i % channels) != unread.end())
      filter.set_integer_at(i, 0);
  return graph;
}

std::string node(const std::string& name, const std::string& shape, const std::string& text) {
  return "node \"" + name + "\" %" + name + " : s8" + shape + kQuant + " = " + text + "\n";
}
std::string mean(const std::string& of, const std::string& channels) {
  return node("m", "[1," + channels + "]", "mean(%" + of + ") axes=[1,2] keep_dims=false");
}

int64_t kept_of_first(const Graph& before) {
  Graph after = after_pass(remove_channels, before);
  return after.type(after.nodes[0].outputs[0]).shape[3];
}

TEST(RemoveChannels, ThroughEachKind) {
  EXPECT_EQ(kept_of_first(between(mean("f", "4"), 4, {})), 4);
  EXPECT_EQ(kept_of_first(between(mean("f", "4"), 4, {1, 2})), 2);
  EXPECT_EQ(kept_of_first(between(node("a", "[1,4,4,4]", "add(%f, %c)") + mean("a", "4"), 4, {0})),
            3);
  // Both outputs of an input channel have to be unread.
  const std::string depthwise = node("d", "[1,2,2,8]", "depthwise_conv2d(%f, %u, _)");
  EXPECT_EQ(kept_of_first(between(depthwise + mean("d", "8"), 8, {2, 3, 5, 7})), 3);
  const std::string pad = node("p", "[1,4,4,7]", "pad(%f) before=[0,0,0,1] after=[0,0,0,2]");
  EXPECT_EQ(kept_of_first(between(pad + mean("p", "7"), 7, {0, 1, 2, 6})), 2);
  const std::string concat = node("k", "[1,4,4,6]", "concat(%f, %x) axis=3");
  EXPECT_EQ(kept_of_first(between(concat + mean("k", "6"), 6, {0, 5})), 3);
}

TEST(RemoveChannels, FlattenedAtEveryPosition) {
  const std::string flat = node("m", "[1,64]", "reshape(%f) shape=[1,64]");
  std::vector<int64_t> unread;
  for (int64_t i = 1; i < 64; i += 4) unread.push_back(i);
  EXPECT_EQ(kept_of_first(between(flat, 64, unread)), 3);
  unread.pop_back();
  EXPECT_EQ(kept_of_first(between(flat, 64, unread)), 4);
}

TEST(RemoveChannels, AWholeOperandOfAConcat) {
  const std::string concat = node("k", "[1,4,4,6]", "concat(%f, %x) axis=3");
  Graph after = after_pass(remove_channels, between(concat + mean("k", "6"), 6, {0, 1, 2, 3}));
  EXPECT_EQ(after.nodes[0].name, "k");
  EXPECT_EQ(after.nodes[0].inputs.size(), 1u);
}

TEST(RemoveChannels, OutputsAndResidualsHoldThem) {
  Graph graph = between(mean("f", "4"), 4, {1, 2});
  graph.outputs.push_back({graph.nodes[0].outputs[0], {}});
  EXPECT_EQ(remove_channels(graph), 0);
  // The addition needs channel 1 for its own reader.
  graph = between(
      node("a", "[1,4,4,4]", "mul(%f, %f)") + node("s", "[1,4]", "mean(%f) axes=[1,2]") +
          node("t", "[1,4]", "mean(%a) axes=[1,2]") + node("m", "[1,8]", "concat(%s, %t) axis=1"),
      8, {1, 2, 6});
  EXPECT_EQ(kept_of_first(graph), 3);
}

TEST(RemoveChannels, NothingBecomesEmpty) {
  EXPECT_EQ(kept_of_first(between(mean("f", "4"), 4, {0, 1, 2, 3})), 1);
}

// One scale for a dense layer is rounded differently from one for each channel.
TEST(RemoveChannels, ADenseLayerPerChannelKeepsTwo) {
  Graph graph = graph_of("input %x : s8[1,6]" + kQuant + "\nconst %w : s8[4,6]" + kPerChannel +
                         " = random\nnode \"first\" %f : s8[1,4]" + kQuant +
                         " = dense(%x, %w, _)\nconst %v : s8[2,4]" + kWeights +
                         " = hex:0005000000030000\nnode \"last\" %y : s8[1,2]" + kQuant +
                         " = dense(%f, %v, _)\noutput %y\n");
  Graph after = after_pass(remove_channels, graph);
  EXPECT_EQ(after.type(after.nodes[0].outputs[0]).shape, (Shape{1, 2}));
}

}  // namespace
}  // namespace nibble
