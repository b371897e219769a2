// Emulated quantization against the exact integers, and against the formats themselves.
#include "quantize/emulate.h"

#include <gtest/gtest.h>

#include "quantize/size.h"
#include "support/float_network.h"

namespace nibble {
namespace {

Emulation emulation(const Graph& graph, const CalibrationData& data,
                    const QuantizeOptions& options) {
  Result<Emulation> made = Emulation::make(graph, data, options);
  NIBBLE_CHECK(made.ok(), "{}", made.error().message);
  return std::move(made).value();
}

Tensor run_emulated(const Emulation& emulation, Tensor input) {
  Interpreter interpreter(emulation.graph());
  emulation.round(emulation.graph().inputs[0].value, input);
  std::vector<Tensor> inputs = {std::move(input)};
  return interpreter.run(inputs, [&](const Node& node, std::span<Tensor> outputs) {
    emulation.round(node.outputs[0], outputs[0]);
  })[0];
}

// One layer: what is rounded differs by the rounding of the bias alone.
TEST(Emulation, StaticIntegersAreWhatTheIntegerNetworkComputes) {
  Network net;
  ValueId x = net.input({1, 8, 8, 3});
  const Graph graph =
      net.with_output(net.node(Conv2d{kSame3x3, 1, kRelu}, "c1",
                               {x, net.noise("w1", {8, 3, 3, 3}, 0.5), net.noise("b1", {8}, 0.3)}));
  const CalibrationData data = random_data(30, {1, 8, 8, 3}, 2);
  const Graph integer = *quantize(graph, data, {});
  const Emulation emulated = emulation(graph, data, {});
  const TensorType& out = integer.type(integer.outputs[0].value);
  Interpreter interpreter(integer);
  int64_t different = 0, count = 0;
  for (int64_t s = 0; s < data.count; ++s) {
    std::vector<Tensor> inputs = {
        quantize_tensor(data.sample(s), integer.type(integer.inputs[0].value))};
    const Tensor exact = interpreter.run(inputs)[0];
    const Tensor found = quantize_tensor(run_emulated(emulated, data.sample(s)), out);
    for (int64_t i = 0; i < exact.size(); ++i) {
      const int64_t difference = std::abs(exact.integer_at(i) - found.integer_at(i));
      EXPECT_LE(difference, 1);
      different += difference;
    }
    count += exact.size();
  }
  EXPECT_LT(different * 100, count);
}

// What the integer network holds, without calibrating again: also refined weights and biases.
TEST(Emulation, OfAnIntegerNetwork) {
  const CalibrationData data = random_data(30, {1, 8, 8, 3}, 2);
  QuantizeOptions options;
  options.all.weights.bits = 4;
  options.methods = *parse_methods(std::vector<std::string>{"gptq", "correct-bias"});
  QuantizeReport report;
  const Graph integer = *quantize(uneven_network(1), data, options, &report);
  const Graph& real = report.prepared;
  const Emulation all = Emulation::of(real, integer, [](ValueId) { return true; });
  for (const Node& node : integer.nodes)
    for (size_t k = 1; k < node.inputs.size(); ++k) {
      if (!integer.is_constant(node.inputs[k])) continue;
      const Tensor held = dequantize_tensor(*integer.value(node.inputs[k]).constant);
      auto values = held.data<float>();
      EXPECT_EQ(floats_of(all.graph(), node.name, k),
                std::vector<float>(values.begin(), values.end()))
          << node.name;
    }
  EXPECT_EQ(all.weight_bytes(), constant_bytes(integer));
  double signal = 0, noise = 0;
  Interpreter interpreter(integer);
  for (int64_t s = 0; s < data.count; ++s) {
    std::vector<Tensor> inputs = {
        quantize_tensor(data.sample(s), integer.type(integer.inputs[0].value))};
    const Tensor exact = dequantize_tensor(interpreter.run(inputs)[0]);
    const Tensor found = run_emulated(all, data.sample(s));
    for (size_t i = 0; i < exact.data<float>().size(); ++i) {
      const auto wanted = static_cast<double>(exact.data<float>()[i]);
      signal += wanted * wanted;
      noise += std::pow(wanted - static_cast<double>(found.data<float>()[i]), 2);
    }
  }
  EXPECT_LT(noise, signal * 1e-3);
  // Nothing rounded, and one layer.
  const Emulation none = Emulation::of(real, integer, [](ValueId) { return false; });
  EXPECT_EQ(run_emulated(none, data.sample(0)),
            Interpreter(real).run(std::vector{data.sample(0)})[0]);
  const Emulation one =
      Emulation::of(real, integer, [&](ValueId id) { return real.value(id).name == "p3"; });
  EXPECT_EQ(floats_of(one.graph(), "c1", 1), floats_of(real, "c1", 1));
  EXPECT_EQ(floats_of(one.graph(), "p3", 1), floats_of(all.graph(), "p3", 1));
}

TEST(Emulation, NodesKeptInFloatAreLeftAlone) {
  const Graph graph = uneven_network(1);
  const CalibrationData data = random_data(10, {1, 8, 8, 3}, 2);
  QuantizeOptions options;
  options.all.weights.bits = 2;
  options.keep_float = {"c1"};
  const Emulation emulated = emulation(graph, data, options);
  EXPECT_EQ(floats_of(emulated.graph(), "c1", 1), floats_of(graph, "c1", 1));
  EXPECT_NE(floats_of(emulated.graph(), "p3", 1), floats_of(graph, "p3", 1));
  options.keep_float = {"nowhere"};
  EXPECT_NE(Emulation::make(graph, data, options).error().message.find("no such node"),
            std::string::npos);
}

TEST(Emulation, DynamicRangesFollowTheSample) {
  const Graph graph = uneven_network(1);
  const CalibrationData data = random_data(10, {1, 8, 8, 3}, 2);
  QuantizeOptions options;
  options.all.activations.ranges = Ranges::kDynamic;
  options.all.activations.bits = 4;
  const Emulation dynamic = emulation(graph, data, options);
  // A hundredth of the range that was calibrated on: 16 levels all the same.
  Tensor small(TensorType{{1, 8, 8, 3}, DType::kF32, std::nullopt});
  for (int64_t i = 0; i < small.size(); ++i)
    small.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(i % 16) * 1e-3f;
  Tensor rounded = small;
  dynamic.round(graph.inputs[0].value, rounded);
  for (int64_t i = 0; i < small.size(); ++i)
    EXPECT_NEAR(static_cast<double>(rounded.data<float>()[static_cast<size_t>(i)]),
                static_cast<double>(small.data<float>()[static_cast<size_t>(i)]), 1e-6);
  options.all.activations.ranges = Ranges::kStatic;
  rounded = small;
  emulation(graph, data, options).round(graph.inputs[0].value, rounded);
  for (float value : rounded.data<float>()) EXPECT_EQ(value, 0);
  EXPECT_FALSE(quantize(graph, data, options).ok() && needs_emulation(graph, options));
}

TEST(Emulation, NumberFormats) {
  const Graph graph = uneven_network(1);
  const CalibrationData data = random_data(10, {1, 8, 8, 3}, 2);
  QuantizeOptions options;
  ASSERT_TRUE(apply_setting(options.all, "weight-format", "bf16").ok());
  ASSERT_TRUE(apply_setting(options.all, "activation-format", "bf16").ok());
  EXPECT_TRUE(needs_emulation(graph, options));
  EXPECT_EQ(quantize(graph, data, options).error().kind, ErrorKind::kUsage);
  const Emulation emulated = emulation(graph, data, options);
  const std::vector<float> before = floats_of(graph, "f5", 1),
                           after = floats_of(emulated.graph(), "f5", 1);
  for (size_t i = 0; i < before.size(); ++i) {
    Tensor one = Tensor::of_floats({1}, {{before[i]}});
    round_to_format(NumberFormat::kBf16, one, 1);
    EXPECT_EQ(after[i], one.data<float>()[0]);
  }
  // 8*27 + 72 + 64 + 96 + 48 weights of 2 bytes, 40 biases of 4.
  EXPECT_EQ(emulated.weight_bytes(), 2 * (216 + 72 + 64 + 96 + 48) + 4 * (8 + 8 + 8 + 12 + 4));
}

TEST(Size, OfPackedConstants) {
  QuantParams params;
  params.bits = 4;
  EXPECT_EQ(tensor_bytes({{5, 3}, DType::kS8, params}), 8);
  params.scale = {1, 1, 1, 1, 1};
  params.axis = 0;
  EXPECT_EQ(tensor_bytes({{5, 3}, DType::kS8, params}), 8 + 20);
  EXPECT_EQ(tensor_bytes({{7}, DType::kF32, std::nullopt}), 28);
  const Graph graph = uneven_network(1);
  const Graph integer = *quantize(graph, random_data(10, {1, 8, 8, 3}, 2), {});
  EXPECT_EQ(constant_bytes(integer), 216 + 72 + 64 + 96 + 48 + 4 * 40 + 4 * 40);
}

}  // namespace
}  // namespace nibble
