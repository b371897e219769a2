// A graph over a data set on the host, in float or bit-exact integers.
#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "base/progress.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// Whether the portable kernels compute the whole graph. The others are left to the references:
// graphs with float operators kept by name, with weights that no kernel takes (zero points,
// groups), and with outputs that are constants.
bool has_program(const Graph& graph) {
  return std::ranges::all_of(graph.nodes,
                             [&](const Node& node) { return kernels_take(graph, node); }) &&
         std::ranges::none_of(graph.outputs,
                              [&](const Port& port) { return graph.is_constant(port.value); });
}

// An executor per worker: exact kernels for an integer graph, the references otherwise.
class HostExecutor {
 public:
  HostExecutor(const Graph& graph, const Program* program) {
    if (program)
      exact_ =
          std::make_unique<HostProgram>(*program, std::vector<int64_t>(), 0, HostKernels::kFast);
    else
      interpreter_ = std::make_unique<Interpreter>(graph);
  }
  std::vector<Tensor> run(std::span<Tensor> inputs, const Graph& graph, const RoundValue& round) {
    if (exact_) return exact_->run(inputs);
    if (!round) return interpreter_->run(inputs);
    for (size_t k = 0; k < inputs.size(); ++k) round(graph.inputs[k].value, inputs[k]);
    return interpreter_->run(inputs, [&](const Node& node, std::span<Tensor> outputs) {
      for (size_t k = 0; k < outputs.size(); ++k) round(node.outputs[k], outputs[k]);
    });
  }

 private:
  std::unique_ptr<HostProgram> exact_;
  std::unique_ptr<Interpreter> interpreter_;
};

}  // namespace

std::string arithmetic_of(const Graph& graph) {
  bool real = false, integer = false;
  int bits = 0;
  for (const Node& node : graph.nodes) {
    const TensorType& type = graph.type(node.outputs[0]);
    if (std::holds_alternative<Dequantize>(node.op)) continue;
    if (type.dtype == DType::kF32) {
      real = true;
    } else {
      integer = true;
      bits = std::max(bits, dtype_bits(type.dtype));
    }
  }
  std::string text = fmt::format("int{}", bits);
  if (real && integer) return text + " and float32";
  return integer ? text : "float32";
}

Result<Score> evaluate(const Graph& graph, const Dataset& data,
                       std::vector<std::vector<Tensor>>* outputs, const RoundValue& round) {
  std::optional<Program> program;
  if (has_program(graph)) {
    NIBBLE_ASSIGN(program, lower(graph));
  }
  int64_t count = data.size();
  std::vector<std::vector<Tensor>> results(static_cast<size_t>(count));
  std::vector<std::unique_ptr<HostExecutor>> executors(static_cast<size_t>(parallel_workers()));
  Progress progress("evaluating", count);
  parallel_for(count, [&](int64_t begin, int64_t end, int worker) {
    auto& executor = executors[static_cast<size_t>(worker)];
    if (!executor) executor = std::make_unique<HostExecutor>(graph, program ? &*program : nullptr);
    for (int64_t i = begin; i < end; ++i) {
      std::vector<Tensor> inputs = {dataset_sample(data, i, graph)};
      results[static_cast<size_t>(i)] = executor->run(inputs, graph, round);
      progress.add();
    }
  });
  NIBBLE_ASSIGN(Score score, score_outputs(graph, data, results, arithmetic_of(graph)));
  if (outputs) *outputs = std::move(results);
  return score;
}

CalibrationData calibration_data(const Dataset& data, const Graph& graph) {
  return {data.size(), [&data, &graph](int64_t index) {
            Tensor sample = dataset_sample(data, index, graph);
            return sample.dtype() == DType::kF32 ? sample : dequantize_tensor(sample);
          }};
}

std::vector<std::vector<Tensor>> quantized_samples(const Graph& graph, const Dataset& data) {
  std::vector<std::vector<Tensor>> samples;
  for (int64_t i = 0; i < data.size(); ++i) samples.push_back({dataset_sample(data, i, graph)});
  return samples;
}

Status write_outputs(const std::filesystem::path& path, const Graph& graph,
                     const std::vector<std::vector<Tensor>>& outputs) {
  std::vector<NamedTensor> arrays;
  for (size_t k = 0; k < graph.outputs.size() && !outputs.empty(); ++k) {
    TensorType type = outputs[0][k].type();
    // A batch axis of one gives way to the axis of samples.
    if (!type.shape.empty() && type.shape[0] == 1) type.shape.erase(type.shape.begin());
    type.shape.insert(type.shape.begin(), static_cast<int64_t>(outputs.size()));
    Tensor all(type);
    std::span<uint8_t> bytes = all.mutable_bytes();
    size_t at = 0;
    for (const auto& sample : outputs) {
      std::span<const uint8_t> part = sample[k].bytes();
      std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
      at += part.size();
    }
    arrays.push_back({graph.value(graph.outputs[k].value).name, std::move(all)});
  }
  return write_npz(path, arrays);
}

}  // namespace nibble
