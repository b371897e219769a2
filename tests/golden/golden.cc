// Models on the references of ops/, and the verdict on their outputs.
#include "golden/golden.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/text.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "support/shared_data.h"

namespace nibble::golden {
namespace {

std::vector<int64_t> inverse(const std::vector<int64_t>& perm) {
  std::vector<int64_t> result(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    result[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
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

}  // namespace

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

uint32_t crc_of(std::span<const uint8_t> bytes) {
  return static_cast<uint32_t>(crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

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
