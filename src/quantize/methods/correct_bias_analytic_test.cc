// Analytic bias correction against a clipped normal worked out by hand, and against the empirical
// one on samples of the very distribution that the batch norms speak of.
#include <gmock/gmock.h>

#include <cmath>

#include "quantize/methods/refine.h"
#include "support/float_network.h"

namespace nibble {
namespace {

QuantizeOptions options_with(const std::vector<std::string>& methods, int weight_bits) {
  QuantizeOptions options;
  options.all.weights.bits = weight_bits;
  options.all.activations.bits = 16;
  options.methods = *parse_methods(methods);
  return options;
}

Graph quantized(const Graph& graph, const CalibrationData& data, const QuantizeOptions& options) {
  Result<Graph> result = quantize(graph, data, options);
  NIBBLE_CHECK(result.ok(), "{}", result.error().message);
  return *result;
}

// The bias of a layer in real numbers, and its step.
struct RealBias {
  std::vector<double> values, steps;
};
RealBias bias_of(const Graph& integer, const std::string& name) {
  RealBias bias;
  for (const Node& node : integer.nodes) {
    if (node.name != name) continue;
    const Tensor& tensor = *integer.value(node.inputs[2]).constant;
    const auto& scales = tensor.type().quant->scale;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      bias.steps.push_back(static_cast<double>(scales[scales.size() == 1 ? 0 : i]));
      bias.values.push_back(static_cast<double>(tensor.integer_at(i)) * bias.steps.back());
    }
  }
  return bias;
}

// Weights 7, 0.4, 2.3 become 7, 0, 2; the inputs behind them are relu(N(0, 1)) and relu(N(1, 2)),
// with means 0.3989423 and Phi(1/2) + 2 phi(1/2) = 0.6914625 + 0.7041307.
TEST(CorrectBiasAnalytic, AddsWhatRoundingLosesOfTheClippedMean) {
  Network net;
  ValueId x = net.input({1, 3});
  ValueId hidden = net.node(Dense{kRelu}, "hidden",
                            {x, net.constant("w1", {3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1}),
                             net.constant("b1", {3}, {0, 0, 0})});
  const Graph graph = net.with_output(net.node(
      Dense{}, "out",
      {hidden, net.constant("w2", {1, 3}, {7, 0.4f, 2.3f}), net.constant("b2", {1}, {3})}));
  CalibrationData data = random_data(8, {1, 3}, 1);
  data.statistics = std::make_shared<LayerStatistics>(
      LayerStatistics{{graph.value(hidden).name, {{5, 0, 1}, {1, 1, 2}}}});
  const RealBias plain = bias_of(quantized(graph, data, options_with({}, 4)), "out");
  const RealBias corrected =
      bias_of(quantized(graph, data, options_with({"correct-bias-analytic"}, 4)), "out");
  ASSERT_EQ(corrected.values.size(), 1u);
  EXPECT_NEAR(corrected.values[0] - plain.values[0], 0.4 * 0.3989423 + 0.3 * 1.3955932,
              plain.steps[0]);
}

// The first layer reads samples with the means 2 and -1 behind the 7; they are no batch norm's.
TEST(CorrectBiasAnalytic, TakesTheMeansOfInputsFromTheSamples) {
  Network net;
  ValueId x = net.input({1, 3});
  ValueId hidden =
      net.node(Dense{}, "hidden",
               {x, net.constant("w1", {1, 3}, {7, 0.4f, 2.3f}), net.constant("b1", {1}, {3})});
  const Graph graph = net.with_output(net.node(
      Dense{}, "out", {hidden, net.constant("w2", {1, 1}, {1}), net.constant("b2", {1}, {0})}));
  CalibrationData data = {
      2, [&](int64_t index) {
        const float side = index == 0 ? -1 : 1;
        return Tensor::of_floats({1, 3}, std::vector<float>{side * 5, 2 + side, -1 + side * 3});
      }};
  data.statistics =
      std::make_shared<LayerStatistics>(LayerStatistics{{graph.value(hidden).name, {{0}, {1}}}});
  const RealBias plain = bias_of(quantized(graph, data, options_with({}, 4)), "hidden");
  const RealBias corrected =
      bias_of(quantized(graph, data, options_with({"correct-bias-analytic"}, 4)), "hidden");
  EXPECT_NEAR(corrected.values[0] - plain.values[0], 0.4 * 2 + 0.3 * -1, plain.steps[0]);
}

TEST(CorrectBiasAnalytic, NeedsStatistics) {
  const Graph graph = uneven_network(1);
  Result<Graph> result =
      quantize(graph, random_data(4, {1, 8, 8, 3}, 1), options_with({"correct-bias-analytic"}, 4));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, testing::HasSubstr("correct-bias-analytic"));
}

// A convolution with padding and a depthwise layer behind normal inputs.
TEST(CorrectBiasAnalytic, IsWhatTheEmpiricalOneTendsTo) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Network net(seed);
    ValueId x = net.input({1, 6, 6, 4});
    ValueId relu = net.node(Clamp{{0, 2}}, "relu", {x});
    ValueId c = net.node(Conv2d{kSame3x3, 1, {}}, "c",
                         {relu, net.noise("w1", {5, 3, 3, 4}, 1), net.noise("b1", {5}, 0.5)});
    ValueId d = net.node(DepthwiseConv2d{kSame3x3, {}}, "d",
                         {relu, net.noise("w2", {1, 3, 3, 8}, 1), net.noise("b2", {8}, 0.5)});
    const Graph graph = net.with_output(net.node(Concat{3}, "both", {c, d}));
    const ChannelStatistics normal = {{0.5, -1, 2, 1}, {1, 0.5, 1, 0.1}};
    CalibrationData data = {2000, [&](int64_t index) {
                              Rng rng(static_cast<uint64_t>(index));
                              Tensor tensor(graph.type(x));
                              auto values = tensor.mutable_data<float>();
                              for (size_t i = 0; i < values.size(); ++i)
                                values[i] = static_cast<float>(
                                    normal.mean[i % 4] + normal.deviation[i % 4] * rng.normal());
                              return tensor;
                            }};
    data.statistics =
        std::make_shared<LayerStatistics>(LayerStatistics{{graph.value(x).name, normal}});
    auto with = [&](const std::vector<std::string>& methods) {
      QuantizeOptions options = options_with(methods, 3);
      options.method_options.samples = data.count;
      return quantized(graph, data, options);
    };
    const Graph plain = with({}), empirical = with({"correct-bias"}),
                analytic = with({"correct-bias-analytic"});
    for (const char* layer : {"c", "d"}) {
      const RealBias none = bias_of(plain, layer), wanted = bias_of(empirical, layer),
                     found = bias_of(analytic, layer);
      double missing = 0, difference = 0;
      for (size_t i = 0; i < none.values.size(); ++i) {
        missing += std::abs(wanted.values[i] - none.values[i]);
        difference += std::abs(wanted.values[i] - found.values[i]);
      }
      EXPECT_LT(difference, 0.15 * missing) << layer << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace nibble
