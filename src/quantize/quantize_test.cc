// Post-training quantization of small networks: the integer graph stays near the float one, and
// what cannot be quantized is named.
#include "quantize/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/ops.h"
#include "support/float_network.h"

namespace nibble {
namespace {

// conv - depthwise - pointwise with a residual add, pool, dense, softmax: what the small networks
// are made of.
Graph small_network(uint64_t seed) {
  Network net(seed);
  const ValueId x = net.input({1, 8, 8, 3});
  const ValueId w1 = net.noise("w1", {8, 3, 3, 3}, 0.5), b1 = net.noise("b1", {8}, 0.2);
  const ValueId c1 = net.node(Conv2d{kSame3x3, 1, kRelu}, "c1", {x, w1, b1});
  const ValueId w2 = net.noise("w2", {1, 3, 3, 8}, 0.5), b2 = net.noise("b2", {8}, 0.2);
  const ValueId d2 = net.node(DepthwiseConv2d{kSame3x3, kRelu}, "d2", {c1, w2, b2});
  const ValueId sum = net.node(Add{kRelu}, "sum", {c1, d2});
  const ValueId pool = net.node(AvgPool2d{8, 8, Window{}, false, {}}, "pool", {sum});
  const ValueId flat = net.node(Reshape{{1, 8}}, "flat", {pool});
  const ValueId w3 = net.noise("w3", {4, 8}, 1), b3 = net.noise("b3", {4}, 0.2);
  const ValueId fc = net.node(Dense{}, "fc", {flat, w3, b3});
  return net.with_output(net.node(Softmax{}, "softmax", {fc}));
}

TEST(Quantize, EveryCalibratorStaysNearTheFloatNetwork) {
  Graph graph = small_network(1);
  CalibrationData data = random_data(70, {1, 8, 8, 3}, 100);
  for (const std::string& name : calibrator_names()) {
    QuantizeOptions options;
    options.all.activations.calibrator = *parse_calibrator(name);
    QuantizeReport report;
    Result<Graph> integer = quantize(graph, data, without_learning(options), &report);
    ASSERT_TRUE(integer.ok()) << name << integer.error().message;
    EXPECT_TRUE(verify_graph(*integer, VerifyLevel::kQuantized).ok());
    EXPECT_EQ(report.samples, 70);
    Result<std::vector<LayerError>> errors = compare_layers(graph, *integer, data, 8);
    ASSERT_TRUE(errors.ok());
    ASSERT_EQ(errors->size(), graph.nodes.size());
    for (const LayerError& error : *errors) {
      EXPECT_GT(error.sqnr_db, 22) << name << " " << error.node;
      EXPECT_GE(error.local_sqnr_db, 22) << name << " " << error.node;
    }
  }
}

TEST(Quantize, TheResultDoesNotDependOnTheOrderOfWorkers) {
  Graph graph = small_network(2);
  CalibrationData data = random_data(130, {1, 8, 8, 3}, 7);
  std::string first = print_graph(*quantize(graph, data, {}));
  EXPECT_EQ(first, print_graph(*quantize(graph, data, {})));
}

TEST(Quantize, PoolsAndReshapesKeepTheirInputsParameters) {
  Graph integer = *quantize(small_network(3), random_data(5, {1, 8, 8, 3}, 1), {});
  auto params = [&](const std::string& name) {
    for (const Node& node : integer.nodes)
      if (node.name == name) return *integer.type(node.outputs[0]).quant;
    return QuantParams{};
  };
  EXPECT_EQ(params("pool"), params("sum"));
  EXPECT_EQ(params("flat"), params("sum"));
  EXPECT_EQ(params("softmax").scale[0], 1.0f / 256);
  EXPECT_EQ(params("softmax").zero_point[0], -128);
  EXPECT_EQ(params("c1").zero_point[0], -128);  // relu: all of the grid is above zero
}

TEST(Quantize, PerTensorWeightsHaveOneScale) {
  QuantizeOptions options;
  options.all.weights.granularity = Granularity::kTensor;
  Graph integer = *quantize(small_network(4), random_data(5, {1, 8, 8, 3}, 1), options);
  for (const Node& node : integer.nodes) {
    QuantRule rule = quant_rule(node.op);
    if (rule.weight < 0) continue;
    EXPECT_EQ(integer.type(node.inputs[static_cast<size_t>(rule.weight)]).quant->scale.size(), 1u);
  }
}

TEST(Quantize, KeepFloatLeavesTheNodeAndPutsBordersAround) {
  QuantizeOptions options;
  options.keep_float = {"fc"};
  Result<Graph> integer = quantize(small_network(5), random_data(5, {1, 8, 8, 3}, 1), options);
  ASSERT_TRUE(integer.ok()) << integer.error().message;
  int quantizes = 0, dequantizes = 0;
  for (const Node& node : integer->nodes) {
    quantizes += std::holds_alternative<Quantize>(node.op);
    dequantizes += std::holds_alternative<Dequantize>(node.op);
    if (node.name == "fc") {
      EXPECT_EQ(integer->type(node.outputs[0]).dtype, DType::kF32);
    }
  }
  EXPECT_EQ(quantizes, 1);
  EXPECT_EQ(dequantizes, 1);
}

int count_borders(const Graph& graph) {
  return static_cast<int>(std::ranges::count_if(graph.nodes, [](const Node& node) {
    return std::holds_alternative<Quantize>(node.op) || std::holds_alternative<Dequantize>(node.op);
  }));
}

// fc and softmax: real between them, so only fc's input and softmax' output are borders.
TEST(Quantize, AdjacentFloatNodesStayFloatBetweenThem) {
  QuantizeOptions options;
  options.keep_float = {"fc", "softmax"};
  Graph graph = small_network(7);
  QuantizeReport report;
  Result<Graph> mixed = quantize(graph, random_data(5, {1, 8, 8, 3}, 1), options, &report);
  ASSERT_TRUE(mixed.ok()) << mixed.error().message;
  EXPECT_EQ(count_borders(*mixed), 2) << print_graph(*mixed, {PrintOptions::Constants::kElided});
  for (const Node& node : mixed->nodes) {
    if (!node.keep_float) continue;
    EXPECT_EQ(mixed->type(node.inputs[0]).dtype, DType::kF32) << node.name;
    EXPECT_EQ(mixed->type(node.outputs[0]).dtype, DType::kF32) << node.name;
  }
  for (const ValueRange& range : report.ranges) EXPECT_NE(range.value, "fc");
}

// c1 is read by d2 and by sum; both stay float, and so may c1 itself.
TEST(Quantize, FloatNodesThatShareAValueShareItsBorder) {
  Graph graph = small_network(8);
  CalibrationData data = random_data(5, {1, 8, 8, 3}, 1);
  const std::pair<std::vector<std::string>, int> cases[] = {
      {{"d2", "sum"}, 2},        // c1 to real, sum to integers
      {{"c1", "d2", "sum"}, 2},  // x to real, sum to integers
      {{"c1", "d2"}, 3},         // x to real; c1 and d2 to integers for sum; d2 reads the real c1
      {{"c1", "sum"}, 4},        // x and d2 to real; c1 to integers for d2; sum to integers
      {{"c1", "d2", "sum", "pool", "flat", "fc", "softmax"}, 2},
  };
  for (const auto& [names, borders] : cases) {
    QuantizeOptions options;
    options.keep_float = names;
    Result<Graph> mixed = quantize(graph, data, options);
    ASSERT_TRUE(mixed.ok()) << mixed.error().message;
    EXPECT_EQ(count_borders(*mixed), borders)
        << names.size() << print_graph(*mixed, {PrintOptions::Constants::kElided});
    EXPECT_TRUE(compare_layers(graph, *mixed, data, 2).ok());
  }
}

// With every node in float, only the input and the output are rounded.
TEST(Quantize, NodesKeptInFloatComputeWhatTheFloatNetworkDoes) {
  Graph graph = small_network(9);
  QuantizeOptions options;
  for (const Node& node : graph.nodes) options.keep_float.push_back(node.name);
  CalibrationData data = random_data(5, {1, 8, 8, 3}, 1);
  Graph mixed = *quantize(graph, data, options);
  const TensorType& type = mixed.type(mixed.inputs[0].value);
  std::vector<Tensor> integers = {quantize_tensor(data.sample(0), type)};
  std::vector<Tensor> reals = {dequantize_tensor(integers[0])};
  Tensor wanted = Interpreter(graph).run(reals)[0];
  Tensor found = Interpreter(mixed).run(integers)[0];
  ASSERT_TRUE(found.type().quant);
  Tensor expected = quantize_tensor(wanted, found.type());
  for (int64_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found.integer_at(i), expected.integer_at(i)) << i;
}

// Tables have 256 entries: in the 16x8 scheme their operators compute in s8.
TEST(Quantize, TablesComputeInS8AmongS16) {
  Graph graph;
  graph.name = "gate";
  ValueId x = append_input(graph, "x", TensorType{{1, 4, 4, 8}, DType::kF32, std::nullopt});
  ValueId gate = *append_node(graph, Sigmoid{}, "gate", {x});
  ValueId squashed = *append_node(graph, Tanh{}, "squashed", {x});
  ValueId swish = *append_node(graph, HardSwish{}, "swish", {squashed});
  ValueId y = *append_node(graph, Mul{}, "y", {gate, swish});
  graph.outputs = {{y}};
  QuantizeOptions options;
  options.all.activations.bits = 16;
  CalibrationData data = random_data(5, {1, 4, 4, 8}, 1);
  Result<Graph> integer = quantize(graph, data, options);
  ASSERT_TRUE(integer.ok()) << integer.error().message;
  for (const Node& node : integer->nodes) {
    const bool table =
        !std::holds_alternative<Mul>(node.op) && !std::holds_alternative<Quantize>(node.op);
    if (table) {
      EXPECT_EQ(integer->type(node.inputs[0]).dtype, DType::kS8) << node.name;
    }
  }
  // One copy of x for both tables, and one of each result that y reads.
  EXPECT_EQ(count_borders(*integer), 3);
  const std::vector<LayerError> layers = *compare_layers(graph, *integer, data, 5);
  for (const LayerError& layer : layers) EXPECT_GT(layer.sqnr_db, 30) << layer.node;
}

TEST(Quantize, ASettingOfSomeLayersNeedsTheirCalibrator) {
  const Graph graph = uneven_network(1);
  const CalibrationData data = random_data(4, {1, 8, 8, 3}, 1);
  auto error_of = [&](const LayerSettings& all, std::vector<LayerRule> rules) {
    QuantizeOptions options;
    options.all = all;
    options.rules = std::move(rules);
    const auto integer = quantize(graph, data, options);
    return integer.ok() ? "" : integer.error().message;
  };
  const LayerRule dense{{}, {"dense"}, {{"percentile", "99"}}};
  EXPECT_EQ(error_of({}, {dense}),
            "[[layer]] with nodes [] and ops [dense]: percentile = 99 goes with calibrator = "
            "\"percentile\", and no layer that it fits has that one; add it to the table, or leave "
            "percentile out");
  LayerSettings all;
  all.activations.calibrator = Calibrator::kPercentile;
  EXPECT_EQ(error_of(all, {dense}), "");
  EXPECT_EQ(error_of({}, {{{"f4"}, {}, {{"calibrator", "percentile"}}}, dense}), "");
  EXPECT_NE(error_of({}, {{{"c1"}, {}, {{"calibrator", "percentile"}}}, dense}), "");
  EXPECT_NE(error_of(all, {dense, {{}, {"dense"}, {{"calibrator", "mse"}}}}), "");
}

TEST(Quantize, NamesWhatIsWrong) {
  Graph graph = small_network(6);
  EXPECT_THAT(quantize(graph, random_data(0, {1, 8, 8, 3}, 1), {}).error().message,
              testing::HasSubstr("at least one sample"));
  CalibrationData broken = {3, [](int64_t index) {
                              Tensor tensor(TensorType{{1, 8, 8, 3}, DType::kF32, std::nullopt});
                              if (index == 2) tensor.mutable_data<float>()[5] = NAN;
                              return tensor;
                            }};
  std::string message = quantize(graph, broken, {}).error().message;
  EXPECT_THAT(message, testing::HasSubstr("sample 2"));
  EXPECT_THAT(message, testing::HasSubstr("'x'"));
  QuantizeOptions options;
  options.keep_float = {"nobody"};
  Result<Graph> unknown = quantize(graph, random_data(2, {1, 8, 8, 3}, 1), options);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(unknown.error().message, testing::HasSubstr("'nobody'"));
  Graph integer = *quantize(graph, random_data(2, {1, 8, 8, 3}, 1), {});
  EXPECT_THAT(quantize(integer, random_data(2, {1, 8, 8, 3}, 1), {}).error().message,
              testing::HasSubstr("already quantized"));
}

}  // namespace
}  // namespace nibble
