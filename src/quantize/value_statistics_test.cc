// What follows from batch norms for other values: closed forms, numeric integrals, samples.
#include "quantize/value_statistics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "quantize/methods/channel_stats.h"
#include "support/float_network.h"

namespace nibble {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(ClippedNormal, ReluOfAStandardNormal) {
  const Moments clipped = clipped_normal({0, 1}, kRelu);
  EXPECT_NEAR(clipped.mean, 0.3989422804, 1e-9);  // 1 / sqrt(2 pi)
  EXPECT_NEAR(clipped.deviation, std::sqrt(0.5 - 0.1591549431), 1e-9);
}

TEST(ClippedNormal, AgreesWithIntegrals) {
  for (const auto& [normal, bounds] :
       std::vector<std::pair<Moments, Bounds>>{{{1, 2}, {0, 6}},
                                               {{-3, 0.5}, kRelu},
                                               {{5, 3}, {0, 6}},
                                               {{0.2, 0.1}, {-1, 1}},
                                               {{40, 1}, {0, 6}},
                                               {{2, 1}, {-INFINITY, 1}}}) {
    double mean = 0, square = 0;
    constexpr int kSteps = 200000;
    for (int i = 0; i < kSteps; ++i) {
      const double z = -10 + 20 * (i + 0.5) / kSteps;
      const double weight = std::exp(-z * z / 2) * 0.3989422804014327 * 20 / kSteps;
      const double y = std::clamp(normal.mean + normal.deviation * z,
                                  static_cast<double>(bounds.min), static_cast<double>(bounds.max));
      mean += weight * y;
      square += weight * y * y;
    }
    const Moments clipped = clipped_normal(normal, bounds);
    EXPECT_NEAR(clipped.mean, mean, 1e-6);
    EXPECT_NEAR(clipped.deviation, std::sqrt(std::max(0.0, square - mean * mean)), 1e-4);
  }
}

TEST(ClippedNormal, OfAConstant) {
  EXPECT_EQ(clipped_normal({-2, 0}, kRelu).mean, 0);
  EXPECT_EQ(clipped_normal({7, 0}, {0, 6}).mean, 6);
  EXPECT_EQ(clipped_normal({7, 3}, {}).deviation, 3);
}

// A 3x3 window of ones on 2x2 pixels sees four of them at each position.
TEST(ExpectedSums, PaddingCountsAsItIs) {
  Network net;
  ValueId x = net.input({1, 2, 2, 1});
  const Graph graph =
      net.with_output(net.node(Conv2d{kSame3x3, 1, {}}, "c",
                               {x, net.constant("w", {1, 3, 3, 1}, std::vector<float>(9, 1))}));
  const auto layer = real_layer(graph, 0);
  const std::vector<float> ones(9, 1);
  EXPECT_THAT(expected_sums(graph, *layer, ones, std::vector<double>{2}),
              ElementsAre(DoubleNear(8, 1e-12)));
}

// Windows of 3x3 on 2x2 pixels: four of the nine positions of each are pixels.
TEST(ValueStatistics, ZerosOfPaddingCountInAPool) {
  Network net;
  ValueId x = net.input({1, 2, 2, 1});
  const Graph graph = net.with_output(net.node(AvgPool2d{3, 3, kSame3x3, true, {}}, "pool", {x}));
  const ValueStatistics found = value_statistics(graph, {{"x", {{9}, {0}}}});
  EXPECT_THAT(found[static_cast<size_t>(graph.outputs[0].value)]->mean,
              ElementsAre(DoubleNear(4, 1e-12)));
}

// Flattened, every element is of its channel.
TEST(ValueStatistics, OfFlattenedImages) {
  Network net;
  ValueId x = net.input({1, 2, 1, 2});
  const Graph graph = net.with_output(net.node(Reshape{{1, 4}}, "flat", {x}));
  const ValueStatistics found = value_statistics(graph, {{"x", {{3, 5}, {1, 2}}}});
  EXPECT_THAT(found[static_cast<size_t>(graph.outputs[0].value)]->mean, ElementsAre(3, 5, 3, 5));
}

// relu(N(0, 1)) and relu(N(-100, 1)) through a dense layer with weights 2, 5 and bias 1.
TEST(ValueStatistics, ThroughAReluIntoADenseLayer) {
  Network net;
  ValueId x = net.input({1, 2});
  ValueId hidden = net.node(Dense{kRelu}, "hidden", {x, net.noise("w1", {2, 2}, 1)});
  const Graph graph = net.with_output(net.node(
      Dense{}, "out", {hidden, net.constant("w2", {1, 2}, {2, 5}), net.constant("b2", {1}, {1})}));
  const LayerStatistics layers = {{graph.value(hidden).name, {{0, -100}, {1, 1}}}};
  const ValueStatistics found = value_statistics(graph, layers);
  EXPECT_FALSE(found[static_cast<size_t>(x)]);
  const auto& out = found[static_cast<size_t>(graph.outputs[0].value)];
  ASSERT_TRUE(out);
  EXPECT_THAT(out->mean, ElementsAre(DoubleNear(1 + 2 * 0.3989422804, 1e-6)));
  EXPECT_THAT(out->deviation, ElementsAre(DoubleNear(2 * std::sqrt(0.3408450569), 1e-6)));
}

// Inputs that are normal, as a batch norm in front would say: everything behind agrees with
// samples, padding, sums, pools and concatenations included.
TEST(ValueStatistics, AgreeWithSamples) {
  Network net(5);
  ValueId x = net.input({1, 6, 6, 4});
  ValueId relu = net.node(Clamp{{0, 1.5f}}, "relu", {x});
  ValueId c1 = net.node(Conv2d{kSame3x3, 1, {}}, "c1",
                        {relu, net.noise("w1", {4, 3, 3, 4}, 1), net.noise("b1", {4}, 1)});
  ValueId d2 = net.node(DepthwiseConv2d{kSame3x3, {}}, "d2",
                        {x, net.noise("w2", {1, 3, 3, 8}, 1), net.noise("b2", {8}, 1)});
  ValueId both = net.node(Concat{3}, "both", {c1, d2});
  ValueId pool =
      net.node(AvgPool2d{2, 2, Window{2, 2, 1, 1, 0, 0, 0, 0}, false, {}}, "pool", {both});
  ValueId half = net.node(Mul{}, "half", {pool, net.constant("h", {1}, {0.5f})});
  ValueId mean = net.node(Mean{{1, 2}, false}, "mean", {half});
  const Graph graph = net.with_output(
      net.node(Dense{}, "f", {mean, net.noise("w3", {2, 12}, 0.1), net.noise("b3", {2}, 1)}));
  const ChannelStatistics normal = {{0.5, -1, 2, 0}, {1, 0.5, 3, 0.1}};
  const CalibrationData data = {
      4000, [&](int64_t index) {
        Rng rng(static_cast<uint64_t>(index));
        Tensor tensor(graph.type(x));
        auto values = tensor.mutable_data<float>();
        for (size_t i = 0; i < values.size(); ++i)
          values[i] =
              static_cast<float>(normal.mean[i % 4] + normal.deviation[i % 4] * rng.normal());
        return tensor;
      }};
  const auto measured = channel_stats(graph, data, data.count);
  ASSERT_TRUE(measured.ok());
  const ValueStatistics found = value_statistics(graph, {{graph.value(x).name, normal}});
  for (ValueId id : {relu, c1, d2, both, pool, half, mean, graph.outputs[0].value}) {
    const auto& statistics = found[static_cast<size_t>(id)];
    ASSERT_TRUE(statistics) << graph.value(id).name;
    for (size_t c = 0; c < statistics->mean.size(); ++c) {
      const ChannelStats& sample = (*measured)[static_cast<size_t>(id)][c];
      EXPECT_NEAR(statistics->mean[c], sample.mean, 0.02 + 0.05 * sample.deviation)
          << graph.value(id).name << " channel " << c;
    }
  }
}

}  // namespace
}  // namespace nibble
