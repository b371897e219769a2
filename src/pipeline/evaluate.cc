// Accuracy on the host: a graph over a data set, in float or bit-exact integers.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>

#include "base/parallel.h"
#include "base/progress.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// Whether all but the borders is integer.
bool is_integer_graph(const Graph& graph) {
  return std::ranges::all_of(graph.nodes, [&](const Node& node) {
    return std::holds_alternative<Quantize>(node.op) ||
           std::holds_alternative<Dequantize>(node.op) ||
           graph.type(node.outputs[0]).dtype != DType::kF32;
  });
}

// Index of the largest element, the lowest index on ties.
int64_t arg_max(const Tensor& tensor) {
  int64_t best = 0;
  if (tensor.dtype() == DType::kF32) {
    std::span<const float> values = tensor.data<float>();
    return std::max_element(values.begin(), values.end()) - values.begin();
  }
  for (int64_t i = 1; i < tensor.size(); ++i)
    if (tensor.integer_at(i) > tensor.integer_at(best)) best = i;
  return best;
}

Tensor as_real(const Tensor& tensor) {
  return tensor.dtype() == DType::kF32 ? tensor : dequantize_tensor(tensor);
}

// The input before any quantization where the data are real numbers: what an autoencoder is to give
// back.
Tensor real_sample(const Dataset& data, int64_t index, const Graph& graph) {
  if (data.samples.dtype() != DType::kF32) return as_real(dataset_sample(data, index, graph));
  Tensor sample(TensorType{graph.type(graph.inputs[0].value).shape, DType::kF32, std::nullopt});
  std::span<float> dst = sample.mutable_data<float>();
  std::span<const float> all = data.samples.data<float>();
  std::ranges::copy(all.subspan(static_cast<size_t>(index) * dst.size(), dst.size()), dst.begin());
  return sample;
}

// A model with one output element decides between two classes: at a half if it is a probability,
// else by its sign.
int64_t predicted_class(const Graph& graph, const Tensor& output) {
  if (output.size() > 1) return arg_max(output);
  float value = as_real(output).data<float>()[0];
  bool probability = false;
  for (const Node& node : graph.nodes)
    if (node.outputs[0] == graph.outputs[0].value)
      probability = std::holds_alternative<Sigmoid>(node.op);
  return value > (probability ? 0.5f : 0.0f);
}

// A label that no output stands for is a mistake in the data, not a wrong answer.
Status check_labels(const Dataset& data, const std::vector<std::vector<Tensor>>& outputs) {
  if (outputs.empty()) return {};
  int64_t classes = std::max<int64_t>(outputs[0][0].size(), 2);
  for (size_t i = 0; i < data.labels.size(); ++i)
    if (data.labels[i] >= classes)
      return input_error(
          fmt::format("sample {} has the label {}, but the model has {} outputs (labels 0 to {}); "
                      "check the labels",
                      i, data.labels[i], classes, classes - 1));
  return {};
}

// An executor per worker: exact kernels for an integer graph, the references otherwise.
class HostExecutor {
 public:
  HostExecutor(const Graph& graph, const Program* program) {
    if (program)
      exact_ = std::make_unique<HostProgram>(*program);
    else
      interpreter_ = std::make_unique<Interpreter>(graph);
  }
  std::vector<Tensor> run(std::span<const Tensor> inputs) {
    return exact_ ? exact_->run(inputs) : interpreter_->run(inputs);
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

Score score_outputs(const Graph& graph, const Dataset& data,
                    const std::vector<std::vector<Tensor>>& outputs,
                    const std::string& arithmetic) {
  Score score{"none", 0, static_cast<int64_t>(outputs.size()), arithmetic};
  if (outputs.empty()) return score;
  if (!data.labels.empty()) {
    int64_t right = 0;
    for (size_t i = 0; i < outputs.size(); ++i)
      right += predicted_class(graph, outputs[i][0]) == data.labels[i];
    score.metric = "accuracy";
    score.value = static_cast<double>(right) / static_cast<double>(outputs.size());
    return score;
  }
  const Port& input = graph.inputs[0];
  if (elem_count(graph.type(input.value).shape) != outputs[0][0].size()) return score;
  // An autoencoder: mean squared error between real input and real output.
  double sum = 0;
  int64_t count = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor in = real_sample(data, static_cast<int64_t>(i), graph);
    Tensor out = as_real(outputs[i][0]);
    for (int64_t k = 0; k < out.size(); ++k) {
      auto at = static_cast<size_t>(k);
      double difference = static_cast<double>(in.data<float>()[at]) - out.data<float>()[at];
      sum += difference * difference;
    }
    count += out.size();
  }
  score.metric = "reconstruction_mse";
  score.value = sum / static_cast<double>(count);
  return score;
}

Result<Score> evaluate(const Graph& graph, const Dataset& data,
                       std::vector<std::vector<Tensor>>* outputs) {
  // A graph with float operators kept by name has no program; the references compute it.
  std::optional<Program> program;
  if (is_integer_graph(graph)) {
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
      results[static_cast<size_t>(i)] = executor->run(inputs);
      progress.add();
    }
  });
  NIBBLE_TRY(check_labels(data, results));
  Score score = score_outputs(graph, data, results, arithmetic_of(graph));
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
