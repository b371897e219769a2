// The certificate against hand-computed sums, against inputs that attain its bounds, and against
// every node run on random integers beside its float reference.
#include "quantize/certify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/requant.h"
#include "quantize/bounds.h"
#include "support/float_network.h"
#include "support/random_mobile_graph.h"

namespace nibble {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

QuantParams grid(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

ValueId add_dense(Graph& graph, const std::string& name, ValueId src, Shape shape,
                  const std::vector<int8_t>& weights, const std::vector<int32_t>& bias,
                  const QuantParams& out, Bounds act = {}) {
  Tensor filter = Tensor::of<int8_t>(std::move(shape), DType::kS8, weights);
  filter.set_quant(QuantParams{{0.01f}, {0}, -1, 8, -127, 127});
  const auto outs = static_cast<int64_t>(bias.size());
  const ValueId w = append_constant(graph, name + "_w", filter);
  const ValueId b =
      append_constant(graph, name + "_b", Tensor::of<int32_t>({outs}, DType::kS32, bias));
  return *append_node(graph, Dense{act}, name, {src, w, b}, out);
}

const NodeCertificate& entry_of(const Certificate& certificate, const std::string& name) {
  for (const NodeCertificate& node : certificate.nodes)
    if (node.node == name) return node;
  ADD_FAILURE() << "no node " << name;
  return certificate.nodes[0];
}

TEST(Certify, SumsByHand) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 2}, DType::kS8, grid(0.1f, -1)});
  // Relu up to 1.0: integers from -128 to -28.
  ValueId first = add_dense(graph, "first", x, {1, 2}, {3, -2}, {10}, grid(0.01f, -128), {0, 1});
  ValueId second = add_dense(graph, "second", first, {2, 1}, {-7, 5}, {-40, 1}, grid(0.01f, 0));
  graph.outputs = {{second, {}}};
  ASSERT_TRUE(verify_graph(graph, VerifyLevel::kQuantized).ok());
  const Certificate certificate = certify(graph);
  EXPECT_TRUE(certificate.certified());
  EXPECT_EQ(certificate.rounding, "tflite");
  // q + 1 is in [-127, 128]: 10 + 3 * 128 + 2 * 127 and 10 - 3 * 127 - 2 * 128.
  const AccumulatorBound& sums = *entry_of(certificate, "first").accumulator;
  EXPECT_EQ(sums.max, 648);
  EXPECT_EQ(sums.min, -627);
  // Without the bias the sum on the way may be 10 less.
  EXPECT_EQ(sums.partial_min, -637);
  EXPECT_EQ(sums.partial_max, 648);
  EXPECT_EQ(sums.bits, 11);
  EXPECT_EQ(sums.headroom_bits(), 21);
  // It reads 0 to 100: -40 - 700, and -40 + 128 * -7 = -936 with the zero point folded in and
  // q = -28: -936 + 7 * 128 = -40 at the most, the least is -740 again.
  const AccumulatorBound& next = *entry_of(certificate, "second").accumulator;
  EXPECT_EQ(next.channel, 0);
  EXPECT_EQ(next.min, -740);
  EXPECT_EQ(next.max, -40);
}

int expect_within_bounds(Graph graph, uint64_t seed, int runs);

// A kernel that folds the zero point into the bias starts from bias - zero * sum(w), adds w q, and
// w zero where a tap is missing: also on the way it stays within the bound.
TEST(Certify, PaddedSumsWithTheZeroPointFoldedIntoTheBias) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 1, 3, 1}, DType::kS8, grid(0.1f, 100)});
  Tensor filter = Tensor::of<int8_t>({1, 1, 3, 1}, DType::kS8, std::vector<int8_t>{4, -5, 3});
  filter.set_quant(QuantParams{{0.01f}, {0}, -1, 8, -127, 127});
  const ValueId w = append_constant(graph, "w", filter);
  const ValueId b =
      append_constant(graph, "b", Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{60}));
  Window window;
  window.pad_left = window.pad_right = 1;
  graph.outputs = {{*append_node(graph, Conv2d{window, 1, {}}, "y", {x, w, b}, grid(1, 0)), {}}};
  ASSERT_TRUE(verify_graph(graph, VerifyLevel::kQuantized).ok());
  const AccumulatorBound bound = *certify(graph).nodes[0].accumulator;
  // q - 100 is in [-228, 27]: 60 + 7 * 27 + 5 * 228 and 60 - 7 * 228 - 5 * 27.
  EXPECT_EQ(bound.max, 1389);
  EXPECT_EQ(bound.min, -1671);
  // From the folded bias 60 - 100 * 2 on: w q of [-128, 127] or the padding's 100, in any order:
  // -140 + 7 * 127 + 5 * 128 = 1389 at the most, -140 - 7 * 128 - 5 * 127 = -1671 at the least.
  // Without the bias yet: 1329 and -1731.
  EXPECT_EQ(bound.partial_max, 1389);
  EXPECT_EQ(bound.partial_min, -1731);

  // Every sum on the way of random inputs, folded or not, tap by tap in a random order.
  Rng rng(5);
  const std::vector<int64_t> weights = {4, -5, 3};
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<int64_t> order = {0, 1, 2};
    for (size_t i = 2; i > 0; --i)
      std::swap(order[i], order[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(i)))]);
    const bool folded = rng.integer(0, 1) == 1;
    int64_t sum = folded ? 60 - 100 * 2 : 60;
    for (int64_t tap : order) {
      // A tap outside of the image reads the zero point.
      const int64_t q = rng.integer(0, 3) == 0 ? 100 : rng.integer(0, 1) ? 127 : -128;
      sum += weights[static_cast<size_t>(tap)] * (folded ? q : q - 100);
      ASSERT_LE(sum, bound.partial_max);
      ASSERT_GE(sum, bound.partial_min);
    }
  }
  EXPECT_EQ(expect_within_bounds(graph, 3, 20), 20);
}

TEST(Certify, BitsAreThoseOfTwosComplement) {
  EXPECT_EQ(bits_for({0, 0}), 1);
  EXPECT_EQ(bits_for({-1, 0}), 1);
  EXPECT_EQ(bits_for({-128, 127}), 8);
  EXPECT_EQ(bits_for({-128, 128}), 9);
  EXPECT_EQ(bits_for({-129, 0}), 9);
  EXPECT_EQ(bits_for({INT32_MIN, INT32_MAX}), 32);
}

// For every channel of random layers, an input that makes the sum exactly what the bound says: the
// output of the network is the rescaled bound.
TEST(Certify, SomeInputAttainsTheBound) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    const auto zero = static_cast<int32_t>(rng.integer(-128, 127));
    const int64_t taps = rng.integer(1, 40), outs = 4;
    std::vector<int8_t> weights(static_cast<size_t>(taps * outs));
    for (int8_t& weight : weights) weight = static_cast<int8_t>(rng.integer(-127, 127));
    std::vector<int32_t> bias;
    for (int64_t o = 0; o < outs; ++o)
      bias.push_back(static_cast<int32_t>(rng.integer(-9000, 9000)));
    Graph graph;
    ValueId x = append_input(graph, "x", {{1, taps}, DType::kS8, grid(0.1f, zero)});
    // M = 0.1 * 0.01 / 20: no output is clamped.
    ValueId y = add_dense(graph, "y", x, {outs, taps}, weights, bias, grid(20, 0));
    graph.outputs = {{y, {}}};
    ASSERT_TRUE(verify_graph(graph, VerifyLevel::kQuantized).ok());
    const AccumulatorBound bound = *certify(graph).nodes[0].accumulator;
    const KernelRequest request = (*lower_node(graph, graph.nodes[0]))[0];
    for (bool most : {false, true}) {
      Tensor input(graph.type(x));
      int64_t sum = bias[static_cast<size_t>(bound.channel)];
      for (int64_t i = 0; i < taps; ++i) {
        const int64_t weight = weights[static_cast<size_t>(bound.channel * taps + i)];
        const int64_t q = (weight > 0) == most ? 127 : -128;
        input.set_integer_at(i, q);
        sum += weight * (q - zero);
      }
      EXPECT_EQ(sum, most ? bound.max : bound.min);
      std::vector<Tensor> inputs = {input};
      const int32_t multiplier = static_cast<int32_t>(request.constants[2].second.integer_at(0));
      const int32_t exponent = static_cast<int32_t>(request.constants[3].second.integer_at(0));
      EXPECT_EQ(Interpreter(graph).run(inputs)[0].integer_at(bound.channel),
                nibble_requant_tflite(static_cast<int32_t>(sum), multiplier, exponent));
      // No other channel needs more.
      for (int64_t o = 0; o < outs; ++o) {
        int64_t other = bias[static_cast<size_t>(o)];
        for (int64_t i = 0; i < taps; ++i) {
          const int64_t weight = weights[static_cast<size_t>(o * taps + i)];
          other += weight * (((weight > 0) == most ? 127 : -128) - zero);
        }
        EXPECT_LE(std::abs(other), std::max(bound.partial_max, -bound.partial_min));
      }
    }
  }
}

// As make_requant and requants_for form it.
FixedFactor fixed_of(double factor, int32_t rounding) {
  int exponent = 0;
  const double mantissa = std::frexp(factor, &exponent);
  auto multiplier = static_cast<int64_t>(std::round(mantissa * 0x1p31));
  if (multiplier == int64_t{1} << 31) multiplier /= 2, ++exponent;
  if (rounding == NIBBLE_ROUNDING_REDUCED)
    multiplier = multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
  return {multiplier, exponent, rounding};
}

double rescaled(int64_t acc, const FixedFactor& fixed) {
  const auto multiplier = static_cast<int32_t>(fixed.multiplier);
  if (fixed.rounding == NIBBLE_ROUNDING_REDUCED)
    return nibble_requant_reduced(acc, multiplier, fixed.exponent);
  return nibble_requant(static_cast<int32_t>(acc), multiplier, fixed.exponent, fixed.rounding);
}

TEST(Certify, NoAccumulatorIsRescaledWorseThanTheBound) {
  Rng rng(3);
  double nearest[3] = {0, 0, 0};
  for (int trial = 0; trial < 200'000; ++trial) {
    const auto rounding = static_cast<int32_t>(rng.integer(0, 2));
    const double factor = std::exp2(rng.uniform(-25, 4));
    const FixedFactor fixed = fixed_of(factor, rounding);
    const int64_t reach = int64_t{1} << rng.integer(2, 26);
    const int64_t acc = rng.integer(-reach, reach);
    const auto out_reach = static_cast<double>(rng.integer(1, 128));
    const double exact = static_cast<double>(acc) * factor, found = rescaled(acc, fixed);
    const double alone = rescaling_bound(factor, fixed, static_cast<double>(reach), INFINITY).steps;
    EXPECT_LE(std::abs(found - exact), alone + 1e-9) << acc << " * " << factor;
    const RescalingBound clamped =
        rescaling_bound(factor, fixed, static_cast<double>(reach), out_reach);
    auto clamp = [&](double value) { return std::clamp(value, -out_reach, out_reach); };
    EXPECT_LE(std::abs(clamp(found) - clamp(exact)), clamped.steps + 1e-9)
        << acc << " * " << factor << " within " << out_reach;
    nearest[rounding] = std::max(nearest[rounding], std::abs(found - exact) / alone);
  }
  // The bounds are not loose.
  for (double share : nearest) EXPECT_GT(share, 0.99);
}

TEST(Certify, TwoRoundingsCanBeThreeQuartersOfAStep) {
  const FixedFactor quarter{1 << 30, -1, NIBBLE_ROUNDING_TFLITE};
  EXPECT_EQ(quarter.value(), 0.25);
  EXPECT_EQ(quarter.rounding_steps(), 0.75);
  EXPECT_EQ(rescaled(1, quarter), 1);  // 0.25 -> 0.5 -> 1
  EXPECT_EQ(rescaled(1, {1 << 30, -1, NIBBLE_ROUNDING_SINGLE}), 0);
}

// Every node on what the integer network gives it, beside the float reference on the same reals.
// Fused activations are left out: they clamp to integers. How many outputs were held against a
// bound (0 of a graph whose sums are too wide then).
int expect_within_bounds(Graph graph, uint64_t seed, int runs) {
  for (Node& node : graph.nodes)
    if (Bounds* act = activation_of(node.op); act && !std::holds_alternative<Clamp>(node.op))
      *act = {};
  if (!verify_graph(graph, VerifyLevel::kImported).ok()) return 0;
  const Certificate certificate = certify(graph);
  EXPECT_THAT(certificate.reasons(), IsEmpty());
  std::vector<Tensor> values(graph.values.size());
  auto real_operand = [&](const Node& node, size_t k) {
    const ValueId id = node.inputs[k];
    Tensor held =
        graph.is_constant(id) ? *graph.value(id).constant : values[static_cast<size_t>(id)];
    const QuantRule rule = quant_rule(node.op);
    if (static_cast<int>(k) == rule.bias) {
      const QuantParams& filter = *graph.type(node.inputs[1]).quant;
      QuantParams params{{}, {}, filter.per_tensor() ? -1 : 0, 32, INT32_MIN, INT32_MAX};
      for (float scale : filter.scale) {
        params.scale.push_back(scale * graph.type(node.inputs[0]).quant->scale[0]);
        params.zero_point.push_back(0);
      }
      held.set_quant(params);
    }
    return dequantize_tensor(held);
  };
  Rng rng(seed);
  Interpreter interpreter(graph);
  int held = 0;
  for (int run = 0; run < runs; ++run) {
    const Port& port = graph.inputs[0];
    Tensor input(graph.type(port.value));
    const QuantParams& quant = *input.type().quant;
    for (int64_t i = 0; i < input.size(); ++i)
      input.set_integer_at(i, rng.integer(quant.q_min, quant.q_max));
    values[static_cast<size_t>(port.value)] = input;
    std::vector<Tensor> inputs = {input};
    interpreter.run(inputs, [&](const Node& node, std::span<Tensor> outputs) {
      values[static_cast<size_t>(node.outputs[0])] = outputs[0];
      const NodeCertificate& entry = entry_of(certificate, node.name);
      if (!entry.rescaling) return;
      ++held;
      Tensor real;
      if (std::holds_alternative<Quantize>(node.op)) {
        real = real_operand(node, 0);
      } else {
        std::vector<Tensor> operands(node.inputs.size());
        std::vector<const Tensor*> pointers(node.inputs.size(), nullptr);
        for (size_t k = 0; k < operands.size(); ++k) {
          if (node.inputs[k] == kNoValue) continue;
          operands[k] = real_operand(node, k);
          pointers[k] = &operands[k];
        }
        Graph twin = graph;
        TensorType& type = twin.value(node.outputs[0]).type;
        type = {type.shape, DType::kF32, std::nullopt};
        real = run_node(twin, node, pointers)[0];
      }
      const QuantParams& out = *outputs[0].type().quant;
      for (int64_t i = 0; i < real.size(); ++i) {
        const double wanted =
            std::clamp<double>(static_cast<double>(real.data<float>()[static_cast<size_t>(i)]) /
                                       static_cast<double>(out.scale[0]) +
                                   out.zero_point[0],
                               out.q_min, out.q_max);
        const double off = std::abs(static_cast<double>(outputs[0].integer_at(i)) - wanted);
        // The float reference rounds too.
        ASSERT_LE(off, entry.rescaling->steps + 0x1p-20 * (out.q_max - out.q_min))
            << op_name(node.op) << " '" << node.name << "' element " << i;
      }
    });
  }
  return held;
}

TEST(Certify, EveryNodeOfRandomNetworksIsWithinItsBound) {
  int held = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed)
    held += expect_within_bounds(random_mobile_graph(seed, 6), seed, 3);
  EXPECT_GT(held, 40 * 3 * 5);
}

Graph quantized(const std::vector<std::pair<std::string, std::string>>& settings,
                Rounding rounding = Rounding::kTflite) {
  Graph graph = uneven_network(1);
  graph.outputs = {{*append_node(graph, Softmax{}, "softmax", {graph.outputs[0].value}), {}}};
  QuantizeOptions options;
  options.rounding = rounding;
  for (const auto& [name, value] : settings) {
    const Status applied = name == "scheme" ? apply_scheme(options.all, value)
                                            : apply_setting(options.all, name, value);
    NIBBLE_CHECK(applied.ok(), "{}", applied.error().message);
  }
  return *quantize(graph, random_data(20, {1, 8, 8, 3}, 5), options);
}

TEST(Certify, WhateverTheWeightsAndWidths) {
  // All nodes of the network have a bound: c1 d2 p3 sum pool flat f4 f5 softmax.
  auto expect_all = [](const Graph& graph, uint64_t seed, int runs) {
    EXPECT_EQ(expect_within_bounds(graph, seed, runs), 9 * runs) << seed;
  };
  expect_all(quantized({}), 1, 20);
  expect_all(quantized({}, Rounding::kSingle), 1, 20);
  expect_all(quantized({{"granularity", "group:8"}, {"weight-bits", "4"}}), 2, 20);
  expect_all(quantized({{"weight-grid", "asymmetric"}}), 3, 20);
  expect_all(quantized({{"weight-levels", "codebook"}, {"weight-bits", "3"}}), 4, 20);
  expect_all(quantized({{"scheme", "w12a8"}}), 5, 20);
  expect_all(quantized({{"scheme", "w8a5"}}), 6, 20);
  expect_all(quantized({{"scheme", "16x8"}}), 7, 5);
  expect_all(quantized({{"scheme", "w16a16"}}), 8, 5);
}

TEST(Certify, SixteenBitActivationsHaveWideAccumulators) {
  const Certificate certificate = certify(quantized({{"scheme", "16x8"}}));
  EXPECT_EQ(entry_of(certificate, "c1").accumulator->width, 64);
  EXPECT_EQ(entry_of(certificate, "sum").accumulator->width, 32);
}

// Logits of all sizes, equal ones and one that is all there is.
TEST(Certify, SoftmaxOfRandomRows) {
  for (bool wide : {false, true}) {
    for (float scale : {0.001f, 0.02f, 0.3f}) {
      Graph graph;
      QuantParams in = grid(scale, 0), out = grid(1.0f / 256, -128);
      if (wide) {
        in = {{scale / 100}, {0}, -1, 16, INT16_MIN, INT16_MAX};
        out = {{1.0f / 32768}, {0}, -1, 16, INT16_MIN, INT16_MAX};
      }
      const DType dtype = wide ? DType::kS16 : DType::kS8;
      ValueId x = append_input(graph, "x", {{50, 9}, dtype, in});
      graph.outputs = {{*append_node(graph, Softmax{}, "softmax", {x}, out, dtype), {}}};
      EXPECT_EQ(expect_within_bounds(graph, 11, 20), 20);
      const Certificate certificate = certify(graph);
      EXPECT_LT(certificate.nodes[0].rescaling->steps, wide ? 100 : 0.6);
    }
  }
}

TEST(Certify, WhatComputesInFloatIsNamedWithTheReason) {
  QuantizeOptions options;
  options.keep_float = {"f5"};
  const Graph mixed = *quantize(uneven_network(1), random_data(10, {1, 8, 8, 3}, 2), options);
  const Certificate certificate = certify(mixed);
  EXPECT_FALSE(certificate.certified());
  EXPECT_THAT(certificate.reasons(),
              ElementsAre(HasSubstr("'f5_dequantize' (dequantize): turns integers into the floats "
                                    "that 'f5' (dense) reads"),
                          HasSubstr("'f5' (dense): kept in float by its name (--keep-float)"),
                          HasSubstr("'f5_quantize' (quantize): turns what 'f5' (dense) computes in "
                                    "float into integers")));
  const Graph real = uneven_network(1);
  EXPECT_EQ(certify(real).reasons().size(), real.nodes.size());

  Graph ports;
  ValueId x = append_input(ports, "x", {{4}, DType::kF32, std::nullopt});
  ValueId q = *append_node(ports, Quantize{}, "in", {x}, grid(0.1f, 0), DType::kS8);
  ports.outputs = {{*append_node(ports, Dequantize{}, "out", {q}), {}}};
  EXPECT_THAT(certify(ports).reasons(),
              ElementsAre(HasSubstr("the model's input 'x', which is float32"),
                          HasSubstr("the model's output 'out', which is float32")));
}

}  // namespace
}  // namespace nibble
