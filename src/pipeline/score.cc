// How good outputs are: which metric a data set allows for a model, and its value.
#include <algorithm>

#include "ops/ops.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

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

// Of a model with these outputs; one element decides between two.
int64_t class_count(const std::vector<std::vector<Tensor>>& outputs) {
  return std::max<int64_t>(outputs[0][0].size(), 2);
}

// A label that no output stands for is a mistake in the data, not a wrong answer.
Status check_labels(const Dataset& data, const std::vector<std::vector<Tensor>>& outputs) {
  if (outputs.empty()) return {};
  int64_t classes = class_count(outputs);
  for (size_t i = 0; i < data.labels.size(); ++i)
    if (data.labels[i] >= classes)
      return input_error(
          fmt::format("sample {} has the label {}, but the model has {} outputs (labels 0 to {}); "
                      "check the labels{}",
                      i, data.labels[i], classes, classes - 1,
                      outputs[0][0].size() > 1
                          ? ""
                          : ", or store them as real numbers if the output is to equal them"));
  return {};
}

// Of each sample, over the elements of its first output.
std::vector<double> squared_errors(
    const std::vector<std::vector<Tensor>>& outputs,
    const std::function<std::span<const float>(size_t sample)>& expected) {
  std::vector<double> errors;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor real = as_real(outputs[i][0]);
    std::span<const float> found = real.data<float>(), wanted = expected(i);
    double sum = 0;
    for (size_t k = 0; k < found.size(); ++k) {
      double difference = static_cast<double>(wanted[k]) - found[k];
      sum += difference * difference;
    }
    errors.push_back(sum / static_cast<double>(real.size()));
  }
  return errors;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

Result<Score> score_outputs(const Graph& graph, const Dataset& data,
                            const std::vector<std::vector<Tensor>>& outputs,
                            const std::string& arithmetic, std::vector<double>* by_sample) {
  std::vector<double> unused;
  std::vector<double>& values = by_sample ? *by_sample : unused;
  values.clear();
  Score score{"none", 0, static_cast<int64_t>(outputs.size()), arithmetic, ""};
  if (outputs.empty()) return score;
  if (!data.labels.empty()) {
    NIBBLE_TRY(check_labels(data, outputs));
    for (size_t i = 0; i < outputs.size(); ++i)
      values.push_back(predicted_class(graph, outputs[i][0]) == data.labels[i] ? 1 : 0);
    score.metric = "accuracy";
    score.value = mean_of(values);
    return score;
  }
  if (data.has_targets()) {
    auto width = static_cast<size_t>(data.targets.shape()[1]);
    score.metric = "mse";
    values = squared_errors(outputs, [&](size_t sample) {
      return data.targets.data<float>().subspan(sample * width, width);
    });
    score.value = mean_of(values);
    return score;
  }
  if (!data.not_scored.empty()) {
    score.why = data.not_scored;
    return score;
  }
  const Shape& input = graph.type(graph.inputs[0].value).shape;
  const Shape& output = graph.type(graph.outputs[0].value).shape;
  if (without_ones(input) != without_ones(output)) {
    score.why = fmt::format(
        "the data have no labels, and the output {} is no reconstruction of the input {}",
        format_shape(output), format_shape(input));
    return score;
  }
  Tensor real;
  score.metric = "reconstruction_mse";
  values = squared_errors(outputs, [&](size_t sample) {
    real = real_sample(data, static_cast<int64_t>(sample), graph);
    return real.data<float>();
  });
  score.value = mean_of(values);
  return score;
}

std::optional<Confusion> count_confusion(const Graph& graph, const Dataset& data,
                                         const std::vector<std::vector<Tensor>>& outputs,
                                         const std::string& arithmetic) {
  if (data.labels.empty() || outputs.empty()) return std::nullopt;
  Confusion confusion{arithmetic, data.class_names, class_count(outputs), {}};
  for (size_t i = 0; i < outputs.size(); ++i)
    ++confusion.counts[{data.labels[i], predicted_class(graph, outputs[i][0])}];
  return confusion;
}

}  // namespace nibble
