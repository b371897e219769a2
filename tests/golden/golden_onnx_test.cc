// Every ONNX model of ../shared against ONNX Runtime's recorded outputs: float models within 1e-4
// relative, QDQ models as integers within one step of the output's scale; and labelled accuracy
// over the evaluation sets.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/parallel.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

enum class Form { kImported, kSimplified };

Result<Graph> load(const std::string& relative, Form form) {
  NIBBLE_ASSIGN(Graph graph, read_onnx(shared_path("data/models/" + relative)));
  if (form == Form::kImported) return graph;
  SimplifyOptions options;
  options.verify_each = true;
  NIBBLE_TRY(simplify(graph, options));
  return graph;
}

// The outputs of every sample as real numbers, one after another in the graph's order.
std::vector<float> run_all(const Graph& graph, const Dataset& data) {
  std::vector<std::vector<float>> outputs(static_cast<size_t>(data.size()));
  parallel_for(data.size(), [&](int64_t begin, int64_t end, int) {
    Interpreter interpreter(graph);
    for (int64_t i = begin; i < end; ++i) {
      Tensor sample = dataset_sample(data, i, graph);
      Tensor out = interpreter.run(std::span(&sample, 1))[0];
      if (out.dtype() != DType::kF32) out = dequantize_tensor(out);
      auto elems = out.data<float>();
      outputs[static_cast<size_t>(i)].assign(elems.begin(), elems.end());
    }
  });
  std::vector<float> all;
  for (const auto& sample : outputs) all.insert(all.end(), sample.begin(), sample.end());
  return all;
}

// Scale of the last quantization before the output; 0 in a float graph.
float output_step(const Graph& graph) {
  auto writer = producers(graph);
  ValueId value = graph.outputs[0].value;
  for (int hops = 0; hops < 8 && value != kNoValue; ++hops) {
    const auto& quant = graph.type(value).quant;
    if (quant) return quant->scale[0];
    int node = writer[static_cast<size_t>(value)];
    if (node < 0) return 0;
    value = graph.nodes[static_cast<size_t>(node)].inputs[0];
  }
  return 0;
}

std::vector<float> read_floats(const std::filesystem::path& path) {
  auto bytes = read_file(path);
  EXPECT_TRUE(bytes.ok());
  std::vector<float> values(bytes->size() / 4);
  if (!values.empty()) std::memcpy(values.data(), bytes->data(), values.size() * 4);
  return values;
}

size_t argmax(std::span<const float> row) {
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

struct Comparison {
  double worst = 0;          // largest difference over the largest magnitude
  double within_step = 0;    // share of values within one step
  double exact = 0;          // share within a tenth of a step
  int64_t other_argmax = 0;  // rows whose arg-max differs
};

Comparison compare(std::span<const float> found, std::span<const float> wanted, size_t row,
                   float step) {
  Comparison result;
  EXPECT_EQ(found.size(), wanted.size());
  if (found.size() != wanted.size() || found.empty()) return result;
  double largest = 1e-6, within = 0, exact = 0;
  for (float value : wanted) largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (size_t i = 0; i < found.size(); ++i) {
    double difference = std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i]));
    result.worst = std::max(result.worst, difference / largest);
    within += difference <= 1.001 * static_cast<double>(step);
    exact += difference <= 0.1 * static_cast<double>(step);
  }
  result.within_step = within / static_cast<double>(found.size());
  result.exact = exact / static_cast<double>(found.size());
  for (size_t at = 0; at < found.size(); at += row)
    result.other_argmax += argmax(found.subspan(at, row)) != argmax(wanted.subspan(at, row));
  return result;
}

struct GoldenModel {
  const char* file;
  bool quantized;
};

constexpr GoldenModel kModels[] = {
    {"mlperf_tiny_onnx/ad01_qdq_int8.onnx", true},
    {"mlperf_tiny_onnx/ad_small_bn_fp32.onnx", false},
    {"mlperf_tiny_onnx/ic_resnet8_fp32.onnx", false},
    {"mlperf_tiny_onnx/ic_resnet8_qdq_int8.onnx", true},
    {"mlperf_tiny_onnx/kws_dscnn_fp32.onnx", false},
    {"mlperf_tiny_onnx/kws_dscnn_qdq_int8.onnx", true},
    {"mlperf_tiny_onnx/vww_mobilenetv1_fp32.onnx", false},
    {"mlperf_tiny_onnx/vww_mobilenetv1_qdq_int8.onnx", true},
    {"onnx_zoo/espdl_streaming_conv1d_fp32.onnx", false},
    {"onnx_zoo/keras_mlp_fp32.onnx", false},
    {"onnx_zoo/st_mobilenet_v2_0.35_128_fp32.onnx", false},
    {"onnx_zoo/st_yamnet_256_64x96_fp32.onnx", false},
    {"onnx_zoo/super_resolution_10_fp32.onnx", false},
};

class GoldenOnnx : public testing::TestWithParam<std::tuple<GoldenModel, Form>> {};

TEST_P(GoldenOnnx, RandomInputs) {
  NIBBLE_NEED_SHARED("data/golden/random/index.json");
  auto [model, form] = GetParam();
  std::string file = model.file;
  std::string key = file.substr(0, file.find('/')) + "__" + file.substr(file.find('/') + 1);
  key.replace(key.rfind(".onnx"), 5, "_onnx");
  auto index = nlohmann::json::parse(*read_text_file(shared_path("data/golden/random/index.json")));
  ASSERT_TRUE(index.contains(key)) << key;
  Shape shape = index[key]["inputs"][0]["shape"].get<Shape>();
  shape[0] = index[key]["samples"].get<int64_t>();

  auto graph = load(file, form);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  // Through the data reader, so that the file's layout becomes the graph's.
  auto temp = TempDir::create();
  ASSERT_TRUE(temp.ok());
  auto input = read_floats(shared_path("data/golden/random/" + key + ".in.bin"));
  ASSERT_TRUE(write_npy(temp->path() / "x.npy", Tensor::of_floats(shape, input)).ok());
  auto data = read_dataset(temp->path() / "x.npy", *graph);
  ASSERT_TRUE(data.ok()) << data.error().message;
  auto found = run_all(*graph, *data);
  auto wanted = read_floats(shared_path("data/golden/random/" + key + ".out0.bin"));
  float step = output_step(*graph);
  size_t row = found.size() / static_cast<size_t>(data->size());
  Comparison result = compare(found, wanted, row, step);
  std::printf(
      "%-48s %s  worst %.2e  step %.4g  within one step %.2f%%, equal %.2f%%, other arg-max %d of "
      "%d\n",
      file.c_str(), form == Form::kImported ? "imported  " : "simplified", result.worst,
      static_cast<double>(step), 100 * result.within_step, 100 * result.exact,
      static_cast<int>(result.other_argmax), static_cast<int>(data->size()));
  if (!model.quantized) {
    EXPECT_LT(result.worst, 1e-4);
    return;
  }
  EXPECT_GE(result.within_step, 0.99);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenOnnx,
                         testing::Combine(testing::ValuesIn(kModels),
                                          testing::Values(Form::kImported, Form::kSimplified)),
                         [](const auto& model) {
                           std::string name = std::get<0>(model.param).file;
                           for (char& c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name + (std::get<1>(model.param) == Form::kImported
                                              ? "_imported"
                                              : "_simplified");
                         });

}  // namespace
}  // namespace nibble
