// simplify on every real model that can be read: each pass leaves a valid graph, the function
// stays, nothing is left over that a pass should have removed.
#include <algorithm>
#include <iostream>
#include <map>

#include "formats/formats.h"
#include "passes/passes.h"
#include "support/compare_graphs.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

std::vector<std::filesystem::path> models(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(shared_path(folder)))
    if (entry.path().extension() == ".onnx" || entry.path().extension() == ".tflite")
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::map<std::string, int> operators(const Graph& graph) {
  std::map<std::string, int> counts;
  for (const Node& node : graph.nodes) ++counts[std::string(op_name(node.op))];
  return counts;
}

bool is_qdq(const Graph& imported) {
  bool computes_on_floats = false, dequantizes = false;
  for (const Node& node : imported.nodes) {
    dequantizes = dequantizes || std::holds_alternative<Dequantize>(node.op);
    computes_on_floats =
        computes_on_floats ||
        (std::holds_alternative<Conv2d>(node.op) && !is_integer_node(imported, node)) ||
        (std::holds_alternative<Dense>(node.op) && !is_integer_node(imported, node));
  }
  return dequantizes && computes_on_floats;
}

// Pixel shuffle interleaves channels with rows and columns; no layout does without a transpose
// there.
int needed_transposes(const std::filesystem::path& path) {
  return path.stem().string().rfind("super_resolution", 0) == 0 ? 1 : 0;
}

void check(const std::filesystem::path& path) {
  auto read = read_model(path);
  if (!read.ok()) {
    std::cout << "  not read: " << path.filename().string() << "\n";
    return;
  }
  const Graph before = *read;
  Graph after = before;
  SimplifyOptions options;
  options.verify_each = true;
  auto status = simplify(after, options);
  ASSERT_TRUE(status.ok()) << path << ": " << status.error().message;

  auto counts = operators(after);
  std::cout << "  " << path.filename().string() << ": " << before.nodes.size() << " -> "
            << after.nodes.size() << " nodes:";
  for (const auto& [name, count] : counts) std::cout << " " << name << " " << count;
  std::cout << "\n";
  EXPECT_EQ(counts["transpose"], needed_transposes(path)) << path;
  EXPECT_EQ(counts["batch_norm"] + counts["clamp"] + counts["pad"], 0) << path;

  if (is_qdq(before)) {
    EXPECT_EQ(counts["dequantize"], 0) << path;
    EXPECT_TRUE(verify_graph(after, VerifyLevel::kQuantized).ok()) << path;
    return;  // tests/golden measures its results against ONNX Runtime's
  }
  expect_same_function(before, after, 1, 1e-4);
}

TEST(RealModels, MlperfTinyOnnx) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny_onnx");
  for (const auto& path : models("data/models/mlperf_tiny_onnx")) check(path);
}

TEST(RealModels, OnnxZoo) {
  NIBBLE_NEED_SHARED("data/models/onnx_zoo");
  for (const auto& path : models("data/models/onnx_zoo")) check(path);
}

TEST(RealModels, TfliteSlow) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny");
  for (const char* folder : {"mlperf_tiny", "tflm", "tinyengine", "tinymaix"})
    for (const auto& path : models(std::string("data/models/") + folder)) check(path);
}

// MACs and weights that are left; the outputs are compared above and in tests/golden.
TEST(RealModels, WhatIsDeadGoes) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny");
  struct Row {
    const char* file;
    int64_t macs, weights;
  };
  for (const Row& row : {Row{"mlperf_tiny/vww_mobilenetv1_int8.tflite", 3'727'313, 29'066},
                         Row{"mlperf_tiny_onnx/vww_mobilenetv1_qdq_int8.onnx", 3'726'809, 29'010},
                         Row{"mlperf_tiny/ic_resnet8_large_int8.tflite", 72'388'544, 433'286},
                         Row{"mlperf_tiny/ic_resnet8_int8.tflite", 12'501'632, 77'360},
                         Row{"mlperf_tiny/kws_dscnn_int8.tflite", 2'656'768, 22'016},
                         Row{"tinyengine/vww_80_mcunet_int8.tflite", 10'869'117, 387'714}}) {
    auto graph = read_model(shared_path("data/models") / row.file);
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    ASSERT_TRUE(simplify(*graph).ok());
    int64_t macs = 0, weights = 0;
    for (const Node& node : graph->nodes) {
      macs += node_macs(*graph, node);
      if (quant_rule(node.op).weight >= 0) weights += elem_count(graph->type(node.inputs[1]).shape);
    }
    EXPECT_LE(macs, row.macs) << row.file;
    EXPECT_LE(weights, row.weights) << row.file;
  }
}

}  // namespace
}  // namespace nibble
