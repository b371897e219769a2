// The TFLite reader on real models: what they are known to consist of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "formats/formats.h"
#include "ops/ops.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Graph read(const std::string& name) {
  auto graph = read_tflite(shared_path("data/models/" + name));
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return graph.ok() ? std::move(*graph) : Graph{};
}

std::map<std::string, int> count_operators(const Graph& graph) {
  std::map<std::string, int> counts;
  for (const Node& node : graph.nodes) ++counts[std::string(op_name(node.op))];
  return counts;
}

int64_t total_macs(const Graph& graph) {
  int64_t macs = 0;
  for (const Node& node : graph.nodes) macs += node_macs(graph, node);
  return macs;
}

using Counts = std::map<std::string, int>;

struct Known {
  const char* file;
  Counts operators;
  int64_t macs;
};

// Operators from the models' own documentation; MACs as published for MLPerf Tiny.
TEST(TfliteModels, MlperfTiny) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny");
  const Known models[] = {
      {"ad01_int8", {{"dense", 10}}, 264'192},
      {"kws_dscnn_int8",
       {{"conv2d", 5},
        {"depthwise_conv2d", 4},
        {"avg_pool2d", 1},
        {"reshape", 1},
        {"dense", 1},
        {"softmax", 1}},
       2'656'768},
      {"ic_resnet8_int8",
       {{"conv2d", 9}, {"add", 3}, {"avg_pool2d", 1}, {"reshape", 1}, {"dense", 1}, {"softmax", 1}},
       12'501'632},
      {"vww_mobilenetv1_int8",
       {{"conv2d", 14},
        {"depthwise_conv2d", 13},
        {"avg_pool2d", 1},
        {"reshape", 1},
        {"dense", 1},
        {"softmax", 1}},
       7'489'664}};
  for (const Known& known : models) {
    SCOPED_TRACE(known.file);
    Graph graph = read("mlperf_tiny/" + std::string(known.file) + ".tflite");
    EXPECT_EQ(count_operators(graph), known.operators);
    EXPECT_EQ(total_macs(graph), known.macs);
    EXPECT_EQ(graph.rounding, Rounding::kTflite);
  }
}

TEST(TfliteModels, KeywordSpottingInDetail) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny");
  Graph graph = read("mlperf_tiny/kws_dscnn_int8.tflite");
  const TensorType& in = graph.type(graph.inputs[0].value);
  EXPECT_THAT(in.shape, ElementsAre(1, 49, 10, 1));
  EXPECT_EQ(in.dtype, DType::kS8);
  EXPECT_THAT(in.quant->scale, ElementsAre(0.584702909f));
  EXPECT_THAT(in.quant->zero_point, ElementsAre(83));
  const TensorType& out = graph.type(graph.outputs[0].value);
  EXPECT_THAT(out.shape, ElementsAre(1, 12));
  EXPECT_THAT(out.quant->scale, ElementsAre(0.00390625f));
  const auto& conv = std::get<Conv2d>(graph.nodes[0].op);
  // 49 rows at stride 2 by 10 taps: 25 outputs need 9 rows more.
  EXPECT_EQ(conv.window.pad_top, 4);
  EXPECT_EQ(conv.window.pad_bottom, 5);
  EXPECT_EQ(graph.type(graph.nodes[0].inputs[1]).quant->scale.size(), 64u);
}

TEST(TfliteModels, ComputedShapesAreGone) {
  NIBBLE_NEED_SHARED("data/models/tinymaix");
  for (const char* name :
       {"tinymaix/mbnet96_0.25_fp32.tflite", "tinymaix/mbnet96_0.25_int8.tflite"}) {
    Graph graph = read(name);
    EXPECT_EQ(count_operators(graph), (Counts{{"conv2d", 15},
                                              {"depthwise_conv2d", 13},
                                              {"mean", 1},
                                              {"reshape", 2},
                                              {"softmax", 1}}));
    EXPECT_THAT(graph.type(graph.outputs[0].value).shape, ElementsAre(1, 1000));
  }
}

TEST(TfliteModels, DynamicRangeModelIsFloat) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny");
  Graph graph = read("mlperf_tiny/kws_dscnn_dynrange.tflite");
  for (const Value& value : graph.values) EXPECT_EQ(value.type.dtype, DType::kF32) << value.name;
  EXPECT_EQ(total_macs(graph), 2'656'768);
}

TEST(TfliteModels, DetectionHasThreeOutputs) {
  NIBBLE_NEED_SHARED("data/models/tinyengine");
  Graph graph = read("tinyengine/detection_int8.tflite");
  EXPECT_EQ(graph.outputs.size(), 3u);
  auto counts = count_operators(graph);
  EXPECT_EQ(counts["resize_nearest"], 2);
  EXPECT_EQ(counts["pad"], 5);
  EXPECT_EQ(counts["dequantize"], 3);
}

TEST(TfliteModels, RecurrentOnesAreReported) {
  NIBBLE_NEED_SHARED("data/models/tflm");
  const std::pair<const char*, const char*> models[] = {
      {"dtln_noise_suppression", "2 of 4 operators are not supported"},
      {"micro_speech_lstm", "UNIDIRECTIONAL_SEQUENCE_LSTM (recurrent: not supported yet)"},
      {"keyword_scrambled", "SVDF (recurrent: not supported yet)"},
      {"keyword_scrambled_8bit", "7 of 15 operators are not supported"}};
  for (const auto& [name, expected] : models) {
    auto graph = read_tflite(shared_path("data/models/tflm/" + std::string(name) + ".tflite"));
    ASSERT_FALSE(graph.ok()) << name;
    EXPECT_THAT(graph.error().message, HasSubstr(expected));
    EXPECT_THAT(graph.error().message, HasSubstr(name));
  }
}

TEST(TfliteModels, UnsignedAsymmetricWeightsAreReported) {
  NIBBLE_NEED_SHARED("data/models/coral");
  auto graph =
      read_tflite(shared_path("data/models/coral/mobilenet_v1_0.25_128_quant_uint8.tflite"));
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(graph.error().message, HasSubstr("are asymmetric UINT8 (zero point 157)"));
}

}  // namespace
}  // namespace nibble
