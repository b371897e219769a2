// From any kind of data file to the samples that a model takes: layout, element type and labels are
// checked here, so that calibration, evaluation and the emulator only ever see data that fit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/file.h"
#include "base/text.h"
#include "formats/data/labels.h"
#include "formats/data/layout.h"
#include "formats/data/sources.h"
#include "formats/formats.h"
#include "ops/ops.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

bool is_zip(std::span<const uint8_t> bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' && bytes[1] == 'K';
}
bool is_npy(std::span<const uint8_t> bytes) { return !bytes.empty() && bytes[0] == 0x93; }

Result<RawData> pick_arrays(std::vector<NamedTensor> arrays, const std::string& file) {
  RawData data;
  const NamedTensor* samples = nullptr;
  std::vector<std::string> names;
  for (const NamedTensor& array : arrays) {
    names.push_back("'" + array.name + "'");
    if (array.name == "x") samples = &array;
    if (array.name == "y") data.labels = array.tensor;
  }
  if (!samples && arrays.size() == 1) samples = &arrays[0];
  if (!samples)
    return input_error(
        fmt::format("{}: holds the arrays {}, but none named 'x'; save the samples as x and "
                    "the labels, if there are any, as y",
                    file, join(names, ", ")));
  data.samples = samples->tensor;
  return data;
}

Result<RawData> read_raw(const fs::path& path, const TensorType& input,
                         const DataOptions& options) {
  std::error_code error;
  if (fs::is_directory(path, error)) return read_class_folders(path, input, options.max_samples);
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  if (bytes.empty()) return input_error(fmt::format("{}: the file is empty", path.string()));
  if (is_zip(bytes)) {
    NIBBLE_ASSIGN(auto arrays, parse_npz(bytes, path.string()));
    return pick_arrays(std::move(arrays), path.string());
  }
  if (is_npy(bytes)) {
    RawData data;
    NIBBLE_ASSIGN(data.samples, parse_npy(bytes, path.string()));
    return data;
  }
  // A text file has no zero bytes.
  if (std::find(bytes.begin(), bytes.end(), 0) != bytes.end())
    return input_error(
        fmt::format("{}: is not a data file that nibble reads; .npz, .npy, CSV and a folder "
                    "with a subfolder per class are",
                    path.string()));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return parse_csv(text, path.string(), options.max_samples);
}

// The first `count` samples.
Tensor leading(const Tensor& tensor, int64_t count) {
  if (tensor.shape().empty() || tensor.shape()[0] <= count) return tensor;
  Shape shape = tensor.shape();
  shape[0] = count;
  Tensor result(TensorType{shape, tensor.dtype(), std::nullopt});
  auto dst = result.mutable_bytes();
  std::copy_n(tensor.bytes().begin(), dst.size(), dst.begin());
  return result;
}

// --- Element type

// Integers of fewer than eight bits come in bytes.
bool is_own_type(DType data, DType input) {
  return data == input || (data == DType::kS8 && dtype_bits(input) < 8 && is_integer(input) &&
                           input != DType::kBool);
}

Error at_sample(const std::string& file, int64_t index, const std::string& what) {
  return input_error(fmt::format("{}: sample {} {}", file, index, what));
}

Result<Tensor> to_real(const Tensor& samples, const DataOptions& options, const std::string& file) {
  Tensor real(TensorType{samples.shape(), DType::kF32, std::nullopt});
  auto dst = real.mutable_data<float>();
  bool is_float = samples.dtype() == DType::kF32;
  bool scaled = options.input_scale != 1 || options.input_mean != 0;
  int64_t per_sample = dst.empty() ? 1 : samples.size() / samples.shape()[0];
  for (int64_t i = 0; i < samples.size(); ++i) {
    auto at = static_cast<size_t>(i);
    double raw = is_float ? static_cast<double>(samples.data<float>()[at])
                          : static_cast<double>(samples.integer_at(i));
    dst[at] = static_cast<float>(scaled ? raw * options.input_scale + options.input_mean : raw);
    if (!std::isfinite(dst[at]))
      return at_sample(file, i / per_sample,
                       fmt::format("holds {}; every value must be a finite number",
                                   std::isnan(dst[at]) ? "NaN" : "an infinity"));
  }
  return real;
}

// Integers for an integer input: as they are (less `shift`), once they are known to be in its
// range.
Result<Tensor> to_integer(const Tensor& samples, const TensorType& input, int64_t shift,
                          const std::string& file) {
  Tensor result(TensorType{samples.shape(), input.dtype, std::nullopt});
  int64_t min = input.quant ? input.quant->q_min : dtype_min(input.dtype);
  int64_t max = input.quant ? input.quant->q_max : dtype_max(input.dtype);
  bool is_float = samples.dtype() == DType::kF32;
  int64_t per_sample = samples.size() == 0 ? 1 : samples.size() / samples.shape()[0];
  for (int64_t i = 0; i < samples.size(); ++i) {
    double real = is_float ? static_cast<double>(samples.data<float>()[static_cast<size_t>(i)]) : 0;
    bool whole = !is_float || (std::abs(real) < 0x1p62 && real == std::floor(real));
    int64_t value = is_float ? (whole ? static_cast<int64_t>(real) : 0) : samples.integer_at(i);
    value -= shift;
    if (!whole || value < min || value > max)
      return at_sample(file, i / per_sample,
                       fmt::format("holds {}; the model's input takes integers from {} to {} ({})",
                                   is_float ? format_double(real) : std::to_string(value), min, max,
                                   dtype_name(input.dtype)));
    result.set_integer_at(i, value);
  }
  return result;
}

Result<Tensor> convert_samples(const Tensor& samples, const TensorType& input, bool source_u8,
                               const DataOptions& options, const std::string& file) {
  bool raw = options.input_scale_given || options.input_scale != 1 || options.input_mean != 0;
  if (input.dtype == DType::kF32) return to_real(samples, options, file);
  if (!input.quant) return to_integer(samples, input, 0, file);
  if (source_u8 && samples.dtype() == DType::kU8 && !raw)
    return to_integer(samples, input, 128, file);
  if (is_own_type(samples.dtype(), input.dtype) && !raw) return to_integer(samples, input, 0, file);
  return to_real(samples, options, file);
}

// Raw data that a model takes without complaint and computes nonsense from: real numbers beyond
// what its quantized input can hold, or integers for a float input that nobody scaled.
std::string doubtful_samples(const Tensor& raw, const Tensor& converted, const TensorType& input,
                             const DataOptions& options, const std::string& file) {
  constexpr double kManySaturated = 0.1;  // of all values; outliers are fewer
  if (converted.dtype() != DType::kF32) return "";
  auto values = converted.data<float>();
  if (values.empty()) return "";
  if (input.dtype == DType::kF32) {
    if (raw.dtype() == DType::kF32 || options.input_scale_given) return "";
    auto [low, high] = std::ranges::minmax(values);
    return fmt::format(
        "{}: integers ({}, {} to {}) go into the model's float input as they are; if it was "
        "trained on scaled ones, give --input-scale and --input-mean (--input-scale 1 says that "
        "this is meant)",
        file, dtype_name(raw.dtype()), low, high);
  }
  if (!input.quant || !input.quant->per_tensor()) return "";
  const QuantParams& quant = *input.quant;
  const double scale = quant.scale[0];
  const double low = scale * (quant.q_min - quant.zero_point[0]);
  const double high = scale * (quant.q_max - quant.zero_point[0]);
  auto saturated = std::ranges::count_if(
      values, [&](double value) { return value < low - scale || value > high + scale; });
  double share = static_cast<double>(saturated) / static_cast<double>(values.size());
  if (share < kManySaturated) return "";
  return fmt::format(
      "{}: {:.0f} % of the values are beyond what the model's quantized input can hold ({:.4g} to "
      "{:.4g}) and saturate; if the data are raw, give --input-scale and --input-mean (0.00392157 "
      "for bytes as 0..1)",
      file, 100 * share, low, high);
}

Status check_samples(const Tensor& samples, const std::string& file) {
  if (samples.shape().empty())
    return input_error(fmt::format(
        "{}: holds a single number; samples have a leading axis that counts them", file));
  if (samples.shape()[0] == 0) return input_error(fmt::format("{}: holds no samples", file));
  return {};
}

}  // namespace

Result<Dataset> read_dataset(const std::filesystem::path& path, const Graph& graph,
                             const DataOptions& options) {
  std::string file = path.string();
  if (graph.inputs.size() != 1)
    return input_error(
        fmt::format("{}: the model has {} inputs; data sets serve models of one input", file,
                    graph.inputs.size()));
  const Port& port = graph.inputs[0];
  const TensorType& input = graph.type(port.value);
  NIBBLE_ASSIGN(RawData raw, read_raw(path, input, options));
  NIBBLE_TRY(check_samples(raw.samples, file));
  // Image folders are read in the graph's layout already.
  bool in_graph_order = !raw.class_names.empty();
  int64_t count = raw.samples.shape()[0];

  Dataset data;
  data.class_names = std::move(raw.class_names);
  std::string label_file = file;
  if (!options.labels.empty()) {
    label_file = options.labels.string();
    NIBBLE_ASSIGN(raw.labels, read_npy(options.labels));
  }
  if (raw.labels) {
    // A CSV or folder was already cut to max_samples; other labels are for all samples.
    int64_t limit = options.max_samples > 0 && count == options.max_samples ? count : INT64_MAX;
    NIBBLE_ASSIGN(Labels labels,
                  convert_labels(leading(*raw.labels, limit), count, graph, label_file));
    data.labels = std::move(labels.classes);
    data.targets = std::move(labels.targets);
    data.not_scored = std::move(labels.not_scored);
  }
  if (options.max_samples > 0 && options.max_samples < count) {
    count = options.max_samples;
    raw.samples = leading(raw.samples, count);
    if (!data.labels.empty()) data.labels.resize(static_cast<size_t>(count));
    if (data.has_targets()) data.targets = leading(data.targets, count);
  }

  std::span<const int64_t> extents(raw.samples.shape());
  NIBBLE_ASSIGN(Order order,
                find_order(extents.subspan(1), input.shape,
                           in_graph_order ? std::vector<int64_t>() : port.source_perm, file));
  NIBBLE_ASSIGN(data.samples, convert_samples(raw.samples, input, port.source_u8, options, file));
  data.note = doubtful_samples(raw.samples, data.samples, input, options, file);
  if (order == Order::kFile)
    data.samples = permute_samples(std::move(data.samples), input.shape, port.source_perm);
  Shape shape = input.shape;
  if (!shape.empty() && shape[0] == 1)
    shape[0] = count;
  else
    shape.insert(shape.begin(), count);
  data.samples.reshape(shape);
  return data;
}

Tensor dataset_sample(const Dataset& data, int64_t index, const Graph& graph) {
  const TensorType& input = graph.type(graph.inputs[0].value);
  NIBBLE_CHECK(index >= 0 && index < data.size(), "sample {} of {}", index, data.size());
  Tensor sample(TensorType{input.shape, data.samples.dtype(), std::nullopt});
  auto dst = sample.mutable_bytes();
  NIBBLE_CHECK(data.samples.bytes().size() == dst.size() * static_cast<size_t>(data.size()),
               "samples of {} for an input of {}", format_shape(data.samples.shape()),
               format_shape(input.shape));
  auto begin = data.samples.bytes().begin() + static_cast<int64_t>(dst.size()) * index;
  std::copy_n(begin, dst.size(), dst.begin());
  if (sample.dtype() == DType::kF32 && input.dtype != DType::kF32)
    return quantize_tensor(sample, input);
  NIBBLE_CHECK(sample.dtype() == input.dtype, "{} samples for a {} input",
               dtype_name(sample.dtype()), dtype_name(input.dtype));
  sample.set_quant(input.quant);
  return sample;
}

}  // namespace nibble
