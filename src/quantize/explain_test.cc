// The evidence of layers against what a loop over the samples finds, and planted faults that it has
// to name.
#include "quantize/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/float_network.h"
#include "support/spread_channels.h"

namespace nibble {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

const LayerEvidence& layer_of(const std::vector<LayerEvidence>& layers, const std::string& name) {
  for (const LayerEvidence& layer : layers)
    if (layer.error.node == name) return layer;
  ADD_FAILURE() << "no layer " << name;
  return layers[0];
}

std::vector<std::string> findings_of(const LayerEvidence& layer) {
  std::vector<std::string> names;
  for (const ScaleFinding& finding : layer.findings) {
    names.emplace_back(scale_finding_name(finding.kind));
    // What is found is beyond its limit: above, but for what is too small.
    if (finding.kind == ScaleFinding::Kind::kMultiplierTooSmall) {
      EXPECT_LT(finding.value, finding.limit);
    } else {
      EXPECT_GT(finding.value, finding.limit);
    }
  }
  return names;
}

std::vector<std::string> dead_of(const LayerEvidence& layer) {
  std::vector<std::string> texts;
  for (const DeadChannel& channel : layer.dead)
    texts.push_back(fmt::format("{} {}", channel.channel, dead_channel_why(channel.why)));
  return texts;
}

struct Explained {
  Graph real, integer;
  std::vector<LayerEvidence> layers;
};

Explained explained(const Graph& graph, const CalibrationData& data,
                    const QuantizeOptions& options = {}) {
  Explained result;
  QuantizeReport report;
  Result<Graph> integer = quantize(graph, data, options, &report);
  NIBBLE_CHECK(integer.ok(), "{}", integer.error().message);
  result.integer = std::move(integer).value();
  result.real = report.prepared;
  result.layers = *layer_evidence(result.real, result.integer, data, data.count);
  return result;
}

TEST(Explain, NumbersOfOneLayer) {
  Network net;
  ValueId x = net.input({1, 6});
  const Graph graph = net.with_output(
      net.node(Dense{kRelu}, "fc", {x, net.noise("w", {5, 6}, 1), net.noise("b", {5}, 0.5)}));
  const CalibrationData data = random_data(37, {1, 6}, 4);
  const Explained found = explained(graph, data);
  ASSERT_EQ(found.layers.size(), 2);
  const LayerEvidence& layer = found.layers[1];
  double signal = 0, noise = 0, cross = 0, length = 0, largest = 0, sum = 0;
  int64_t low = 0, high = 0;
  Interpreter real(found.real), integer(found.integer);
  const TensorType& in = found.integer.type(found.integer.inputs[0].value);
  for (int64_t s = 0; s < data.count; ++s) {
    std::vector<Tensor> inputs = {data.sample(s)};
    const Tensor wanted = real.run(inputs)[0];
    inputs = {quantize_tensor(data.sample(s), in)};
    const Tensor q = integer.run(inputs)[0];
    const Tensor got = dequantize_tensor(q);
    for (size_t i = 0; i < 5; ++i) {
      const double a = static_cast<double>(wanted.data<float>()[i]);
      const double b = static_cast<double>(got.data<float>()[i]);
      signal += a * a, noise += (a - b) * (a - b), cross += a * b, length += b * b, sum += a;
      largest = std::max(largest, std::abs(a - b));
      low += q.integer_at(static_cast<int64_t>(i)) == -128;
      high += q.integer_at(static_cast<int64_t>(i)) == 127;
    }
  }
  const double count = 37 * 5;
  EXPECT_NEAR(layer.error.sqnr_db, 10 * std::log10(signal / noise), 1e-9);
  EXPECT_NEAR(layer.error.local_sqnr_db, layer.error.sqnr_db, 1e-9);  // nothing stands before it
  EXPECT_NEAR(layer.error.cosine, cross / std::sqrt(signal * length), 1e-12);
  EXPECT_EQ(layer.error.max_abs_error, largest);
  EXPECT_EQ(layer.saturation.low, low);
  EXPECT_EQ(layer.saturation.high, high);
  EXPECT_EQ(layer.saturation.count, 37 * 5);
  EXPECT_TRUE(layer.saturation.low_is_zero);
  EXPECT_NEAR(layer.deviation, std::sqrt(signal / count - sum / count * sum / count), 1e-9);
  EXPECT_EQ(layer.channels, 5);
  EXPECT_EQ(layer.weight_bits, 8);
  EXPECT_EQ(layer.activation_bits, 8);
  EXPECT_THAT(layer.findings, IsEmpty());
  EXPECT_EQ(found.layers[0].error.op, "input");
  EXPECT_EQ(found.layers[0].error.node, "x");
}

TEST(Explain, HistogramsHoldEveryValue) {
  const CalibrationData data = random_data(20, {1, 8, 8, 3}, 2);
  for (const LayerEvidence& layer : explained(uneven_network(1), data).layers) {
    auto check = [&](const Plot& plot, int64_t count) {
      EXPECT_LE(plot.counts.size(), Plot::kBins);
      EXPECT_GT(plot.counts.size(), Plot::kBins / 4);
      EXPECT_EQ(std::accumulate(plot.counts.begin(), plot.counts.end(), int64_t{0}), count);
      EXPECT_EQ(plot.first_edge, std::round(plot.first_edge / plot.bin_width) * plot.bin_width);
      EXPECT_LT(plot.clip_min, plot.clip_max);
      EXPECT_GT(plot.counts.front(), 0);
      EXPECT_GT(plot.counts.back(), 0);
    };
    check(layer.activations, layer.saturation.count);
    if (layer.error.node == "c1") check(*layer.weights, 8 * 27);
  }
}

TEST(Explain, DeadChannels) {
  Network net;
  ValueId x = net.input({1, 4});
  std::vector<float> weights = {1, 1, -1, 0.5f, 0, 0, 0, 0, -1, 1, 1, 1, 1, 0.5f, 0.25f, 1e-6f};
  // Channel 0 lives, 1 has no weights, 2 is shut by its bias, 3 lives beside it.
  const Graph graph = net.with_output(net.node(
      Dense{kRelu}, "fc",
      {x, net.constant("w", {4, 4}, weights), net.constant("b", {4}, {0.1f, 0.7f, -50, 0})}));
  EXPECT_THAT(dead_of(layer_of(explained(graph, random_data(30, {1, 4}, 1)).layers, "fc")),
              ElementsAre("1 zero_weights", "2 constant"));
}

TEST(Explain, ChannelsThatOneScaleRoundsAway) {
  Network net;
  ValueId x = net.input({1, 4});
  std::vector<float> weights;
  for (int o = 0; o < 6; ++o)
    for (int i = 0; i < 4; ++i)
      weights.push_back((o == 0 ? 2000.0f : 0.5f) * (i % 2 == 0 ? 1.0f : -0.8f));
  const Graph graph =
      net.with_output(net.node(Dense{}, "fc", {x, net.constant("w", {6, 4}, weights)}));
  const CalibrationData data = random_data(30, {1, 4}, 1);
  QuantizeOptions options;
  options.all.weights.granularity = Granularity::kTensor;
  const LayerEvidence tensor = layer_of(explained(graph, data, options).layers, "fc");
  EXPECT_EQ(dead_of(tensor).size(), 5);
  EXPECT_THAT(dead_of(tensor), Contains("3 rounded_away"));
  EXPECT_THAT(findings_of(tensor), ElementsAre("activation_range_unused", "weight_range_unused"));
  EXPECT_TRUE(tensor.weights_per_tensor);
  const LayerEvidence channel = layer_of(explained(graph, data).layers, "fc");
  EXPECT_THAT(findings_of(channel), Contains("weight_scales_apart"));
  EXPECT_THAT(findings_of(channel), Contains("multiplier_too_small"));
}

// Largest weights of 600 and 1, but ranges of -600 to 600 and 0 to 1 where the zero may lie
// anywhere.
TEST(Explain, ScalesAreHeldAgainstEachOtherAndNotTheLargestWeights) {
  Network net;
  ValueId x = net.input({1, 2});
  const Graph graph = net.with_output(
      net.node(Dense{}, "fc", {x, net.constant("w", {2, 2}, {600, -600, 1, 0.5f})}));
  const CalibrationData data = random_data(30, {1, 2}, 1);
  EXPECT_THAT(findings_of(layer_of(explained(graph, data).layers, "fc")),
              Not(Contains("weight_scales_apart")));
  QuantizeOptions options;
  options.all.weights.grid = Grid::kAsymmetric;
  const LayerEvidence layer = layer_of(explained(graph, data, options).layers, "fc");
  ASSERT_THAT(findings_of(layer), Contains("weight_scales_apart"));
  const auto found = std::ranges::find(layer.findings, ScaleFinding::Kind::kWeightScalesApart,
                                       &ScaleFinding::kind);
  EXPECT_NEAR(found->value, 1200, 1e-3 * 1200);
}

TEST(Explain, AStepThatIsCoarserThanTheValues) {
  Network net;
  ValueId x = net.input({1, 2});
  const Graph graph =
      net.with_output(net.node(Dense{}, "fc", {x, net.constant("w", {1, 2}, {1, 0})}));
  // One value in a thousand is 1000 times the others.
  const CalibrationData data{1000, [](int64_t index) {
                               const float value =
                                   index == 7 ? 1000.0f : static_cast<float>(index % 2);
                               return Tensor::of_floats({1, 2}, {{value, 0.5f}});
                             }};
  const Explained found = explained(graph, data);
  // The deviation of 1000, 0, 1, 0, 1, ... is 31.6, a step 3.9: not yet.
  EXPECT_THAT(findings_of(layer_of(found.layers, "fc")), IsEmpty());
  QuantizeOptions options;
  options.all.activations.bits = 4;
  EXPECT_THAT(findings_of(layer_of(explained(graph, data, options).layers, "fc")),
              Contains("step_too_coarse"));
}

TEST(Explain, SpreadChannelsAreFoundAndEqualizeBringsThemTogether) {
  Graph graph = uneven_network(1);
  const CalibrationData data = random_data(30, {1, 8, 8, 3}, 3);
  Graph spread = graph;
  EXPECT_EQ(spread_channels(spread, 1000, 1), 2);
  EXPECT_LT(relative_difference(graph, spread, data), 1e-5);
  QuantizeOptions options;
  options.all.weights.granularity = Granularity::kTensor;
  auto wasteful = [&](const std::vector<std::string>& methods) {
    options.methods = *parse_methods(methods);
    int count = 0;
    for (const LayerEvidence& layer : explained(spread, data, options).layers)
      for (const std::string& name : findings_of(layer)) count += name.ends_with("unused");
    return count;
  };
  const int before = wasteful({});
  EXPECT_GE(before, 2);
  EXPECT_LT(wasteful({"equalize"}), before);
}

TEST(Explain, TheErrorsAreThoseOfCompareLayers) {
  const CalibrationData data = random_data(9, {1, 8, 8, 3}, 2);
  const Explained found = explained(uneven_network(1), data);
  const auto errors = *compare_layers(found.real, found.integer, data, 9);
  ASSERT_EQ(errors.size() + 1, found.layers.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    EXPECT_EQ(errors[i].node, found.layers[i + 1].error.node);
    EXPECT_EQ(errors[i].sqnr_db, found.layers[i + 1].error.sqnr_db);
    EXPECT_EQ(errors[i].cosine, found.layers[i + 1].error.cosine);
    EXPECT_LE(errors[i].cosine, 1);
  }
}

}  // namespace
}  // namespace nibble
