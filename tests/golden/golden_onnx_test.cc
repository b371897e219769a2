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
#include "support/test_name.h"

namespace nibble {
namespace {

enum class Form { kImported, kSimplified };

const char* form_name(Form form) { return form == Form::kImported ? "imported" : "simplified"; }
void PrintTo(Form form, std::ostream* out) { *out << form_name(form); }

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

// A softmax at the end is left off: behind it one step of the logits is no longer one step.
void cut_softmax(Graph& graph) {
  auto writer = producers(graph);
  ValueId value = graph.outputs[0].value;
  for (int hops = 0; hops < 4; ++hops) {
    int node = writer[static_cast<size_t>(value)];
    if (node < 0) return;
    const Node& last = graph.nodes[static_cast<size_t>(node)];
    value = last.inputs[0];
    if (std::holds_alternative<Softmax>(last.op)) {
      graph.outputs[0] = {value, {}};
      return;
    }
    if (!std::holds_alternative<Reshape>(last.op) && !std::holds_alternative<Dequantize>(last.op))
      return;
  }
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
void PrintTo(const GoldenModel& model, std::ostream* out) { *out << model.file; }

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
  size_t row = found.size() / static_cast<size_t>(data->size());
  Comparison result = compare(found, wanted, row, 0);
  std::printf("%-46s %-10s  worst %.2e, other arg-max %d of %d\n", file.c_str(), form_name(form),
              result.worst, static_cast<int>(result.other_argmax), static_cast<int>(data->size()));
  // As imported, a QDQ model computes in float between its quantizations, as ONNX defines it.
  if (!model.quantized || form == Form::kImported) {
    EXPECT_LT(result.worst, 1e-4);
    EXPECT_EQ(result.other_argmax, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenOnnx,
                         testing::Combine(testing::ValuesIn(kModels),
                                          testing::Values(Form::kImported, Form::kSimplified)),
                         [](const auto& model) {
                           return test_name(std::get<0>(model.param).file) + "_" +
                                  form_name(std::get<1>(model.param));
                         });

// The samples for the graph as imported: real numbers in the file's layout.
Dataset file_layout(const Dataset& data, const Graph& simplified, const Graph& imported) {
  Dataset result = data;
  const Port& port = simplified.inputs[0];
  if (port.source_perm.empty()) return result;
  EXPECT_EQ(port.source_perm, (std::vector<int64_t>{0, 2, 3, 1}));
  Shape shape = imported.type(imported.inputs[0].value).shape;
  shape[0] = data.size();
  result.samples = Tensor(TensorType{shape, DType::kF32, std::nullopt});
  auto src = data.samples.data<float>();
  auto dst = result.samples.mutable_data<float>();
  size_t channels = static_cast<size_t>(shape[1]), area = static_cast<size_t>(shape[2] * shape[3]);
  for (size_t at = 0; at < src.size(); at += channels * area)
    for (size_t c = 0; c < channels; ++c)
      for (size_t i = 0; i < area; ++i) dst[at + c * area + i] = src[at + i * channels + c];
  return result;
}

// Integer execution of a QDQ model against the same model as ONNX defines it (which the test above
// compares with ONNX Runtime): the last integers, and the arg-max.
struct EvalModel {
  const char* file;
  const char* samples;
  const char* labels;
  const char* golden;
  double scale, mean;
  double published;  // accuracy by ONNX Runtime, data/README.md; 0: no labels
};
void PrintTo(const EvalModel& model, std::ostream* out) { *out << model.file; }

constexpr double kKwsScale = 0.5847029089927673;
constexpr EvalModel kEvalModels[] = {
    {"kws_dscnn_fp32", "kws_speech_commands/eval_mfcc_q8.npy",
     "kws_speech_commands/eval_labels_u8.npy", "kws__kws_dscnn_fp32_onnx.npy", kKwsScale,
     -83 * kKwsScale, 91.05},
    {"kws_dscnn_qdq_int8", "kws_speech_commands/eval_mfcc_q8.npy",
     "kws_speech_commands/eval_labels_u8.npy", "kws__kws_dscnn_qdq_int8_onnx.npy", kKwsScale,
     -83 * kKwsScale, 91.25},
    {"ic_resnet8_fp32", "ic_cifar10/eval_images_u8.npy", "ic_cifar10/eval_labels_u8.npy",
     "ic__ic_resnet8_fp32_onnx.npy", 1, 0, 87.71},
    {"ic_resnet8_qdq_int8", "ic_cifar10/eval_images_u8.npy", "ic_cifar10/eval_labels_u8.npy",
     "ic__ic_resnet8_qdq_int8_onnx.npy", 1, 0, 88.14},
    {"vww_mobilenetv1_fp32", "vww_coco/eval_images_u8.npy", "vww_coco/eval_labels_u8.npy",
     "vww__vww_mobilenetv1_fp32_onnx.npy", 1.0 / 255, 0, 86.89},
    {"vww_mobilenetv1_qdq_int8", "vww_coco/eval_images_u8.npy", "vww_coco/eval_labels_u8.npy",
     "vww__vww_mobilenetv1_qdq_int8_onnx.npy", 1.0 / 255, 0, 86.07},
    {"ad_small_bn_fp32", "ad_logmel/windows_f32.npy", nullptr, "ad__ad_small_bn_fp32_onnx.npy", 1,
     0, 0},
    {"ad01_qdq_int8", "ad_logmel/windows_f32.npy", nullptr, "ad__ad01_qdq_int8_onnx.npy", 1, 0, 0},
};

class EvalOnnx : public testing::TestWithParam<EvalModel> {};

double accuracy(std::span<const float> outputs, const std::vector<int64_t>& labels) {
  size_t row = outputs.size() / labels.size(), hits = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    hits += argmax(outputs.subspan(i * row, row)) == static_cast<size_t>(labels[i]);
  return 100.0 * static_cast<double>(hits) / static_cast<double>(labels.size());
}

TEST_P(EvalOnnx, SlowWholeSet) {
  NIBBLE_NEED_SHARED("data/golden/eval");
  EvalModel model = GetParam();
  std::string file = std::string("mlperf_tiny_onnx/") + model.file + ".onnx";
  bool quantized = file.find("qdq") != std::string::npos;
  auto simplified = load(file, Form::kSimplified);
  ASSERT_TRUE(simplified.ok()) << simplified.error().message;
  DataOptions options;
  options.input_scale = model.scale;
  options.input_mean = model.mean;
  options.input_scale_given = model.scale != 1;
  if (model.labels) options.labels = shared_path(std::string("data/eval/") + model.labels);
  auto samples = shared_path(std::string("data/eval/") + model.samples);
  auto data = read_dataset(samples, *simplified, options);
  ASSERT_TRUE(data.ok()) << data.error().message;
  auto golden = read_npy(shared_path(std::string("data/golden/eval/") + model.golden));
  ASSERT_TRUE(golden.ok());
  auto wanted = golden->data<float>();
  auto found = run_all(*simplified, *data);
  size_t row = wanted.size() / static_cast<size_t>(data->size());
  Comparison result = compare(found, wanted, row, output_step(*simplified));
  double percent = model.labels ? accuracy(found, data->labels) : 0;
  std::printf("%-26s accuracy %.2f%% (ONNX Runtime %.2f%%), other arg-max %d of %d, worst %.2e\n",
              model.file, percent, model.published, static_cast<int>(result.other_argmax),
              static_cast<int>(data->size()), result.worst);
  if (!quantized) {
    EXPECT_LT(result.worst, 1e-4);
    EXPECT_EQ(result.other_argmax, 0);
    EXPECT_NEAR(percent, model.published, 0.006);
    return;
  }
  EXPECT_NEAR(percent, model.published, 1.0);
  EXPECT_LE(result.other_argmax, data->size() / 100);
  std::printf("%-26s within one step of ONNX Runtime's output: %.3f%%\n", "",
              100 * result.within_step);
  EXPECT_GE(result.within_step, 0.99);
  auto imported = load(file, Form::kImported);
  ASSERT_TRUE(imported.ok());
  Dataset in_file_layout = file_layout(*data, *simplified, *imported);
  cut_softmax(*imported);
  cut_softmax(*simplified);
  Comparison last = compare(run_all(*simplified, *data), run_all(*imported, in_file_layout), row,
                            output_step(*imported));
  std::printf("%-26s last integers: equal %.2f%%, within one step %.3f%%\n", "", 100 * last.exact,
              100 * last.within_step);
  EXPECT_GE(last.within_step, 0.99);
}

INSTANTIATE_TEST_SUITE_P(All, EvalOnnx, testing::ValuesIn(kEvalModels),
                         [](const auto& model) { return std::string(model.param.file); });

}  // namespace
}  // namespace nibble
