// One case of ONNX's suites: decode the tensors, read the model, execute, compare.
#include "conformance/onnx_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using onnx::TensorProto;

template <class Proto>
bool load(const fs::path& path, Proto& proto) {
  std::ifstream file(path, std::ios::binary);
  return proto.ParseFromIstream(&file);
}

double half_value(uint32_t bits) {
  uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = exponent == 0    ? std::ldexp(fraction, -24)
                 : exponent == 31 ? (fraction ? NAN : INFINITY)
                                  : std::ldexp(fraction + 1024, static_cast<int>(exponent) - 25);
  return (bits & 0x8000) ? -value : value;
}

template <class T>
double at(const std::string& raw, size_t index) {
  T value;
  std::memcpy(&value, raw.data() + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

// The elements as doubles; nothing for types that the suite's readable cases do not have.
std::optional<std::vector<double>> elements(const TensorProto& proto) {
  size_t count = 1;
  for (int64_t dim : proto.dims()) count *= static_cast<size_t>(dim);
  const std::string& raw = proto.raw_data();
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    auto field = static_cast<int>(i);
    switch (proto.data_type()) {
      case TensorProto::FLOAT:
        values.push_back(raw.empty() ? static_cast<double>(proto.float_data(field))
                                     : at<float>(raw, i));
        break;
      case TensorProto::DOUBLE:
        values.push_back(raw.empty() ? proto.double_data(field) : at<double>(raw, i));
        break;
      case TensorProto::FLOAT16:
        values.push_back(half_value(static_cast<uint32_t>(
            raw.empty() ? proto.int32_data(field) : static_cast<int>(at<uint16_t>(raw, i)))));
        break;
      case TensorProto::INT8:
        values.push_back(raw.empty() ? proto.int32_data(field) : at<int8_t>(raw, i));
        break;
      case TensorProto::UINT8:
      case TensorProto::BOOL:
        values.push_back(raw.empty() ? proto.int32_data(field) : at<uint8_t>(raw, i));
        break;
      case TensorProto::INT16:
        values.push_back(raw.empty() ? proto.int32_data(field) : at<int16_t>(raw, i));
        break;
      case TensorProto::INT32:
        values.push_back(raw.empty() ? proto.int32_data(field) : at<int32_t>(raw, i));
        break;
      case TensorProto::INT64:
        values.push_back(raw.empty() ? static_cast<double>(proto.int64_data(field))
                                     : at<int64_t>(raw, i));
        break;
      default:
        return std::nullopt;
    }
  }
  return values;
}

// The file's layout to the graph's, or back.
Tensor permuted(const Tensor& src, std::vector<int64_t> perm, bool back) {
  if (perm.empty()) return src;
  if (back) {
    auto forward = perm;
    for (size_t i = 0; i < forward.size(); ++i)
      perm[static_cast<size_t>(forward[i])] = static_cast<int64_t>(i);
  }
  size_t rank = perm.size();
  Shape stride(rank, 1), shape(rank), index(rank, 0);
  for (size_t i = rank - 1; i-- > 0;) stride[i] = stride[i + 1] * src.shape()[i + 1];
  for (size_t i = 0; i < rank; ++i) shape[i] = src.shape()[static_cast<size_t>(perm[i])];
  Tensor dst(TensorType{shape, src.dtype(), src.type().quant});
  for (int64_t n = 0; n < dst.size(); ++n) {
    int64_t from = 0;
    for (size_t i = 0; i < rank; ++i) from += index[i] * stride[static_cast<size_t>(perm[i])];
    if (src.dtype() == DType::kF32)
      dst.mutable_data<float>()[static_cast<size_t>(n)] =
          src.data<float>()[static_cast<size_t>(from)];
    else
      dst.set_integer_at(n, src.integer_at(from));
    for (size_t i = rank; i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
  return dst;
}

std::optional<Tensor> input_tensor(const TensorProto& proto, const TensorType& type,
                                   const std::vector<int64_t>& perm) {
  auto values = elements(proto);
  if (!values) return std::nullopt;
  Shape shape(proto.dims().begin(), proto.dims().end());
  if (elem_count(shape) != elem_count(type.shape)) return std::nullopt;
  // The passes make unsigned inputs and outputs signed, lowered by half the range.
  bool lowered = proto.data_type() == TensorProto::UINT8 && type.dtype == DType::kS8;
  Tensor tensor(TensorType{shape, type.dtype, type.quant});
  for (size_t i = 0; i < values->size(); ++i) {
    if (type.dtype == DType::kF32)
      tensor.mutable_data<float>()[i] = static_cast<float>((*values)[i]);
    else
      tensor.set_integer_at(static_cast<int64_t>(i),
                            static_cast<int64_t>((*values)[i]) - (lowered ? 128 : 0));
  }
  return permuted(tensor, perm, false);
}

std::string difference(const Tensor& found, const TensorProto& proto, double tolerance) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  if (found.shape() != shape)
    return fmt::format("shape {} instead of {}", format_shape(found.shape()), format_shape(shape));
  auto wanted = elements(proto);
  if (!wanted) return "";
  bool lowered = proto.data_type() == TensorProto::UINT8 && found.dtype() == DType::kS8;
  double largest = 0;
  for (double value : *wanted) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < wanted->size(); ++i) {
    double value =
        found.dtype() == DType::kF32
            ? static_cast<double>(found.data<float>()[i])
            : static_cast<double>(found.integer_at(static_cast<int64_t>(i)) + (lowered ? 128 : 0));
    // The suite's own relative tolerance is 1e-3: some of its outputs are written with four digits.
    double limit = std::max(tolerance * std::max(largest, 1e-3), 1e-3 * std::abs((*wanted)[i]));
    bool same = value == (*wanted)[i] || (std::isnan(value) && std::isnan((*wanted)[i]));
    if (same || (found.dtype() == DType::kF32 && std::abs(value - (*wanted)[i]) <= limit)) continue;
    return fmt::format("element {} is {} instead of {}", i, value, (*wanted)[i]);
  }
  return "";
}

// Inputs of the data set that are not the model's first input move into the model as constants.
void make_constants(onnx::ModelProto& model, std::vector<TensorProto>& inputs) {
  auto* graph = model.mutable_graph();
  std::set<std::string> constants;
  for (const auto& constant : graph->initializer()) constants.insert(constant.name());
  for (int i = 1; i < graph->input_size() && i < static_cast<int>(inputs.size()); ++i) {
    if (constants.contains(graph->input(i).name())) continue;
    auto* constant = graph->add_initializer();
    *constant = inputs[static_cast<size_t>(i)];
    constant->set_name(graph->input(i).name());
  }
  inputs.resize(std::min<size_t>(inputs.size(), 1));
}

CaseResult run_graph(const Graph& graph, const std::vector<TensorProto>& inputs,
                     const std::vector<TensorProto>& outputs, double tolerance) {
  if (graph.inputs.size() != inputs.size() || graph.outputs.size() > outputs.size())
    return {Verdict::kUnsupported, "other inputs than the model"};
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto tensor =
        input_tensor(inputs[i], graph.type(graph.inputs[i].value), graph.inputs[i].source_perm);
    if (!tensor)
      return {Verdict::kUnsupported, "an input of a type that the suite does not decode"};
    tensors.push_back(*tensor);
  }
  auto results = Interpreter(graph).run(tensors);
  for (size_t i = 0; i < results.size(); ++i) {
    std::string what =
        difference(permuted(results[i], graph.outputs[i].source_perm, true), outputs[i], tolerance);
    if (!what.empty()) return {Verdict::kWrong, fmt::format("output {}: {}", i, what)};
  }
  return {Verdict::kPassed, ""};
}

CaseResult run_data_set(onnx::ModelProto model, const fs::path& folder, bool constants,
                        const fs::path& model_folder, const SuiteOptions& options) {
  std::vector<TensorProto> inputs, outputs;
  for (auto [list, prefix] : {std::pair{&inputs, "input_"}, {&outputs, "output_"}})
    for (int i = 0; fs::exists(folder / fmt::format("{}{}.pb", prefix, i)); ++i) {
      TensorProto proto;
      if (!load(folder / fmt::format("{}{}.pb", prefix, i), proto))
        return {Verdict::kUnsupported, "a data file is no tensor"};
      list->push_back(proto);
    }
  if (constants) make_constants(model, inputs);
  std::string bytes = model.SerializeAsString();
  std::span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  auto graph = parse_onnx(span, model_folder.filename().string(), model_folder);
  if (!graph.ok()) return {Verdict::kUnsupported, graph.error().message};
  if (options.simplify) {
    SimplifyOptions simplify_options;
    simplify_options.verify_each = true;
    simplify_options.integer_ports = IntegerPorts::kOff;
    auto status = simplify(*graph, simplify_options);
    if (!status.ok()) return {Verdict::kWrong, status.error().message};
  }
  return run_graph(*graph, inputs, outputs, options.tolerance);
}

}  // namespace

CaseResult run_onnx_case(const fs::path& folder, const SuiteOptions& options) {
  onnx::ModelProto model;
  if (!load(folder / "model.onnx", model))
    return {Verdict::kUnsupported, "model.onnx is unreadable"};
  CaseResult last;
  for (bool constants : {false, true}) {
    bool passed = false;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory()) continue;
      last = run_data_set(model, entry.path(), constants, folder, options);
      if (last.verdict == Verdict::kWrong) return last;
      passed = passed || last.verdict == Verdict::kPassed;
    }
    if (passed) return {Verdict::kPassed, ""};
  }
  return last;
}

}  // namespace nibble
