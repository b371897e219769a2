// Reads recordings of other engines and compares ours with them.
#include "golden/golden.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/parallel.h"
#include "base/text.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"
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

std::vector<int64_t> inverse(const std::vector<int64_t>& perm) {
  std::vector<int64_t> result(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    result[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return result;
}

// Extent i of the result is extent perm[i] of `src`.
Tensor permute(const Tensor& src, const std::vector<int64_t>& perm) {
  if (perm.empty()) return src;
  size_t rank = perm.size();
  TensorType type = src.type();
  std::vector<int64_t> stride(rank, 1);
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * src.shape()[i];
  for (size_t i = 0; i < rank; ++i) type.shape[i] = src.shape()[static_cast<size_t>(perm[i])];
  Tensor result(type);
  auto size = static_cast<size_t>(dtype_bytes(type.dtype));
  auto dst = result.mutable_bytes();
  std::vector<int64_t> position(rank, 0);
  for (int64_t index = 0; index < result.size(); ++index) {
    int64_t offset = 0;
    for (size_t i = 0; i < rank; ++i) offset += position[i] * stride[static_cast<size_t>(perm[i])];
    std::memcpy(dst.data() + static_cast<size_t>(index) * size,
                src.bytes().data() + static_cast<size_t>(offset) * size, size);
    for (size_t i = rank; i-- > 0;) {
      if (++position[i] < type.shape[i]) break;
      position[i] = 0;
    }
  }
  return result;
}

Tensor to_graph(const Tensor& given, const Port& port, const Graph& graph) {
  const TensorType& type = graph.type(port.value);
  Tensor tensor = permute(given, port.source_perm);
  if (tensor.shape() != type.shape) tensor.reshape(type.shape);
  if (tensor.dtype() == DType::kF32 && type.dtype != DType::kF32)
    return quantize_tensor(tensor, type);
  Tensor result(type);
  NIBBLE_CHECK(result.bytes().size() == tensor.bytes().size(), "{} for {}",
               dtype_name(tensor.dtype()), dtype_name(type.dtype));
  std::memcpy(result.mutable_bytes().data(), tensor.bytes().data(), tensor.bytes().size());
  return result;
}

Tensor from_graph(const Tensor& computed, const Port& port) {
  return port.source_perm.empty() ? computed : permute(computed, inverse(port.source_perm));
}

Verdict compare_exact(const Tensor& got, const Tensor& expected, const std::string& where) {
  auto mine = got.bytes(), theirs = expected.bytes();
  if (mine.size() != theirs.size())
    return {false, fmt::format("{}: {} bytes, recorded {}", where, mine.size(), theirs.size())};
  if (std::equal(mine.begin(), mine.end(), theirs.begin())) return {true, ""};
  int64_t different = 0, first = -1;
  auto width = static_cast<size_t>(dtype_bytes(got.dtype()));
  for (int64_t i = 0; i < got.size(); ++i) {
    auto place = static_cast<size_t>(i) * width;
    if (std::memcmp(mine.data() + place, theirs.data() + place, width) == 0) continue;
    if (first < 0) first = i;
    ++different;
  }
  std::string values;
  if (got.dtype() == DType::kF32)
    values = fmt::format("{} for {}", got.data<float>()[static_cast<size_t>(first)],
                         expected.data<float>()[static_cast<size_t>(first)]);
  else
    values = fmt::format("{} for {}", got.integer_at(first), expected.integer_at(first));
  return {false, fmt::format("{}: {} of {} elements differ, first {} ({})", where, different,
                             got.size(), first, values)};
}

Verdict compare_close(const Tensor& got, const Tensor& expected, double relative,
                      const std::string& where) {
  if (got.size() != expected.size())
    return {false, fmt::format("{}: {} elements, recorded {}", where, got.size(), expected.size())};
  auto mine = got.data<float>(), theirs = expected.data<float>();
  double largest = 0, worst = 0;
  for (size_t i = 0; i < mine.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(theirs[i])));
    double difference = std::abs(static_cast<double>(mine[i]) - static_cast<double>(theirs[i]));
    worst = difference >= worst ? difference : worst;  // a NaN is kept below
    if (std::isnan(difference)) return {false, fmt::format("{}: not a number", where)};
  }
  constexpr double kFloor = 1e-6;
  if (worst <= relative * largest + kFloor) return {true, ""};
  return {false,
          fmt::format("{}: difference {:.3g} at values up to {:.3g}", where, worst, largest)};
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

uint32_t crc_of(std::span<const uint8_t> bytes) {
  return static_cast<uint32_t>(crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
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

std::vector<std::string> model_files(const std::string& extension) {
  std::vector<std::string> files;
  auto root = shared_path("data/models");
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root, error)) {
    if (!entry.is_regular_file()) continue;
    if (!extension.empty() && entry.path().extension() != extension) continue;
    files.push_back(entry.path().lexically_relative(root).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string golden_key(const std::string& model_file) {
  std::filesystem::path path = model_file;
  std::string extension = path.extension().string().substr(1);
  return path.parent_path().string() + "__" + path.stem().string() + "_" + extension;
}

Result<Graph> load_model(const std::string& model_file, bool simplified) {
  NIBBLE_ASSIGN(Graph graph, read_model(shared_path("data/models/" + model_file)));
  if (simplified) {
    SimplifyOptions options;
    options.verify_each = true;
    NIBBLE_TRY(simplify(graph, options));
  }
  return graph;
}

bool is_integer_model(const Graph& graph) {
  for (const Value& value : graph.values)
    if (!value.constant && is_integer(value.type.dtype) && value.type.quant) return true;
  return false;
}

std::vector<Sample> run_samples(const Graph& graph, const std::vector<Sample>& inputs) {
  std::vector<Sample> outputs(inputs.size());
  std::vector<std::optional<Interpreter>> interpreters(static_cast<size_t>(parallel_workers()));
  parallel_for(static_cast<int64_t>(inputs.size()), [&](int64_t begin, int64_t end, int worker) {
    auto& interpreter = interpreters[static_cast<size_t>(worker)];
    if (!interpreter) interpreter.emplace(graph);
    for (int64_t i = begin; i < end; ++i) {
      const Sample& given = inputs[static_cast<size_t>(i)];
      NIBBLE_CHECK(given.size() == graph.inputs.size());
      Sample in;
      for (size_t k = 0; k < given.size(); ++k)
        in.push_back(to_graph(given[k], graph.inputs[k], graph));
      Sample out = interpreter->run(in);
      for (size_t k = 0; k < out.size(); ++k) out[k] = from_graph(out[k], graph.outputs[k]);
      outputs[static_cast<size_t>(i)] = std::move(out);
    }
  });
  return outputs;
}

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

Verdict compare(const std::vector<Sample>& got, const std::vector<Sample>& expected, bool exact,
                double relative) {
  if (got.size() != expected.size())
    return {false, fmt::format("{} samples, recorded {}", got.size(), expected.size())};
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i].size() != expected[i].size())
      return {false, fmt::format("{} outputs, recorded {}", got[i].size(), expected[i].size())};
    for (size_t k = 0; k < got[i].size(); ++k) {
      std::string where = fmt::format("sample {}, output {}", i, k);
      Tensor mine = got[i][k];
      const Tensor& theirs = expected[i][k];
      if (mine.dtype() != theirs.dtype() && theirs.dtype() == DType::kF32)
        mine = dequantize_tensor(mine);
      if (mine.dtype() != theirs.dtype())
        return {false, fmt::format("{}: {} for {}", where, dtype_name(mine.dtype()),
                                   dtype_name(theirs.dtype()))};
      Verdict one =
          exact ? compare_exact(mine, theirs, where) : compare_close(mine, theirs, relative, where);
      if (!one.equal) return one;
    }
  }
  return {true, fmt::format("{}, {} samples", exact ? "equal" : "within tolerance", got.size())};
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

Verdict compare_operators(const Graph& graph, const OperatorRecording& recording) {
  if (graph.nodes.size() != recording.crc.size())
    return {false,
            fmt::format("{} operators, recorded {}", graph.nodes.size(), recording.crc.size())};
  Sample in{to_graph(recording.input[0], graph.inputs[0], graph)};
  size_t index = 0;
  std::string first;
  Interpreter interpreter(graph);
  interpreter.run(in, [&](const Node& node, std::span<const Tensor> outputs) {
    uint32_t crc = crc_of(outputs[0].bytes());
    if (crc != recording.crc[index] && first.empty())
      first = fmt::format("operator {} ({} '{}') differs: {:08x}, recorded {:08x}", index,
                          op_name(node.op), node.name, crc, recording.crc[index]);
    ++index;
  });
  if (!first.empty()) return {false, first};
  return {true, fmt::format("equal, {} operators", index)};
}

}  // namespace nibble::golden
