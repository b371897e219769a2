// Every recorded model against our references: integer models byte for byte, float models within
// 1e-4, and for the MLPerf Tiny models every operator's output by checksum. On the graph as
// imported and as simplified.
#include "golden/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "formats/formats.h"
#include "support/shared_data.h"
#include "support/test_name.h"

namespace nibble::golden {
namespace {

using ::testing::HasSubstr;

// GoogleTest wants at least one parameter; this one skips by name.
std::vector<std::string> or_missing(std::vector<std::string> names) {
  if (names.empty()) names.push_back("shared_data_missing");
  return names;
}

std::string name_of(const ::testing::TestParamInfo<std::string>& info) {
  return test_name(info.param);
}

// Files whose first unsupported operator is meant to be named; a later issue brings them.
const char* missing_operator(const std::string& model_file) {
  const std::pair<const char*, const char*> known[] = {
      {"tflm/dtln_noise_suppression.tflite", "UNIDIRECTIONAL_SEQUENCE_LSTM"},
      {"tflm/micro_speech_lstm.tflite", "UNIDIRECTIONAL_SEQUENCE_LSTM"},
      {"tflm/keyword_scrambled.tflite", "SVDF"},
      {"tflm/keyword_scrambled_8bit.tflite", "SVDF"},
      {"coral/mobilenet_v1_0.25_128_quant_uint8.tflite", "asymmetric UINT8"}};
  for (const auto& [file, text] : known)
    if (model_file == file) return text;
  return nullptr;
}

// --- TFLite, random inputs ---

class TfliteRandom : public ::testing::TestWithParam<std::string> {};

TEST_P(TfliteRandom, MatchesTheRecording) {
  NIBBLE_NEED_SHARED("data/golden");
  for (bool simplified : {false, true}) {
    SCOPED_TRACE(simplified ? "simplified" : "as imported");
    auto graph = load_model(GetParam(), simplified);
    if (const char* missing = missing_operator(GetParam())) {
      ASSERT_FALSE(graph.ok());
      EXPECT_THAT(graph.error().message, HasSubstr(missing));
      EXPECT_THAT(graph.error().message, HasSubstr(GetParam()));
      return;
    }
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    auto recording = random_recording(GetParam());
    ASSERT_TRUE(recording.ok()) << recording.error().message;
    if (!*recording) GTEST_SKIP() << "left out: no outputs were recorded for " << GetParam();
    auto verdict = compare(run_samples(*graph, (*recording)->inputs), (*recording)->outputs,
                           is_integer_model(*graph));
    EXPECT_TRUE(verdict.equal) << verdict.text;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, TfliteRandom,
                         ::testing::ValuesIn(or_missing(model_files(".tflite"))), name_of);

// --- TFLite, whole evaluation sets ---

class TfliteEvalSlow : public ::testing::TestWithParam<std::string> {};

TEST_P(TfliteEvalSlow, MatchesTheRecording) {
  NIBBLE_NEED_SHARED("data/golden");
  auto graph = load_model(eval_model(GetParam()), true);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  auto recording = eval_recording(GetParam(), *graph);
  ASSERT_TRUE(recording.ok()) << recording.error().message;
  auto verdict =
      compare(run_samples(*graph, recording->inputs), recording->outputs, is_integer_model(*graph));
  EXPECT_TRUE(verdict.equal) << verdict.text;
}

INSTANTIATE_TEST_SUITE_P(Golden, TfliteEvalSlow,
                         ::testing::ValuesIn(or_missing(eval_names(".tflite"))), name_of);

// No recording exists of the dynamic-range model (int8 weights, float activations): its accuracy
// speaks for it.
TEST(DynamicRangeSlow, KeywordSpottingIsAsAccurateAsItsInt8Twin) {
  NIBBLE_NEED_SHARED("data/golden");
  auto graph = load_model("mlperf_tiny/kws_dscnn_dynrange.tflite", true);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_FALSE(is_integer_model(*graph));
  auto recording = eval_recording("kws__kws_dscnn_fp32_tflite", *graph);
  ASSERT_TRUE(recording.ok()) << recording.error().message;
  auto labels = read_npy(shared_path("data/eval/kws_speech_commands/eval_labels_u8.npy"));
  ASSERT_TRUE(labels.ok()) << labels.error().message;
  auto outputs = run_samples(*graph, recording->inputs);
  int correct = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto scores = outputs[i][0].data<float>();
    auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    correct += best == labels->integer_at(static_cast<int64_t>(i)) ? 1 : 0;
  }
  // The int8 model is published with 90.06 % on these 503 samples.
  EXPECT_NEAR(100.0 * correct / static_cast<double>(outputs.size()), 90.06, 1.5);
}

// --- Every operator of the MLPerf Tiny models ---

class Operators : public ::testing::TestWithParam<std::string> {};

TEST_P(Operators, MatchTheirChecksums) {
  NIBBLE_NEED_SHARED("baseline/outputs.json");
  for (const char* pattern : {"A", "B"}) {
    SCOPED_TRACE(pattern);
    auto recording = operator_recording(GetParam(), pattern);
    ASSERT_TRUE(recording.ok()) << recording.error().message;
    auto graph = load_model(recording->model_file, false);
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    auto verdict = compare_operators(*graph, *recording);
    EXPECT_TRUE(verdict.equal) << verdict.text;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Operators,
                         ::testing::Values(std::string("ad"), std::string("kws"),
                                           std::string("resnet"), std::string("vww")),
                         name_of);

}  // namespace
}  // namespace nibble::golden
