// Preparing methods against values worked out by hand, and the property they share: the float
// network computes the same afterwards.
#include "quantize/methods/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/float_network.h"

namespace nibble {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;

struct Prepared {
  explicit Prepared(CalibrationData samples) : data(std::move(samples)) {}
  CalibrationData data;
  MethodOptions options;
  LayerSettings all;
  std::vector<LayerRule> rules;
  PrepareContext context{data, options, all, rules};
};

// Two inputs, two hidden channels behind a relu, one output.
Graph two_layers(const std::vector<float>& first, const std::vector<float>& bias,
                 const std::vector<float>& second) {
  Network net;
  ValueId x = net.input({1, 1});
  ValueId hidden = net.node(Dense{kRelu}, "hidden",
                            {x, net.constant("w1", {2, 1}, first), net.constant("b1", {2}, bias)});
  ValueId y = net.node(Dense{}, "out",
                       {hidden, net.constant("w2", {1, 2}, second), net.constant("b2", {1}, {0})});
  return net.with_output(y);
}

TEST(Equalize, RangesOfBothLayersMeetAtTheirGeometricMean) {
  Graph graph = two_layers({8, 0.5f}, {4, 1}, {2, 32});
  Prepared prepared(random_data(4, {1, 1}, 1));
  ASSERT_TRUE(equalize(graph, prepared.context).ok());
  // s = sqrt(8 / 2) = 2 and sqrt(0.5 / 32) = 1/8.
  EXPECT_THAT(floats_of(graph, "hidden", 1), ElementsAre(FloatEq(4), FloatEq(4)));
  EXPECT_THAT(floats_of(graph, "hidden", 2), ElementsAre(FloatEq(2), FloatEq(8)));
  EXPECT_THAT(floats_of(graph, "out", 1), ElementsAre(FloatEq(4), FloatEq(4)));
}

// The second hidden channel is its bias, whatever it reads: scaled up to what reads it, it would be
// 1e15.
TEST(Equalize, ChannelsThatAreOnlyTheirBiasStay) {
  Graph graph = two_layers({8, 1e-30f}, {4, 1}, {2, 32});
  Prepared prepared(random_data(4, {1, 1}, 1));
  ASSERT_TRUE(equalize(graph, prepared.context).ok());
  EXPECT_THAT(floats_of(graph, "hidden", 1), ElementsAre(FloatEq(4), FloatEq(1e-30f)));
  EXPECT_THAT(floats_of(graph, "hidden", 2), ElementsAre(FloatEq(2), FloatEq(1)));
  EXPECT_THAT(floats_of(graph, "out", 1), ElementsAre(FloatEq(4), FloatEq(32)));
}

TEST(Equalize, TheNetworkComputesTheSame) {
  for (Bounds act : {kRelu, Bounds{0, 6}, Bounds{0, 0.8f}}) {
    const Graph before = uneven_network(3, act);
    Graph after = before;
    Prepared prepared(random_data(20, {1, 8, 8, 3}, 5));
    ASSERT_TRUE(equalize(after, prepared.context).ok());
    EXPECT_LT(relative_difference(before, after, prepared.data), 1e-5) << act.max;
    EXPECT_NE(floats_of(before, "d2", 1), floats_of(after, "d2", 1)) << act.max;
  }
}

TEST(Equalize, FarRangesOfADepthwiseLayerComeTogether) {
  Graph graph = uneven_network(4);
  Prepared prepared(random_data(4, {1, 8, 8, 3}, 5));
  auto spread = [&] {
    const std::vector<float> weights = floats_of(graph, "d2", 1);
    std::vector<float> largest(8, 0);
    for (size_t i = 0; i < weights.size(); ++i)
      largest[i % 8] = std::max(largest[i % 8], std::abs(weights[i]));
    return *std::ranges::max_element(largest) / *std::ranges::min_element(largest);
  };
  const float before = spread();
  EXPECT_GT(before, 300);
  ASSERT_TRUE(equalize(graph, prepared.context).ok());
  EXPECT_LT(spread(), before / 10);
}

// Two channels behind a relu6, with weights of ranges far apart.
Graph bounded_network() {
  Network net;
  ValueId x = net.input({1, 1});
  ValueId hidden =
      net.node(Dense{{0, 6}}, "hidden",
               {x, net.constant("w1", {2, 1}, {8, 0.5f}), net.constant("b1", {2}, {0, 0})});
  return net.with_output(net.node(
      Dense{}, "out", {hidden, net.constant("w2", {1, 2}, {2, 32}), net.constant("b2", {1}, {0})}));
}

// A channel that reaches the bound of a relu6 keeps its scale.
TEST(Equalize, SaturatedChannelsStay) {
  Graph graph = bounded_network();
  const Graph before = graph;
  Prepared prepared(random_data(8, {1, 1}, 1, 0.9, 1));
  ASSERT_TRUE(equalize(graph, prepared.context).ok());
  EXPECT_THAT(floats_of(graph, "out", 1), ElementsAre(FloatEq(2), FloatEq(4)));
  EXPECT_LT(relative_difference(before, graph, prepared.data), 1e-6);
}

TEST(AbsorbBias, WhatAChannelAlwaysHasMovesOn) {
  Graph graph = two_layers({1, 1}, {10, 0.5f}, {3, 5});
  const Graph before = graph;
  Prepared prepared({2, [](int64_t index) {
                       const float value = index == 0 ? -1.0f : 1.0f;
                       return Tensor::of_floats({1, 1}, {{value}});
                     }});
  ASSERT_TRUE(absorb_bias(graph, prepared.context).ok());
  // Channel 0 is never below 10 - 1; channel 1 reaches zero.
  EXPECT_THAT(floats_of(graph, "hidden", 2), ElementsAre(1, 0.5f));
  EXPECT_THAT(floats_of(graph, "out", 2), ElementsAre(27));
  EXPECT_LT(relative_difference(before, graph, prepared.data), 1e-6);
}

TEST(AbsorbBias, TheNetworkComputesTheSame) {
  Graph before = uneven_network(7);
  for (Value& value : before.values)
    if (value.name == "b2" || value.name == "b4")
      for (float& bias : value.constant->mutable_data<float>()) bias += 4;
  Graph after = before;
  Prepared prepared(random_data(20, {1, 8, 8, 3}, 5));
  ASSERT_TRUE(absorb_bias(after, prepared.context).ok());
  EXPECT_LT(relative_difference(before, after, prepared.data), 1e-5);
  EXPECT_NE(floats_of(before, "d2", 2), floats_of(after, "d2", 2)) << "a pointwise reads it";
  EXPECT_EQ(floats_of(before, "c1", 2), floats_of(after, "c1", 2)) << "a padded layer reads it";
}

// Synthetic inputs say nothing of the ends of a channel: 10 - 3 * 2 and max(0, 1 - 3 * 1).
TEST(AbsorbBias, ByBatchNormsThreeDeviationsBelowTheMean) {
  Graph graph = two_layers({1, 1}, {10, 0.5f}, {3, 5});
  Prepared prepared(random_data(4, {1, 1}, 1));
  prepared.data.synthetic = true;
  const std::string hidden = graph.value(graph.nodes[0].outputs[0]).name;
  LayerStatistics statistics = {{hidden, {{10, 1}, {2, 1}}}};
  prepared.context.statistics = &statistics;
  ASSERT_TRUE(absorb_bias(graph, prepared.context).ok());
  EXPECT_THAT(floats_of(graph, "hidden", 2), ElementsAre(6, 0.5f));
  EXPECT_THAT(floats_of(graph, "out", 2), ElementsAre(12));
  EXPECT_THAT(statistics[hidden].mean, ElementsAre(6, 1));
  EXPECT_THAT(statistics[hidden].deviation, ElementsAre(2, 1));
}

// s = 2 and 1/8, as in RangesOfBothLayersMeetAtTheirGeometricMean.
TEST(Equalize, StatisticsFollowTheirChannels) {
  Graph graph = two_layers({8, 0.5f}, {4, 1}, {2, 32});
  Prepared prepared(random_data(4, {1, 1}, 1));
  const std::string hidden = graph.value(graph.nodes[0].outputs[0]).name;
  LayerStatistics statistics = {{hidden, {{4, 1}, {8, 0.5}}}};
  prepared.context.statistics = &statistics;
  ASSERT_TRUE(equalize(graph, prepared.context).ok());
  EXPECT_NEAR(statistics[hidden].mean[0], 2, 1e-3);
  EXPECT_NEAR(statistics[hidden].mean[1], 8, 1e-2);
  EXPECT_NEAR(statistics[hidden].deviation[0], 4, 1e-2);
  EXPECT_NEAR(statistics[hidden].deviation[1], 4, 1e-2);
}

// 3 + 6 * 1 reaches the bound of 6 though the samples do not: that channel keeps its scale.
TEST(Equalize, ByBatchNormsWhetherAChannelReachesItsBound) {
  Graph graph = bounded_network();
  Prepared prepared(random_data(8, {1, 1}, 1, 0, 0.1));
  prepared.data.synthetic = true;
  LayerStatistics statistics = {
      {graph.value(graph.nodes[0].outputs[0]).name, {{3, 0.01}, {1, 0.001}}}};
  prepared.context.statistics = &statistics;
  ASSERT_TRUE(equalize(graph, prepared.context).ok());
  EXPECT_THAT(floats_of(graph, "out", 1), ElementsAre(FloatEq(2), FloatEq(4)));
}

// Of a channel that is split, both halves are what it was.
TEST(SplitChannels, StatisticsAreSplitToo) {
  Graph graph = two_layers({1, 1}, {0, 0}, {1, 8});
  Prepared prepared(random_data(4, {1, 1}, 1));
  const std::string hidden = graph.value(graph.nodes[0].outputs[0]).name;
  LayerStatistics statistics = {{hidden, {{5, 7}, {1, 2}}}};
  prepared.context.statistics = &statistics;
  ASSERT_TRUE(split_channels(graph, prepared.context).ok());
  EXPECT_THAT(statistics[hidden].mean, ElementsAre(5, 7, 7));
  EXPECT_THAT(statistics[hidden].deviation, ElementsAre(1, 2, 2));
}

TEST(Smooth, ScalesAreThoseOfTheEquation) {
  // Largest activations 4 and 1, weights that read them 1 and 4: s = sqrt(4/1) and sqrt(1/4).
  Graph graph = two_layers({4, 1}, {0, 0}, {1, 4});
  Prepared prepared({2, [](int64_t index) {
                       return Tensor::of_floats({1, 1}, {{static_cast<float>(index)}});
                     }});
  ASSERT_TRUE(smooth(graph, prepared.context).ok());
  EXPECT_THAT(floats_of(graph, "hidden", 1), ElementsAre(FloatEq(2), FloatEq(2)));
  EXPECT_THAT(floats_of(graph, "out", 1), ElementsAre(FloatEq(2), FloatEq(2)));
  const Graph before = uneven_network(9);
  Graph after = before;
  Prepared other(random_data(20, {1, 8, 8, 3}, 5));
  ASSERT_TRUE(smooth(after, other.context).ok());
  EXPECT_LT(relative_difference(before, after, other.data), 1e-5);
}

TEST(SplitChannels, TheLargestWeightIsReadInHalves) {
  Graph graph = two_layers({1, 1}, {0, 0}, {7, 3.5f});
  const Graph before = graph;
  Prepared prepared(random_data(20, {1, 1}, 5));
  prepared.options.split_share = 0.5;  // one of two
  prepared.all.weights.bits = 4;       // seven steps
  ASSERT_TRUE(split_channels(graph, prepared.context).ok());
  // The largest is 3.5 afterwards, a step 0.5; the halves differ by half a step.
  EXPECT_THAT(floats_of(graph, "out", 1),
              ElementsAre(FloatNear(3.375f, 1e-6f), FloatEq(3.5f), FloatNear(3.625f, 1e-6f)));
  EXPECT_EQ(graph.type(graph.nodes[0].outputs[0]).shape, (Shape{1, 3}));
  EXPECT_LT(relative_difference(before, graph, prepared.data), 1e-6);
}

TEST(SplitChannels, TheNetworkComputesTheSame) {
  const Graph before = uneven_network(11);
  Graph after = before;
  Prepared prepared(random_data(20, {1, 8, 8, 3}, 5));
  prepared.options.split_share = 0.2;
  ASSERT_TRUE(split_channels(after, prepared.context).ok());
  ASSERT_TRUE(verify_graph(after, VerifyLevel::kSimplified).ok());
  EXPECT_EQ(floats_of(after, "f4", 1).size(), 15u * 8u) << "12 channels and a fifth";
  EXPECT_LT(relative_difference(before, after, prepared.data), 1e-5);
}

}  // namespace
}  // namespace nibble
