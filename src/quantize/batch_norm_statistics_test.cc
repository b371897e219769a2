// Statistics of batch norms, after the passes have folded these away: values worked out by hand,
// and networks whose channels are removed.
#include "quantize/batch_norm_statistics.h"

#include <gmock/gmock.h>

#include "passes/passes.h"
#include "quantize/methods/channel_stats.h"
#include "support/float_network.h"
#include "support/unfold_batch_norms.h"

namespace nibble {
namespace {

using testing::ElementsAre;

Graph simplified(Graph graph) {
  const Status status = simplify(graph);
  NIBBLE_CHECK(status.ok(), "{}", status.error().message);
  return graph;
}

ValueId batch_norm(Network& net, const std::string& name, ValueId src,
                   const std::vector<float>& gamma, const std::vector<float>& beta,
                   const std::vector<float>& mean, const std::vector<float>& variance) {
  const auto channels = static_cast<int64_t>(gamma.size());
  auto constant = [&](const char* what, const std::vector<float>& values) {
    return net.constant(name + what, {channels}, values);
  };
  return net.node(BatchNorm{1e-3f}, name,
                  {src, constant("_gamma", gamma), constant("_beta", beta), constant("_mean", mean),
                   constant("_variance", variance)});
}

// conv, batch norm, relu, conv, on an image of one channel.
Graph conv_norm_conv(const std::vector<float>& gamma, const std::vector<float>& beta) {
  Network net;
  ValueId x = net.input({1, 4, 4, 1});
  ValueId y = net.node(Conv2d{}, "c1", {x, net.noise("w1", {3, 2, 2, 1}, 1)});
  y = batch_norm(net, "norm", y, gamma, beta, {1, 2, 3}, {4, 9, 0.5f});
  y = net.node(Clamp{kRelu}, "relu", {y});
  return net.with_output(net.node(Conv2d{}, "c2", {y, net.noise("w2", {2, 1, 1, 3}, 1)}));
}

TEST(BatchNormStatistics, OfALayerThatItWasFoldedInto) {
  const Graph imported = conv_norm_conv({2, -3, 1}, {0.5f, 4, -1});
  const Graph graph = simplified(imported);
  ASSERT_EQ(graph.nodes.size(), 2u);
  const LayerStatistics statistics = batch_norm_statistics(imported, graph);
  ASSERT_EQ(statistics.size(), 1u);
  const auto found = statistics.find(graph.value(graph.nodes[0].outputs[0]).name);
  ASSERT_NE(found, statistics.end());
  EXPECT_THAT(found->second.mean, ElementsAre(0.5, 4, -1));
  EXPECT_NEAR(found->second.deviation[0], 2 * std::sqrt(4 / 4.001), 1e-6);
  EXPECT_NEAR(found->second.deviation[1], 3 * std::sqrt(9 / 9.001), 1e-6);
  EXPECT_NEAR(found->second.deviation[2], std::sqrt(0.5 / 0.501), 1e-6);
}

// A pass may have removed the second channel, which nothing but its weights tell from the others.
TEST(BatchNormStatistics, OfTheChannelsThatAreLeft) {
  const Graph imported = conv_norm_conv({2, 1.5f, 1}, {0.5f, -1, -2});
  Graph graph = simplified(imported);
  auto drop = [&](ValueId id, size_t block, size_t run) {  // of each block its middle run
    const Tensor all = *graph.value(id).constant;
    Shape shape = all.shape();
    std::vector<float> kept;
    for (size_t i = 0; i < all.data<float>().size(); ++i)
      if (i % block / run != 1) kept.push_back(all.data<float>()[i]);
    shape[block == 3 && shape.size() == 4 ? 3 : 0] = 2;
    graph.value(id).constant = Tensor::of_floats(shape, kept);
    graph.value(id).type.shape = shape;
  };
  drop(graph.nodes[0].inputs[1], 12, 4);
  drop(graph.nodes[0].inputs[2], 3, 1);
  drop(graph.nodes[1].inputs[1], 3, 1);
  graph.value(graph.nodes[0].outputs[0]).type.shape.back() = 2;
  ASSERT_TRUE(verify_graph(graph, VerifyLevel::kSimplified).ok());
  const LayerStatistics statistics = batch_norm_statistics(imported, graph);
  ASSERT_EQ(statistics.size(), 1u);
  EXPECT_THAT(statistics.begin()->second.mean, ElementsAre(0.5, -2));
}

// Behind a sum, folded into the layer that reads it: what it read is what the sum is.
TEST(BatchNormStatistics, OfASumThatItReads) {
  Network net;
  ValueId x = net.input({1, 4, 4, 2});
  ValueId a = net.node(Conv2d{}, "a", {x, net.noise("wa", {2, 1, 1, 2}, 1)});
  ValueId b = net.node(Conv2d{}, "b", {x, net.noise("wb", {2, 1, 1, 2}, 1)});
  ValueId sum = net.node(Add{}, "sum", {a, net.node(Clamp{kRelu}, "relu", {b})});
  ValueId y = batch_norm(net, "norm", sum, {1, 1}, {0, 0}, {3, -4}, {16, 25});
  const Graph imported =
      net.with_output(net.node(Conv2d{}, "c", {y, net.noise("wc", {2, 1, 1, 2}, 1)}));
  const Graph graph = simplified(imported);
  const LayerStatistics statistics = batch_norm_statistics(imported, graph);
  const auto found = statistics.find("sum");
  ASSERT_NE(found, statistics.end());
  EXPECT_THAT(found->second.mean, ElementsAre(3, -4));
  EXPECT_THAT(found->second.deviation, ElementsAre(4, 5));
}

TEST(BatchNormStatistics, NoneWhereTheFileHasNone) {
  const Graph graph = simplified(uneven_network(1));
  EXPECT_TRUE(batch_norm_statistics(graph, graph).empty());
  const std::string message = no_statistics("net", "this").message;
  EXPECT_THAT(message, testing::HasSubstr("'net'"));
  EXPECT_THAT(message, testing::HasSubstr("folded"));
}

// Batch norms put back with what data measure: the function stays, and the statistics are those of
// the data.
TEST(BatchNormStatistics, OfUnfoldedNetworksAreWhatSamplesMeasure) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Graph plain = simplified(uneven_network(seed));
    const CalibrationData data = random_data(30, {1, 8, 8, 3}, seed);
    const Graph imported = unfold_batch_norms(plain, data, data.count);
    const Graph graph = simplified(imported);
    EXPECT_LT(relative_difference(plain, graph, data), 1e-4);
    const LayerStatistics statistics = batch_norm_statistics(imported, graph);
    EXPECT_EQ(statistics.size(), 4u) << "c1, d2, p3, f4";
    Graph bare = graph;  // its values before the first activation
    for (Node& node : bare.nodes)
      if (node.name == "c1") *activation_of(node.op) = {};
    const auto measured = channel_stats(bare, data, data.count);
    ASSERT_TRUE(measured.ok());
    for (const Node& node : graph.nodes) {
      if (node.name != "c1") continue;
      const auto found = statistics.find(graph.value(node.outputs[0]).name);
      ASSERT_NE(found, statistics.end());
      const auto& channels = (*measured)[static_cast<size_t>(node.outputs[0])];
      for (size_t c = 0; c < channels.size(); ++c) {
        EXPECT_NEAR(found->second.mean[c], channels[c].mean, 1e-4);
        EXPECT_NEAR(found->second.deviation[c], channels[c].deviation, 1e-3);
      }
    }
  }
}

}  // namespace
}  // namespace nibble
