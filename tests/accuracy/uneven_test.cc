// A network built to break naive methods: the same function, with channels apart by up to 1000.
// One scale per tensor leaves nothing of its accuracy, equalization brings it back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "benchmark_models.h"
#include "support/shared_data.h"
#include "support/spread_channels.h"
#include "support/test_name.h"

namespace nibble {
namespace {

double accuracy(const Graph& graph, const Dataset& data) {
  Result<Score> score = evaluate(graph, data);
  NIBBLE_CHECK(score.ok(), "{}", score.error().message);
  EXPECT_EQ(score->metric, "accuracy");
  return 100 * score->value;
}

// In percent, of the network with one scale per weight tensor.
double per_tensor(const Graph& real, const CalibrationData& samples, const Dataset& data,
                  const std::vector<std::string>& methods) {
  QuantizeOptions options;
  options.all.weights.granularity = Granularity::kTensor;
  options.methods = *parse_methods(methods);
  Result<Graph> integer = quantize(real, samples, options);
  NIBBLE_CHECK(integer.ok(), "{}", integer.error().message);
  return accuracy(*integer, data);
}

// `allowed`: points that equalization may stay below float.
void expect_equalize_repairs(const std::string& name, Graph real, const Dataset& calibration,
                             const Dataset& data, double allowed) {
  const double in_float = accuracy(real, data);
  EXPECT_GE(spread_channels(real, 1000, 1), 2);
  EXPECT_NEAR(accuracy(real, data), in_float, 0.5) << "the function has changed";
  const CalibrationData samples = calibration_data(calibration, real);
  const double naive = per_tensor(real, samples, data, {});
  const double repaired = per_tensor(real, samples, data, {"equalize"});
  fmt::print("{}: float {:.2f} %, per tensor {:.2f} %, with equalize {:.2f} %\n", name, in_float,
             naive, repaired);
  EXPECT_LT(naive, in_float - 30);
  EXPECT_GE(repaired, in_float - allowed);
}

TEST(Uneven, TheShippedKeywordSpotter) {
  const auto folder = source_path("examples/keyword_spotting");
  Result<Graph> real = import_model(folder / "kws.onnx");
  ASSERT_TRUE(real.ok()) << real.error().message;
  Result<Dataset> calibration = read_dataset(folder / "calibration.npz", *real);
  Result<Dataset> data = read_dataset(folder / "test.npz", *real);
  ASSERT_TRUE(calibration.ok() && data.ok());
  expect_equalize_repairs("kws.onnx", *real, *calibration, *data, 1);
}

class UnevenModel : public testing::TestWithParam<ModelPair> {};

TEST_P(UnevenModel, EqualizeRepairs) {
  const ModelPair& pair = GetParam();
  NIBBLE_NEED_SHARED("data/models/" + pair.real);
  Result<Graph> real = import_model(shared_path("data/models/" + pair.real));
  ASSERT_TRUE(real.ok()) << real.error().message;
  Result<Dataset> calibration =
      read_task(shared_path(""), pair, *real, DataPart::kCalibration, 200);
  Result<Dataset> data = read_task(shared_path(""), pair, *real, DataPart::kEvaluation);
  ASSERT_TRUE(calibration.ok() && data.ok());
  expect_equalize_repairs(pair.real, *real, *calibration, *data, 1);
}

// Those with depthwise layers throughout, where all channels can be spread.
std::vector<ModelPair> depthwise_pairs() {
  std::vector<ModelPair> pairs = benchmark_pairs();
  std::erase_if(pairs, [](const ModelPair& pair) {
    return pair.real != "mlperf_tiny/kws_dscnn_fp32.tflite" &&
           pair.real != "mlperf_tiny/vww_mobilenetv1_fp32.tflite";
  });
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(Models, UnevenModel, testing::ValuesIn(depthwise_pairs()),
                         [](const auto& pair) { return test_name(pair.param.real); });

}  // namespace
}  // namespace nibble
