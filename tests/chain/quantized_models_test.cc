// The chain on models that do not come as int8 TFLite: the shipped keyword spotter and float models
// beside the repository, quantized by nibble itself; ONNX models with QDQ pairs. On real samples.
#include "chain/quantized_models.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "benchmark_models.h"
#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "ops/ops.h"
#include "support/shared_data.h"
#include "support/test_name.h"

namespace nibble {
namespace {

constexpr int64_t kSamples = 4;

void expect_chain_holds(const Graph& graph, const std::vector<std::vector<Tensor>>& samples) {
  Status verified = verify_graph(graph, VerifyLevel::kQuantized);
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  ASSERT_EQ(samples.size(), static_cast<size_t>(kSamples));
  ChainOptions options;
  options.targets = chain_targets();
  options.target_samples = samples.size();
  Result<ChainReport> report = check_chain(graph, samples, options);
  EXPECT_TRUE(report.ok()) << report.error().message;
  NIBBLE_NEED_CORE(cortex_m4());
}

TEST(ChainShipped, KeywordSpotterInBothRoundings) {
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    Result<QuantizedModel> model = shipped_keyword_spotter(kSamples, rounding);
    ASSERT_TRUE(model.ok()) << model.error().message;
    expect_chain_holds(model->graph, model->samples);
  }
}

// A model below data/models and the samples of its task.
struct ModelOfTask {
  std::string file, task;
};
void PrintTo(const ModelOfTask& model, std::ostream* out) { *out << model.file; }

std::string name_of(const testing::TestParamInfo<ModelOfTask>& info) {
  return test_name(info.param.file);
}

// The benches' entry for the file, or, for the data alone, another of the same task.
ModelPair pair_of(const ModelOfTask& model) {
  std::vector<ModelPair> pairs = benchmark_pairs();
  auto same = std::ranges::find(pairs, model.file, &ModelPair::real);
  if (same == pairs.end()) same = std::ranges::find(pairs, model.task, &ModelPair::task);
  NIBBLE_CHECK(same != pairs.end(), "no data for {}", model.file);
  return *same;
}

void expect_chain_holds_on_task(const Graph& graph, const ModelPair& pair) {
  Result<Dataset> data = read_task(shared_path(""), pair, graph, DataPart::kEvaluation, kSamples);
  ASSERT_TRUE(data.ok()) << data.error().message;
  expect_chain_holds(graph, quantized_samples(graph, *data));
}

class ChainQdq : public testing::TestWithParam<ModelOfTask> {};

TEST_P(ChainQdq, FromReferencesToTheEmulatedCore) {
  NIBBLE_NEED_SHARED("data/models/" + GetParam().file);
  Result<Graph> graph = import_model(shared_path("data/models/" + GetParam().file));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  expect_chain_holds_on_task(*graph, pair_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Onnx, ChainQdq,
    testing::Values(ModelOfTask{"mlperf_tiny_onnx/kws_dscnn_qdq_int8.onnx", "kws"},
                    ModelOfTask{"mlperf_tiny_onnx/ic_resnet8_qdq_int8.onnx", "ic"},
                    ModelOfTask{"mlperf_tiny_onnx/vww_mobilenetv1_qdq_int8.onnx", "vww"},
                    ModelOfTask{"mlperf_tiny_onnx/ad01_qdq_int8.onnx", "ad"}),
    name_of);

class ChainOwnInt8 : public testing::TestWithParam<ModelOfTask> {};

TEST_P(ChainOwnInt8, FromReferencesToTheEmulatedCore) {
  NIBBLE_NEED_SHARED("data/models/" + GetParam().file);
  ModelPair pair = pair_of(GetParam());
  Result<Graph> real = import_model(shared_path("data/models/" + GetParam().file));
  ASSERT_TRUE(real.ok()) << real.error().message;
  Result<Graph> own = own_int8(shared_path(""), pair, *real, Calibrator::kMinMax, 20);
  ASSERT_TRUE(own.ok()) << own.error().message;
  expect_chain_holds_on_task(*own, pair);
}

INSTANTIATE_TEST_SUITE_P(
    Float, ChainOwnInt8,
    testing::Values(ModelOfTask{"mlperf_tiny/kws_dscnn_fp32.tflite", "kws"},
                    ModelOfTask{"mlperf_tiny/ic_resnet8_fp32.tflite", "ic"},
                    ModelOfTask{"mlperf_tiny_onnx/vww_mobilenetv1_fp32.onnx", "vww"},
                    ModelOfTask{"mlperf_tiny_onnx/ad_small_bn_fp32.onnx", "ad"}),
    name_of);

}  // namespace
}  // namespace nibble
