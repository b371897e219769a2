// What ONNX Runtime says of nibble's ONNX files: it loads them, its floats are nibble's, and its
// integers are nibble's where ONNX defines them to the last bit, and within a step elsewhere.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "judge.h"
#include "ops/ops.h"
#include "support/compare_graphs.h"
#include "support/random_graph.h"
#include "support/shared_data.h"
#include "support/test_name.h"

#define NIBBLE_NEED_ONNX_RUNTIME()                                                      \
  if (std::string missing = ::nibble::judges::missing_onnx_runtime(); !missing.empty()) \
  GTEST_SKIP() << "left out: " << missing

namespace nibble {

void PrintTo(const ModelPair& pair, std::ostream* out) { *out << pair.real; }

namespace judges {
namespace {

// All outputs of a float graph on random samples, against the graph itself.
void expect_same_floats(const Graph& graph, uint64_t seed, double tolerance) {
  auto file = onnx_bytes(graph);
  ASSERT_TRUE(file.ok()) << file.error().message;
  Rng rng(seed);
  std::vector<Tensor> inputs;
  Arrays arrays;
  for (const Port& port : graph.inputs) {
    inputs.push_back(from_port(random_tensor(graph.type(port.value), rng), port));
    arrays.push_back({graph.value(port.value).name, inputs.back()});
  }
  auto judged = run_onnx_runtime(*file, arrays, Level::kFast);
  ASSERT_TRUE(judged.ok()) << judged.error().message;
  const std::vector<Tensor> own = run_in_file_layout(graph, inputs);
  for (size_t i = 0; i < own.size(); ++i) {
    const Tensor* other = find_array(*judged, graph.value(graph.outputs[i].value).name);
    ASSERT_TRUE(other) << graph.value(graph.outputs[i].value).name;
    Tensor same_shape = *other;
    ASSERT_EQ(same_shape.size(), own[i].size());
    same_shape.reshape(own[i].shape());
    expect_same_outputs({own[i]}, {same_shape}, tolerance, 0, graph.name);
  }
}

// Nearly all integers are equal. What is left: a sum so near the middle between two steps that
// float32 rounds it to the other side, and means of an even number of values in the very middle,
// which ONNX Runtime rounds to even, as far as float32 keeps them there.
void expect_layers(const std::vector<LayerCounts>& layers, double share) {
  for (const LayerCounts& layer : layers) {
    const std::string name = layer.node + " (" + layer.op + ")";
    EXPECT_EQ(layer.steps.more, 0) << name << ", " << layer.steps.largest << " steps";
    const auto total = static_cast<double>(layer.steps.total());
    const bool averages = layer.op == "avg_pool2d" || layer.op == "mean";
    // One element of a small layer is more than any share of it.
    const double allowed = layer.exact
                               ? static_cast<double>(layer.ties)
                               : std::max(1.0, (averages ? std::max(0.03, share) : share) * total);
    EXPECT_LE(static_cast<double>(layer.steps.one_step), allowed) << name << " of " << total;
  }
}

// share: of a layer's integers that may be a step apart.
void judge_layers_on_all_levels(const Graph& graph, const Tensor& real, double share = 0.001) {
  for (Level level : {Level::kDefined, Level::kFast}) {
    if (level == Level::kFast && !has_exact_products()) continue;
    auto layers = judge_layers(graph, real, level);
    ASSERT_TRUE(layers.ok()) << layers.error().message;
    expect_layers(*layers, share);
  }
}

// Behind a layer, one step of a difference may become several, the more the finer the next
// output's scale is: the bound on the last integers is what was measured with a margin.
void judge_outputs_on_all_levels(const std::string& name, std::span<const uint8_t> file,
                                 const Tensor& real) {
  for (Level level : {Level::kDefined, Level::kFast}) {
    if (level == Level::kFast && !has_exact_products()) continue;
    auto counts = judge_outputs(file, real, level);
    ASSERT_TRUE(counts.ok()) << counts.error().message;
    const auto total = static_cast<double>(counts->steps.total());
    const double more = static_cast<double>(counts->steps.more) / total;
    fmt::print("{:46} {:8}  equal {:7.3f} %, more than one step {:.3f} %, largest {}\n", name,
               level_name(level), 100 * static_cast<double>(counts->steps.equal) / total,
               100 * more, counts->steps.largest);
    EXPECT_LE(more, 0.06);
    EXPECT_LE(counts->steps.largest, 6);
    EXPECT_LE(counts->other_argmax, counts->samples / 50);
  }
}

// --- Random graphs: every operator in every company; nothing beside the repository is needed.

class RandomGraphs : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomGraphs, FloatsAreNibbles) {
  NIBBLE_NEED_ONNX_RUNTIME();
  expect_same_floats(random_graph(GetParam()), GetParam(), 1e-4);
}

TEST_P(RandomGraphs, LayersAreWithinAStep) {
  NIBBLE_NEED_ONNX_RUNTIME();
  const Graph graph = random_graph(GetParam(), {.integer = true});
  Rng rng(GetParam());
  const Tensor real = dequantize_tensor(random_tensor(graph.type(graph.inputs[0].value), rng));
  auto layers = judge_layers(graph, real, Level::kDefined);
  ASSERT_TRUE(layers.ok()) << layers.error().message;
  for (const LayerCounts& layer : *layers) {
    EXPECT_EQ(layer.steps.more, 0) << layer.node << " (" << layer.op << ")";
    if (layer.exact) {
      EXPECT_EQ(layer.steps.one_step, layer.ties) << layer.node << " (" << layer.op << ")";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Random, RandomGraphs, testing::Range(uint64_t{1}, uint64_t{13}));

// What random graphs have not: resizing by each rule, dilated pools, steps backwards, a mean and a
// dense layer of three axes, the other activations.
TEST(OtherOperators, FloatsAreNibbles) {
  NIBBLE_NEED_ONNX_RUNTIME();
  Graph graph;
  graph.name = "other_operators";
  ValueId x = append_input(graph, "x", {{1, 6, 5, 4}, DType::kF32, std::nullopt});
  auto add = [&](Op op, const std::string& name, std::vector<ValueId> inputs) {
    auto id = append_node(graph, std::move(op), name, std::move(inputs));
    EXPECT_TRUE(id.ok()) << id.error().message;
    return id.ok() ? *id : x;
  };
  Window dilated;
  dilated.dilation_h = 2;
  dilated.dilation_w = 3;
  dilated.pad_top = 1;
  ValueId value = add(ResizeNearest{12, 10, false, false}, "twice", {x});
  value = add(Tanh{}, "tanh", {value});
  value = add(MaxPool2d{2, 2, dilated, {}}, "max", {value});
  value = add(AvgPool2d{2, 2, dilated, true, {}}, "average", {value});
  value = add(HardSigmoid{0.3f, 0.4f}, "gate", {value});
  const Shape shape = graph.type(value).shape;
  value = add(Slice{{0, shape[1] - 1, 0, 3}, {1, shape[1], (shape[2] + 1) / 2, 4}, {1, -1, 2, -1}},
              "backwards", {value});
  value = add(Mean{{1}, false}, "mean", {value});
  Rng rng(1);
  ValueId filter =
      append_constant(graph, "filter", random_tensor({{3, 4}, DType::kF32, std::nullopt}, rng));
  value = add(Dense{{0, INFINITY}}, "dense", {value, filter, kNoValue});
  graph.outputs.push_back({add(Softmax{2}, "softmax", {value}), {}});
  graph.outputs.push_back({add(ResizeNearest{3, 15, true, false}, "half_pixel", {x}), {}});
  graph.outputs.push_back({add(ResizeNearest{11, 9, false, true}, "corners", {x}), {}});
  ASSERT_TRUE(verify_graph(graph, VerifyLevel::kImported).ok());
  expect_same_floats(graph, 1, 1e-5);
}

// --- The shipped keyword spotter in every form that quantize gives it.

class Schemes : public testing::TestWithParam<const char*> {};

TEST_P(Schemes, LayersAreWithinAStep) {
  NIBBLE_NEED_ONNX_RUNTIME();
  QuantizeOptions options;
  for (const std::string& setting : split(GetParam(), ' ')) {
    const size_t equal = setting.find('=');
    const std::string name = setting.substr(0, equal), value = setting.substr(equal + 1);
    const Status status = name == "scheme" ? apply_scheme(options.all, value)
                                           : apply_setting(options.all, name, value);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  const std::filesystem::path folder = source_path("examples/keyword_spotting");
  auto graph = import_model(folder / "kws.onnx");
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  DataOptions few;
  few.max_samples = 20;
  auto data = read_dataset(folder / "calibration.npz", *graph, few);
  ASSERT_TRUE(data.ok()) << data.error().message;
  const CalibrationData samples = calibration_data(*data, *graph);
  auto integer = quantize(*graph, samples, options);
  ASSERT_TRUE(integer.ok()) << integer.error().message;
  // Outputs of 16 bits are rescaled by multipliers of 15 bits, which miss by up to a step.
  const bool wide = options.all.activations.bits > 8;
  judge_layers_on_all_levels(*integer, samples.sample(3), wide ? 1 : 0.001);
}

INSTANTIATE_TEST_SUITE_P(Shipped, Schemes,
                         testing::Values("scheme=int8", "scheme=16x8", "scheme=w4a8", "scheme=w8a4",
                                         "scheme=w16a8", "scheme=w8a12", "granularity=group:16",
                                         "granularity=tensor", "weight-grid=asymmetric",
                                         "weight-bits=4 weight-levels=codebook"),
                         [](const auto& name) { return test_name(name.param); });

// --- The benchmark models.

class BenchmarkModels : public testing::TestWithParam<ModelPair> {};

TEST_P(BenchmarkModels, FloatsAreNibbles) {
  NIBBLE_NEED_ONNX_RUNTIME();
  NIBBLE_NEED_SHARED("data/models/" + GetParam().real);
  Graph imported;
  auto simplified = import_model(shared_path("data/models/" + GetParam().real), &imported);
  ASSERT_TRUE(simplified.ok()) << simplified.error().message;
  expect_same_floats(imported, 1, 1e-4);
  expect_same_floats(*simplified, 1, 1e-4);
}

TEST_P(BenchmarkModels, SlowOutputsOfWholeSet) {
  NIBBLE_NEED_ONNX_RUNTIME();
  NIBBLE_NEED_SHARED("data/models/" + GetParam().real);
  auto graph = own_quantized(shared_path(""), GetParam());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  auto real = real_samples(shared_path(""), GetParam(), 0);
  ASSERT_TRUE(real.ok()) << real.error().message;
  cut_softmax(*graph);
  auto file = onnx_bytes(*graph);
  ASSERT_TRUE(file.ok()) << file.error().message;
  judge_outputs_on_all_levels(GetParam().real, *file, *real);
}

TEST_P(BenchmarkModels, SlowLayersAreWithinAStep) {
  NIBBLE_NEED_ONNX_RUNTIME();
  NIBBLE_NEED_SHARED("data/models/" + GetParam().real);
  auto graph = own_quantized(shared_path(""), GetParam());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  auto real = real_samples(shared_path(""), GetParam(), 4);
  ASSERT_TRUE(real.ok()) << real.error().message;
  judge_layers_on_all_levels(*graph, *real);
}

INSTANTIATE_TEST_SUITE_P(Models, BenchmarkModels, testing::ValuesIn(benchmark_pairs()),
                         [](const auto& pair) { return test_name(pair.param.real); });

// --- The opposite direction: models that other tools quantized, run by both.

class QuantizedByOthers : public testing::TestWithParam<ModelPair> {};

TEST_P(QuantizedByOthers, SlowOutputsOfWholeSet) {
  NIBBLE_NEED_ONNX_RUNTIME();
  const std::string model = "data/models/" + GetParam().real;
  NIBBLE_NEED_SHARED(model);
  auto real = real_samples(shared_path(""), GetParam(), 0);
  ASSERT_TRUE(real.ok()) << real.error().message;
  auto file = file_without_softmax(shared_path(model));
  ASSERT_TRUE(file.ok()) << file.error().message;
  judge_outputs_on_all_levels(GetParam().real, *file, *real);
}

TEST_P(QuantizedByOthers, SlowLayersAreWithinAStep) {
  NIBBLE_NEED_ONNX_RUNTIME();
  const std::string model = "data/models/" + GetParam().real;
  NIBBLE_NEED_SHARED(model);
  auto real = real_samples(shared_path(""), GetParam(), 4);
  ASSERT_TRUE(real.ok()) << real.error().message;
  auto graph = import_model(shared_path(model));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  judge_layers_on_all_levels(*graph, *real);
}

INSTANTIATE_TEST_SUITE_P(Models, QuantizedByOthers, testing::ValuesIn(quantized_by_others()),
                         [](const auto& pair) { return test_name(pair.param.real); });

}  // namespace
}  // namespace judges
}  // namespace nibble
