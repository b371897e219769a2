// Refining methods against values worked out by hand, and what each promises of any network.
#include "quantize/methods/refine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quantize/methods/gram.h"
#include "quantize/methods/sample_run.h"
#include "support/float_network.h"

namespace nibble {
namespace {

using testing::ElementsAre;

Graph one_dense(const std::vector<float>& weights) {
  Network net;
  const auto inputs = static_cast<int64_t>(weights.size());
  ValueId x = net.input({1, inputs});
  return net.with_output(
      net.node(Dense{}, "layer",
               {x, net.constant("w", {1, inputs}, weights), net.constant("b", {1}, {0.25f})}));
}

QuantizeOptions with_methods(const std::vector<std::string>& names, int weight_bits = 4) {
  QuantizeOptions options;
  options.all.weights.bits = weight_bits;
  options.methods = *parse_methods(names);
  return options;
}

std::vector<int64_t> integers_of(const Graph& graph, const std::string& node, size_t operand) {
  std::vector<int64_t> integers;
  for (const Node& found : graph.nodes)
    if (found.name == node) {
      const Tensor& tensor = *graph.value(found.inputs[operand]).constant;
      for (int64_t i = 0; i < tensor.size(); ++i) integers.push_back(tensor.integer_at(i));
    }
  return integers;
}

Graph quantized(const Graph& graph, const CalibrationData& data, const QuantizeOptions& options) {
  Result<Graph> result = quantize(graph, data, options);
  NIBBLE_CHECK(result.ok(), "{}", result.error().message);
  return *result;
}

// Mean squared difference of the outputs, dequantized, over the samples.
double output_error(const Graph& real, const Graph& integer, const CalibrationData& data) {
  Interpreter first(real), second(integer);
  double sum = 0;
  for (int64_t s = 0; s < data.count; ++s) {
    std::vector<Tensor> inputs = {data.sample(s)};
    const Tensor wanted = first.run(inputs)[0];
    inputs = {quantize_tensor(inputs[0], integer.type(integer.inputs[0].value))};
    const Tensor found = dequantize_tensor(second.run(inputs)[0]);
    for (size_t i = 0; i < wanted.data<float>().size(); ++i) {
      const double d = static_cast<double>(wanted.data<float>()[i]) -
                       static_cast<double>(found.data<float>()[i]);
      sum += d * d;
    }
  }
  return sum / static_cast<double>(data.count);
}

// 7 steps of one; four weights of 0.4 steps sum to 1.6: two of them are rounded up.
TEST(Squant, ErrorsOfAChannelCancel) {
  const Graph graph = one_dense({7, 0.4f, 0.4f, 0.4f, 0.4f});
  const Graph integer = quantized(graph, random_data(4, {1, 5}, 1), with_methods({"squant"}));
  EXPECT_THAT(integers_of(integer, "layer", 1), ElementsAre(7, 1, 1, 0, 0));
}

// Kernels first: of each, the elements farthest from their integers.
TEST(Squant, ErrorsOfAKernelCancel) {
  Network net;
  ValueId x = net.input({1, 2, 2, 2});
  // [O KH KW I]: kernel 0 is 7, 0.45, 0.45, 0.3 (one flip for a sum of 1.2), kernel 1 is 0.2 four
  // times (one flip for 0.8; then 0.2 - 0.2 = 0 are left over in all).
  const std::vector<float> weights = {7, 0.2f, 0.45f, 0.2f, 0.46f, 0.2f, 0.3f, 0.21f};
  Graph graph = net.with_output(
      net.node(Conv2d{Window{}, 1, {}}, "layer",
               {x, net.constant("w", {1, 2, 2, 2}, weights), net.constant("b", {1}, {0})}));
  const Graph integer = quantized(graph, random_data(4, {1, 2, 2, 2}, 1), with_methods({"squant"}));
  EXPECT_THAT(integers_of(integer, "layer", 1), ElementsAre(7, 0, 0, 0, 1, 0, 0, 1));
}

// Two inputs that are always equal: 0.4 and 0.4 steps are 0.8 steps of one input.
TEST(Gptq, EqualInputsShareTheirErrors) {
  const Graph graph = one_dense({7, 0.4f, 0.4f});
  CalibrationData data = {40, [](int64_t index) {
                            Rng rng(static_cast<uint64_t>(index));
                            const auto a = static_cast<float>(rng.uniform(-1, 1));
                            const auto b = static_cast<float>(rng.uniform(-1, 1));
                            return Tensor::of_floats({1, 3}, {{a, b, b}});
                          }};
  const std::vector<int64_t> integers =
      integers_of(quantized(graph, data, with_methods({"gptq"})), "layer", 1);
  EXPECT_EQ(integers[0], 7);
  EXPECT_EQ(integers[1] + integers[2], 1);
}

// The third weight is read with nothing but zeros: the range need not hold it. Of the shares that
// are tried, the one on whose grid 0.75 and 0.25 lie best.
TEST(Gptq, ARangeThatNothingNeedsIsNarrowed) {
  const Graph graph = one_dense({0.75f, 0.25f, 6});
  const CalibrationData data = {40, [](int64_t index) {
                                  Rng rng(static_cast<uint64_t>(index));
                                  const auto a = static_cast<float>(rng.uniform(-1, 1));
                                  const auto b = static_cast<float>(rng.uniform(-1, 1));
                                  return Tensor::of_floats({1, 3}, {{a, b, 0}});
                                }};
  const Graph integer = quantized(graph, data, with_methods({"gptq"}));
  const Tensor weight = *integer.value(integer.nodes[0].inputs[1]).constant;
  const double share = static_cast<double>(weight.type().quant->scale[0]) * 7 / 6;
  EXPECT_GE(share, 0.4 - 1e-6);
  EXPECT_LT(share, 1);
  EXPECT_NEAR(share * 20, std::round(share * 20), 1e-5);  // a step of 5 %
  EXPECT_EQ(weight.integer_at(2), 7);
  // The best of the thirteen ranges, by trying them.
  auto error = [](double scale) {
    const double a = 0.75 - scale * std::round(0.75 / scale);
    const double b = 0.25 - scale * std::round(0.25 / scale);
    return a * a + b * b;
  };
  double least = INFINITY;
  for (int percent = 100; percent >= 40; percent -= 5)
    least = std::min(least, error(percent / 100.0 * 6 / 7));
  EXPECT_NEAR(error(share * 6 / 7), least, 0.02);
}

// The scale may not shrink below what leaves the bias room in 32 bits.
TEST(Gptq, ABiasKeepsItsRoom) {
  Network net;
  ValueId x = net.input({1, 2});
  const Graph graph = net.with_output(
      net.node(Dense{}, "layer",
               {x, net.constant("w", {1, 2}, {1e-6f, 1.9e-7f}), net.constant("b", {1}, {1.5f})}));
  const CalibrationData data = {40, [](int64_t index) {
                                  Rng rng(static_cast<uint64_t>(index));
                                  const auto a = static_cast<float>(rng.uniform(-1e-3, 1e-3));
                                  const auto b = static_cast<float>(rng.uniform(-1, 1));
                                  return Tensor::of_floats({1, 2}, {{a, b}});
                                }};
  for (int bits : {2, 4, 8}) {
    const Graph integer = quantized(graph, data, with_methods({"gptq"}, bits));
    const Node& node = integer.nodes[0];
    const QuantParams& params = *integer.type(node.inputs[1]).quant;
    const auto bias = static_cast<double>(integer.value(node.inputs[2]).constant->integer_at(0));
    EXPECT_LE(std::abs(bias), bias_room(params, 2) + 1) << bits;
    const double scale = static_cast<double>(integer.type(node.inputs[2]).quant->scale[0]);
    EXPECT_NEAR(bias * scale, 1.5, 1e-3) << bits;
  }
}

TEST(Gptq, ScalesStayPowersOfTwo) {
  QuantizeOptions options = with_methods({"gptq"}, 3);
  options.all.weights.scales = Scales::kPowerOfTwo;
  const Graph integer = quantized(uneven_network(4), random_data(20, {1, 8, 8, 3}, 1), options);
  int narrowed = 0;
  const Graph nearest = [&] {
    options.methods = {};
    return quantized(uneven_network(4), random_data(20, {1, 8, 8, 3}, 1), options);
  }();
  for (size_t i = 0; i < integer.nodes.size(); ++i) {
    const Node& node = integer.nodes[i];
    if (quant_rule(node.op).weight < 0) continue;
    const auto& scales = integer.type(node.inputs[1]).quant->scale;
    const auto& before = nearest.type(nearest.nodes[i].inputs[1]).quant->scale;
    for (size_t c = 0; c < scales.size(); ++c) {
      int exponent = 0;
      EXPECT_EQ(std::frexp(scales[c], &exponent), 0.5f) << node.name;
      EXPECT_LE(scales[c], before[c]) << node.name;
      narrowed += scales[c] < before[c];
    }
  }
  EXPECT_GT(narrowed, 0);
}

// The loss of one output channel by the method of the paper, without a search for its range: the
// inverse itself, from which each rounded input is eliminated, in place of its Cholesky factor.
double plain_gptq_loss(const Matrix& gram, const std::vector<double>& weights, double scale,
                       int q_max) {
  const int64_t n = gram.order;
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += gram.at(i, i);
  Matrix damped = gram;
  for (int64_t i = 0; i < n; ++i) damped.at(i, i) += 0.01 * trace / static_cast<double>(n);
  const Matrix upper = inverse_cholesky(damped);
  Matrix inverse = gram;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      inverse.at(i, j) = 0;
      for (int64_t k = 0; k < n; ++k) inverse.at(i, j) += upper.at(k, i) * upper.at(k, j);
    }
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  std::ranges::stable_sort(order,
                           [&](int64_t a, int64_t b) { return gram.at(a, a) > gram.at(b, b); });
  std::vector<double> left = weights, d(weights.size());
  for (int64_t at : order) {
    const auto column = static_cast<size_t>(at);
    const double q = std::clamp<double>(std::round(left[column] / scale), -q_max, q_max);
    const double error = (left[column] - q * scale) / inverse.at(at, at);
    d[column] = weights[column] - q * scale;
    for (int64_t k = 0; k < n; ++k) left[static_cast<size_t>(k)] -= error * inverse.at(at, k);
    const Matrix old = inverse;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        inverse.at(i, j) -= old.at(i, at) * old.at(at, j) / old.at(at, at);
  }
  return quadratic_form(gram, d);
}

TEST(Gptq, NeverExceedsTheErrorOfNearestRoundingOrOfTheWholeRangeOrOfAStepOn) {
  double total = 0, total_nearest = 0, total_whole = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Graph graph = uneven_network(seed);
    // Pixels that differ little from their neighbours, as in images: there is something to gain.
    const CalibrationData data = {
        40, [seed](int64_t index) {
          Rng rng(1000 * seed + static_cast<uint64_t>(index));
          const double level = rng.uniform(-0.8, 0.8);
          return random_tensor({1, 8, 8, 3}, level - 0.2, level + 0.2, rng);
        }};
    const Graph nearest = quantized(graph, data, with_methods({}, 3));
    const Graph better = quantized(graph, data, with_methods({"gptq"}, 3));
    // Of the first layer, whose inputs are the same for both.
    const RealLayer layer = real_layers(graph)[0];
    std::vector<Tensor> inputs;
    for (int64_t s = 0; s < data.count; ++s) {
      const Tensor integers =
          quantize_tensor(data.sample(s), nearest.type(nearest.inputs[0].value));
      inputs.push_back(dequantize_tensor(integers));
    }
    const std::vector<Matrix> grams = input_grams(graph, layer, inputs);
    const LayerRows rows(layer);
    const std::vector<float> weights = floats_of(graph, "c1", 1);
    auto errors = [&](const Graph& integer, int64_t out) {
      const Tensor real = dequantize_tensor(*integer.value(integer.nodes[0].inputs[1]).constant);
      std::vector<double> d;
      for (int64_t j = 0; j < rows.width(); ++j) {
        const auto elem = static_cast<size_t>(rows.elem(out, j));
        d.push_back(static_cast<double>(weights[elem]) -
                    static_cast<double>(real.data<float>()[elem]));
      }
      return d;
    };
    auto loss = [&](const Graph& integer, int64_t out) {
      return quadratic_form(grams[0], errors(integer, out));
    };
    // The least loss with one of the weights a step further up or down.
    auto loss_a_step_on = [&](const Graph& integer, int64_t out) {
      const Tensor& weight = *integer.value(integer.nodes[0].inputs[1]).constant;
      const QuantParams& params = *weight.type().quant;
      const auto scale = static_cast<double>(params.scale[static_cast<size_t>(out)]);
      double least = std::numeric_limits<double>::infinity();
      for (int64_t j = 0; j < rows.width(); ++j)
        for (int step : {-1, 1}) {
          const int64_t moved = weight.integer_at(rows.elem(out, j)) + step;
          if (moved < params.q_min || moved > params.q_max) continue;
          std::vector<double> d = errors(integer, out);
          d[static_cast<size_t>(j)] -= step * scale;
          least = std::min(least, quadratic_form(grams[0], d));
        }
      return least;
    };
    for (int64_t out = 0; out < layer.out_channels; ++out) {
      std::vector<double> row;
      for (int64_t j = 0; j < rows.width(); ++j)
        row.push_back(static_cast<double>(weights[static_cast<size_t>(rows.elem(out, j))]));
      const QuantParams& params = *nearest.type(nearest.nodes[0].inputs[1]).quant;
      const double whole = plain_gptq_loss(
          grams[0], row, static_cast<double>(params.scale[static_cast<size_t>(out)]), params.q_max);
      EXPECT_LE(loss(better, out), loss(nearest, out) * (1 + 1e-6)) << seed << " " << out;
      EXPECT_LE(loss(better, out), whole * (1 + 1e-6)) << seed << " " << out;
      EXPECT_LE(loss(better, out), loss_a_step_on(better, out) * (1 + 1e-6)) << seed << " " << out;
      total += loss(better, out);
      total_nearest += loss(nearest, out);
      total_whole += whole;
    }
  }
  EXPECT_LT(total, 0.6 * total_nearest);
  EXPECT_LT(total, 0.9 * total_whole);
}

// Activations of 2 bits, steps of one: nine samples of 1.45 become 1, the tenth is 3. The weight 2
// is to give with 1 and 3 what it gives with 1.45 and 3:
//   2 (9 * 1.45 * 1 + 3 * 3) / (9 * 1 * 1 + 3 * 3) = 2.45.
TEST(Gptaq, MakesUpForWhatTheInputsLack) {
  const Graph graph = one_dense({2, 7});
  const CalibrationData data = {40, [](int64_t index) {
                                  const float a = index % 10 == 0 ? 3 : 1.45f;
                                  return Tensor::of_floats({1, 2}, {{a, 0}});
                                }};
  auto first_weight = [&](const char* method) {
    QuantizeOptions options = with_methods({method}, 8);
    options.all.activations.bits = 2;
    const Graph integer = quantized(graph, data, options);
    const Node& layer = *std::ranges::find(integer.nodes, "layer", &Node::name);
    return static_cast<double>(
        dequantize_tensor(*integer.value(layer.inputs[1]).constant).data<float>()[0]);
  };
  EXPECT_NEAR(first_weight("gptaq"), 2.45, 0.03);
  EXPECT_NEAR(first_weight("gptq"), 2, 0.03);
}

// What the layers before have lost is won back: the outputs are nearer to the float network's.
TEST(Gptaq, OutputsAreNearerThanGptqs) {
  double with_gptq = 0, with_gptaq = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Graph graph = uneven_network(seed);
    const CalibrationData data = random_data(80, {1, 8, 8, 3}, seed);
    with_gptq += output_error(graph, quantized(graph, data, with_methods({"gptq"}, 3)), data);
    with_gptaq += output_error(graph, quantized(graph, data, with_methods({"gptaq"}, 3)), data);
  }
  EXPECT_LT(with_gptaq, 0.7 * with_gptq);
}

// The third input is always zero: its weight may be clipped as far as the search goes.
TEST(ClipWeights, AWeightThatNothingReadsDoesNotSetTheRange) {
  const Graph graph = one_dense({0.31f, -0.17f, 7});
  CalibrationData data = {20, [](int64_t index) {
                            Rng rng(static_cast<uint64_t>(index));
                            const auto a = static_cast<float>(rng.uniform(-1, 1));
                            const auto b = static_cast<float>(rng.uniform(-1, 1));
                            return Tensor::of_floats({1, 3}, {{a, b, 0}});
                          }};
  const Graph plain = quantized(graph, data, with_methods({}));
  const Graph clipped = quantized(graph, data, with_methods({"clip-weights"}));
  EXPECT_THAT(integers_of(plain, "layer", 1), ElementsAre(0, 0, 7));
  EXPECT_LT(output_error(graph, clipped, data), 0.5 * output_error(graph, plain, data));
}

TEST(CorrectBias, MeanOutputsAreThoseOfTheFloatNetwork) {
  const Graph graph = uneven_network(13);
  const CalibrationData data = random_data(60, {1, 8, 8, 3}, 3);
  const Graph plain = quantized(graph, data, with_methods({}, 3));
  const Graph corrected = quantized(graph, data, with_methods({"correct-bias"}, 3));
  // The last layer has no activation: its means are seen at the output.
  auto means = [&](const Graph& integer) {
    Interpreter real(graph), run(integer);
    std::vector<double> difference(4, 0);
    for (int64_t s = 0; s < data.count; ++s) {
      std::vector<Tensor> inputs = {data.sample(s)};
      const Tensor wanted = real.run(inputs)[0];
      inputs = {quantize_tensor(inputs[0], integer.type(integer.inputs[0].value))};
      const Tensor found = dequantize_tensor(run.run(inputs)[0]);
      for (size_t c = 0; c < 4; ++c)
        difference[c] += (static_cast<double>(found.data<float>()[c]) -
                          static_cast<double>(wanted.data<float>()[c])) /
                         static_cast<double>(data.count);
    }
    double sum = 0;
    for (double d : difference) sum += std::abs(d);
    return sum;
  };
  const double step =
      static_cast<double>(corrected.type(corrected.outputs[0].value).quant->scale[0]);
  EXPECT_LT(means(corrected), 4 * step);
  EXPECT_LT(means(corrected), 0.3 * means(plain));
}

TEST(Methods, ApplyInTheirOrderAndAreNamed) {
  const std::vector<Method> methods =
      *parse_methods(std::vector<std::string>{"correct-bias", "gptq", "equalize", "gptq"});
  EXPECT_EQ(methods, (std::vector<Method>{Method::kEqualize, Method::kGptq, Method::kCorrectBias}));
  EXPECT_THAT(parse_methods(std::vector<std::string>{"magic"}).error().message,
              testing::HasSubstr("equalize"));
}

TEST(Gram, IsTheMeanOfProducts) {
  const Graph graph = one_dense({1, 1});
  const std::vector<Tensor> inputs = {Tensor::of_floats({1, 2}, {{1.0f, 2.0f}}),
                                      Tensor::of_floats({1, 2}, {{3.0f, -1.0f}})};
  const Matrix gram = input_grams(graph, real_layers(graph)[0], inputs)[0];
  EXPECT_THAT(gram.elems, ElementsAre(5, -0.5, -0.5, 2.5));
}

TEST(Gram, OfTwoInputsIsTheMeanOfTheirProducts) {
  const Graph graph = one_dense({1, 1});
  const std::vector<Tensor> first = {Tensor::of_floats({1, 2}, {{1.0f, 2.0f}}),
                                     Tensor::of_floats({1, 2}, {{3.0f, -1.0f}})};
  const std::vector<Tensor> second = {Tensor::of_floats({1, 2}, {{5.0f, 0.5f}}),
                                      Tensor::of_floats({1, 2}, {{-1.0f, 2.0f}})};
  const Matrix moments = cross_moments(graph, real_layers(graph)[0], first, second)[0];
  EXPECT_THAT(moments.elems, ElementsAre(1, 3.25, 5.5, -0.5));
}

TEST(Gram, CholeskyFactorOfTheInverse) {
  const Matrix h{3, {4, 1, 0.5, 1, 3, -1, 0.5, -1, 5}};
  const Matrix u = inverse_cholesky(h);
  // (U^T U) H = 1.
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 3; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < 3; ++k)
        for (int64_t m = 0; m < 3; ++m) sum += u.at(m, i) * u.at(m, k) * h.at(k, j);
      EXPECT_NEAR(sum, i == j ? 1 : 0, 1e-12);
      if (i > j) {
        EXPECT_EQ(u.at(i, j), 0);
      }
    }
}

// The positions of a convolution's window, padding included, against sums by hand.
TEST(Gram, ReadsTheWindowOfAConvolution) {
  Network net;
  ValueId x = net.input({1, 2, 2, 1});
  const Graph graph =
      net.with_output(net.node(Conv2d{kSame3x3, 1, {}}, "layer",
                               {x, net.noise("w", {1, 3, 3, 1}, 1), net.constant("b", {1}, {0})}));
  const std::vector<Tensor> inputs = {Tensor::of_floats({1, 2, 2, 1}, {{1.0f, 2.0f, 3.0f, 4.0f}})};
  const Matrix gram = input_grams(graph, real_layers(graph)[0], inputs)[0];
  // The middle tap meets every pixel; the one to its left none for the first column.
  EXPECT_DOUBLE_EQ(gram.at(4, 4), (1 + 4 + 9 + 16) / 4.0);
  EXPECT_DOUBLE_EQ(gram.at(3, 3), (1 + 9) / 4.0);
  EXPECT_DOUBLE_EQ(gram.at(3, 4), (1 * 2 + 3 * 4) / 4.0);
  EXPECT_DOUBLE_EQ(gram.at(0, 0), 1 / 4.0);
}

// More positions than are used: those that are must be spread over all of the image, whatever its
// extents. The inputs are 1 at one position of 196, in every sample.
TEST(Gram, EveryPositionIsMetAsOften) {
  Network net;
  const ValueId x = net.input({1, 14, 14, 1});
  const Graph graph = net.with_output(
      net.node(Conv2d{Window{}, 1, {}}, "point", {x, net.constant("w", {1, 1, 1, 1}, {1})}));
  for (const size_t position : {size_t{0}, size_t{5}, size_t{100}, size_t{195}}) {
    Tensor input(TensorType{{1, 14, 14, 1}, DType::kF32, std::nullopt});
    input.mutable_data<float>()[position] = 1;
    const std::vector<Tensor> inputs(256, input);
    const Matrix gram = input_grams(graph, real_layers(graph)[0], inputs)[0];
    EXPECT_NEAR(gram.at(0, 0), 1.0 / 196, 0.05 / 196) << position;
  }
}

TEST(SampleRun, GivesEveryValueAsAWholeRunDoes) {
  const Graph graph = uneven_network(2);
  const CalibrationData data = random_data(5, {1, 8, 8, 3}, 1);
  std::vector<Tensor> samples;
  for (int64_t s = 0; s < data.count; ++s) samples.push_back(data.sample(s));
  SampleRun run(graph, samples);
  while (run.next_node() < graph.nodes.size()) run.run_next();
  Interpreter interpreter(graph);
  for (size_t s = 0; s < samples.size(); ++s)
    EXPECT_EQ(run.at(graph.outputs[0].value)[s], interpreter.run({&samples[s], 1})[0]);
}

}  // namespace
}  // namespace nibble
