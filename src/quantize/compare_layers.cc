// Layer-by-layer error of an integer graph against its float graph: where accuracy is lost.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/progress.h"
#include "ops/ops.h"
#include "quantize/quantize.h"

namespace nibble {
namespace {

struct Sums {
  double signal = 0, noise = 0, local_noise = 0, max_abs = 0;
  int64_t clipped = 0, count = 0;
};

// Sum of squared differences between a float tensor and what integers stand for.
double squared_noise(std::span<const float> real, const Tensor& dequantized, double* max_abs) {
  std::span<const float> values = dequantized.data<float>();
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    double difference = static_cast<double>(real[i]) - static_cast<double>(values[i]);
    sum += difference * difference;
    if (max_abs) *max_abs = std::max(*max_abs, std::abs(difference));
  }
  return sum;
}

// Values at an end of the grid; not the lower end where that is real zero, as after a relu.
int64_t count_clipped(const Tensor& integer) {
  const QuantParams& params = *integer.type().quant;
  bool low_is_zero = params.zero_point[0] == params.q_min;
  int64_t clipped = 0;
  for (int64_t i = 0; i < integer.size(); ++i) {
    int64_t q = integer.integer_at(i);
    clipped += (q <= params.q_min && !low_is_zero) || q >= params.q_max;
  }
  return clipped;
}

double decibel(double signal, double noise) {
  if (noise <= 0) return INFINITY;
  if (signal <= 0) return -INFINITY;
  return 10 * std::log10(signal / noise);
}

bool is_real(const Tensor& tensor) { return tensor.dtype() == DType::kF32; }

// The node on the float graph's own values, quantized as its inputs: the error that this node alone
// adds.
double local_noise(const Graph& integer, const Node& node,
                   const std::map<std::string, Tensor>& real_values, std::span<const float> real) {
  std::vector<Tensor> operands(node.inputs.size());
  std::vector<const Tensor*> pointers(node.inputs.size(), nullptr);
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    if (node.inputs[k] == kNoValue) continue;
    const Value& value = integer.value(node.inputs[k]);
    if (value.constant) {
      pointers[k] = &*value.constant;
      continue;
    }
    auto found = real_values.find(value.name);
    if (found == real_values.end()) return 0;  // behind a border that the float graph does not have
    operands[k] = quantize_tensor(found->second, value.type);
    pointers[k] = &operands[k];
  }
  std::vector<Tensor> outputs = run_node(integer, node, pointers);
  return squared_noise(real, dequantize_tensor(outputs[0]), nullptr);
}

}  // namespace

Result<std::vector<LayerError>> compare_layers(const Graph& real, const Graph& integer,
                                               const CalibrationData& data, int64_t max_samples) {
  int64_t samples = std::min(data.count, max_samples);
  if (samples <= 0) return input_error("comparing layers needs at least one sample");
  Interpreter real_interpreter(real), integer_interpreter(integer);
  const TensorType& input_type = integer.type(integer.inputs[0].value);
  std::map<std::string, Sums> sums;
  Progress progress("comparing layers", samples);
  for (int64_t s = 0; s < samples; ++s) {
    Tensor sample = data.sample(s);
    std::map<std::string, Tensor> real_values;
    real_values[real.value(real.inputs[0].value).name] = sample;
    std::vector<Tensor> inputs = {sample};
    real_interpreter.run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
      real_values[real.value(node.outputs[0]).name] = outputs[0];
    });
    inputs = {input_type.dtype == DType::kF32 ? sample : quantize_tensor(sample, input_type)};
    integer_interpreter.run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
      if (is_real(outputs[0])) return;
      auto found = real_values.find(integer.value(node.outputs[0]).name);
      if (found == real_values.end() || found->second.size() != outputs[0].size()) return;
      std::span<const float> values = found->second.data<float>();
      Sums& sum = sums[node.name];
      for (float value : values) sum.signal += static_cast<double>(value) * value;
      sum.noise += squared_noise(values, dequantize_tensor(outputs[0]), &sum.max_abs);
      sum.local_noise += local_noise(integer, node, real_values, values);
      sum.clipped += count_clipped(outputs[0]);
      sum.count += outputs[0].size();
    });
    progress.add();
  }
  std::vector<LayerError> result;
  for (const Node& node : integer.nodes) {
    auto found = sums.find(node.name);
    if (found == sums.end()) continue;
    const Sums& sum = found->second;
    result.push_back(
        {node.name, std::string(op_name(node.op)), decibel(sum.signal, sum.noise),
         decibel(sum.signal, sum.local_noise), sum.max_abs,
         static_cast<double>(sum.clipped) / static_cast<double>(std::max<int64_t>(sum.count, 1))});
  }
  return result;
}

}  // namespace nibble
