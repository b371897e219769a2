// What ONNX Runtime says of nibble's ONNX files: it loads them, its floats are nibble's, and its
// integers are nibble's where ONNX defines them to the last bit, and within a step elsewhere.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "judge.h"
#include "ops/ops.h"
#include "support/compare_graphs.h"
#include "support/random_graph.h"
#include "support/shared_data.h"
#include "support/test_name.h"

#define NIBBLE_NEED_ONNX_RUNTIME()                                                            \
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

void expect_layers(const std::vector<LayerCounts>& layers) {
  for (const LayerCounts& layer : layers) {
    EXPECT_EQ(layer.steps.more, 0) << layer.node << " (" << layer.op << "), " << layer.steps.largest
                                   << " steps";
    const int64_t allowed = layer.exact ? layer.ties : layer.steps.total();
    EXPECT_LE(layer.steps.one_step, allowed) << layer.node << " (" << layer.op << ")";
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
  Graph graph = random_graph(GetParam(), {.integer = true});
  Rng rng(GetParam());
  TensorType type = graph.type(graph.inputs[0].value);
  type.shape[0] = 1;
  const Tensor real = dequantize_tensor(random_tensor(type, rng));
  auto layers = judge_layers(graph, real, Level::kDefined);
  ASSERT_TRUE(layers.ok()) << layers.error().message;
  expect_layers(*layers);
}

INSTANTIATE_TEST_SUITE_P(Random, RandomGraphs, testing::Range(uint64_t{1}, uint64_t{13}));

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
  for (Level level : {Level::kDefined, Level::kFast}) {
    if (level == Level::kFast && !has_exact_products()) continue;
    auto counts = judge_outputs(*file, *real, level);
    ASSERT_TRUE(counts.ok()) << counts.error().message;
    const auto total = static_cast<double>(counts->steps.total());
    fmt::print("{:44} {:8}  equal {:7.3f} %  one step {:6.3f} %  more {:6.3f} % (largest {})\n",
               GetParam().real, level_name(level),
               100 * static_cast<double>(counts->steps.equal) / total,
               100 * static_cast<double>(counts->steps.one_step) / total,
               100 * static_cast<double>(counts->steps.more) / total, counts->steps.largest);
    EXPECT_LE(static_cast<double>(counts->steps.more), 0.01 * total);
  }
}

TEST_P(BenchmarkModels, LayersAreWithinAStep) {
  NIBBLE_NEED_ONNX_RUNTIME();
  NIBBLE_NEED_SHARED("data/models/" + GetParam().real);
  auto graph = own_quantized(shared_path(""), GetParam());
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  auto real = real_samples(shared_path(""), GetParam(), 4);
  ASSERT_TRUE(real.ok()) << real.error().message;
  for (Level level : {Level::kDefined, Level::kFast}) {
    if (level == Level::kFast && !has_exact_products()) continue;
    auto layers = judge_layers(*graph, *real, level);
    ASSERT_TRUE(layers.ok()) << layers.error().message;
    expect_layers(*layers);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BenchmarkModels, testing::ValuesIn(benchmark_pairs()),
                         [](const auto& pair) { return test_name(pair.param.real); });

}  // namespace
}  // namespace judges
}  // namespace nibble
