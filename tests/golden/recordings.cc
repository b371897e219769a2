// Reads the recordings of other engines, with the inputs that belong to them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/formats.h"
#include "golden/golden.h"
#include "support/shared_data.h"

namespace nibble::golden {
namespace {

using nlohmann::json;

Result<json> read_json(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto text, read_text_file(path));
  auto document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return input_error(path.string() + ": not JSON");
  return document;
}

// "INT8" of TFLite and "float32" of ONNX Runtime.
Result<DType> recorded_dtype(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const std::pair<const char*, DType> known[] = {{"float32", DType::kF32}, {"int8", DType::kS8},
                                                 {"uint8", DType::kU8},    {"int16", DType::kS16},
                                                 {"int32", DType::kS32},   {"int64", DType::kS64}};
  for (const auto& [text, dtype] : known)
    if (name == text) return dtype;
  return input_error("recorded type " + name);
}

Result<std::vector<TensorType>> recorded_types(const json& list) {
  std::vector<TensorType> types;
  for (const json& entry : list) {
    NIBBLE_ASSIGN(DType dtype, recorded_dtype(entry.at("type").get<std::string>()));
    types.push_back({entry.at("shape").get<Shape>(), dtype, std::nullopt});
  }
  return types;
}

// Samples one after another, the tensors of each sample one after another.
Result<std::vector<Sample>> read_samples(const std::filesystem::path& path,
                                         const std::vector<TensorType>& types, int count) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  std::vector<Sample> samples;
  size_t offset = 0;
  for (int i = 0; i < count; ++i) {
    Sample sample;
    for (const TensorType& type : types) {
      Tensor tensor(type);
      auto dst = tensor.mutable_bytes();
      if (offset + dst.size() > bytes.size()) return input_error(path.string() + ": too short");
      std::memcpy(dst.data(), bytes.data() + offset, dst.size());
      offset += dst.size();
      sample.push_back(std::move(tensor));
    }
    samples.push_back(std::move(sample));
  }
  if (offset != bytes.size()) return input_error(path.string() + ": longer than its samples");
  return samples;
}

// --- Evaluation sets ---

struct EvalSet {
  const char* prefix;
  const char* folder;  // of the models, by set
  const char* file;    // below data/eval
  double scale, mean;  // real = scale * raw + mean
};

// The input rules of data/README.md.
constexpr EvalSet kEvalSets[] = {
    {"kws__", "mlperf_tiny", "kws_speech_commands/eval_mfcc_q8.npy", 0.5847029089927673,
     -83 * 0.5847029089927673},
    {"ic__ic_resnet8", "mlperf_tiny", "ic_cifar10/eval_images_u8.npy", 1, 0},
    {"ic__cifar10", "tinymaix", "ic_cifar10/eval_images_u8.npy", 1 / 255.0, 0},
    {"vww__vww96", "tinymaix", "vww_coco/eval_images_u8.npy", 1 / 255.0, 0},
    {"vww__vww_mobilenet", "mlperf_tiny", "vww_coco/eval_images_u8.npy", 1 / 255.0, 0},
    {"ad__", "mlperf_tiny", "ad_logmel/windows_f32.npy", 1, 0},
    {"sww__", "mlperf_tiny", "sww/calib_specs_f32.npy", 1, 0},
};

const EvalSet* eval_set(const std::string& name) {
  for (const EvalSet& set : kEvalSets)
    if (name.rfind(set.prefix, 0) == 0) return &set;
  return nullptr;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Sample `index` of an array with a leading axis, as real numbers.
Tensor real_sample(const Tensor& array, int64_t index, const EvalSet& set, const Shape& shape) {
  int64_t count = elem_count(shape);
  std::vector<float> elems(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = index * count + i;
    double raw = array.dtype() == DType::kF32
                     ? static_cast<double>(array.data<float>()[static_cast<size_t>(place)])
                     : static_cast<double>(array.integer_at(place));
    elems[static_cast<size_t>(i)] = static_cast<float>(raw * set.scale + set.mean);
  }
  return Tensor::of_floats(shape, elems);
}

// Images are stored H W C; some ONNX models take C H W.
Tensor channels_first(const Tensor& image) { return permute(image, {0, 3, 1, 2}); }

Tensor slice_sample(const Tensor& array, int64_t index) {
  Shape shape = array.shape();
  shape[0] = 1;
  Tensor result(TensorType{shape, array.dtype(), std::nullopt});
  auto dst = result.mutable_bytes();
  std::memcpy(dst.data(), array.bytes().data() + static_cast<size_t>(index) * dst.size(),
              dst.size());
  return result;
}

// The input formulas of baseline/outputs.json.
std::vector<int8_t> pattern_input(const std::string& pattern, size_t count) {
  std::vector<int8_t> x(count);
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    x[i] = pattern == "A" ? static_cast<int8_t>(static_cast<int>(i * 37 % 255) - 128)
                          : static_cast<int8_t>(state >> 24);
  }
  return x;
}

}  // namespace

Result<std::optional<Recording>> random_recording(const std::string& model_file) {
  NIBBLE_ASSIGN(auto index, read_json(shared_path("data/golden/random/index.json")));
  std::string key = golden_key(model_file);
  if (!index.contains(key)) return std::optional<Recording>();
  const json& entry = index.at(key);
  int count = entry.at("samples").get<int>();
  NIBBLE_ASSIGN(auto in, recorded_types(entry.at("inputs")));
  NIBBLE_ASSIGN(auto out, recorded_types(entry.at("outputs")));
  auto path = [&](const std::string& end) {
    return shared_path("data/golden/random/" + key + end);
  };
  Recording recording;
  NIBBLE_ASSIGN(recording.inputs, read_samples(path(".in.bin"), in, count));
  if (std::filesystem::exists(path(".out.bin"))) {
    NIBBLE_ASSIGN(recording.outputs, read_samples(path(".out.bin"), out, count));
    return std::optional(std::move(recording));
  }
  // ONNX: a file per output.
  recording.outputs.resize(static_cast<size_t>(count));
  for (size_t k = 0; k < out.size(); ++k) {
    NIBBLE_ASSIGN(auto one, read_samples(path(fmt::format(".out{}.bin", k)), {out[k]}, count));
    for (size_t i = 0; i < one.size(); ++i) recording.outputs[i].push_back(std::move(one[i][0]));
  }
  return std::optional(std::move(recording));
}

std::vector<std::string> eval_names(const std::string& extension) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(shared_path("data/golden/eval"), error)) {
    std::string name = entry.path().stem().string();
    if (ends_with(name, "_" + extension.substr(1))) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string eval_model(const std::string& name) {
  const EvalSet* set = eval_set(name);
  NIBBLE_CHECK(set, "{}", name);
  bool onnx = ends_with(name, "_onnx");
  std::string model = name.substr(name.find("__") + 2);
  model = model.substr(0, model.rfind('_')) + (onnx ? ".onnx" : ".tflite");
  return std::string(set->folder) + (onnx ? "_onnx/" : "/") + model;
}

Result<Recording> eval_recording(const std::string& name, const Graph& graph) {
  const EvalSet* set = eval_set(name);
  if (!set) return input_error(name + ": no evaluation set is known for it");
  NIBBLE_ASSIGN(auto array, read_npy(shared_path(std::string("data/eval/") + set->file)));
  NIBBLE_ASSIGN(auto expected, read_npy(shared_path("data/golden/eval/" + name + ".npy")));
  const Port& port = graph.inputs[0];
  Shape file_shape = graph.type(port.value).shape;
  for (size_t i = 0; i < port.source_perm.size(); ++i)
    file_shape[static_cast<size_t>(port.source_perm[i])] = graph.type(port.value).shape[i];
  Shape stored = array.shape();
  stored[0] = 1;
  bool chw = stored.size() == 4 && file_shape.size() == 4 && file_shape != stored &&
             file_shape[1] == stored[3];
  Recording recording;
  for (int64_t i = 0; i < array.shape()[0]; ++i) {
    Tensor sample = real_sample(array, i, *set, chw ? stored : file_shape);
    if (chw) sample = channels_first(sample);
    recording.inputs.push_back({std::move(sample)});
    recording.outputs.push_back({slice_sample(expected, i)});
  }
  return recording;
}

Result<OperatorRecording> operator_recording(const std::string& name, const std::string& pattern) {
  const std::pair<const char*, const char*> files[] = {
      {"ad", "mlperf_tiny/ad01_int8.tflite"},
      {"kws", "mlperf_tiny/kws_dscnn_int8.tflite"},
      {"resnet", "mlperf_tiny/ic_resnet8_int8.tflite"},
      {"vww", "mlperf_tiny/vww_mobilenetv1_int8.tflite"}};
  NIBBLE_ASSIGN(auto document, read_json(shared_path("baseline/outputs.json")));
  const json& recorded = document.at("models").at(name).at("patterns").at(pattern);
  OperatorRecording result;
  for (const auto& [model, file] : files)
    if (name == model) result.model_file = file;
  for (const json& op : recorded.at("ops"))
    result.crc.push_back(
        static_cast<uint32_t>(std::stoul(op.at("crc").get<std::string>(), nullptr, 16)));
  NIBBLE_ASSIGN(Graph graph, load_model(result.model_file, false));
  const TensorType& type = graph.type(graph.inputs[0].value);
  auto elems = pattern_input(pattern, static_cast<size_t>(elem_count(type.shape)));
  result.input = {Tensor::of<int8_t>(type.shape, DType::kS8, elems)};
  auto crc =
      static_cast<uint32_t>(std::stoul(recorded.at("input_crc").get<std::string>(), nullptr, 16));
  NIBBLE_CHECK(crc_of(result.input[0].bytes()) == crc, "the input formula of pattern {}", pattern);
  return result;
}

}  // namespace nibble::golden
