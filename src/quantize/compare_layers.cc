// Layer-by-layer error of an integer graph against its float graph: where accuracy is lost.
#include "quantize/compare_layers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/parallel.h"
#include "base/progress.h"
#include "ops/ops.h"

namespace nibble {
namespace {

double squared_noise(std::span<const float> real, std::span<const float> found) {
  double sum = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = static_cast<double>(real[i]) - static_cast<double>(found[i]);
    sum += difference * difference;
  }
  return sum;
}

SampleSums sums_of(std::span<const float> real, std::span<const float> found, double* max_abs) {
  SampleSums sums;
  for (size_t i = 0; i < real.size(); ++i) {
    const auto wanted = static_cast<double>(real[i]), got = static_cast<double>(found[i]);
    sums.signal += wanted * wanted;
    sums.cross += wanted * got;
    sums.dequantized += got * got;
    sums.sum += wanted;
    *max_abs = std::max(*max_abs, std::abs(wanted - got));
  }
  sums.noise = squared_noise(real, found);
  return sums;
}

// Of the ends of the grid. Clipped is what may have been beyond: not the lower end where that is
// real zero, as after a relu.
void count_ends(const Tensor& integer, LayerCounts& counts) {
  const QuantParams& params = *integer.type().quant;
  const bool low_is_zero = params.zero_point[0] == params.q_min;
  for (int64_t i = 0; i < integer.size(); ++i) {
    const int64_t q = integer.integer_at(i);
    const bool low = q <= params.q_min, high = q >= params.q_max;
    counts.low += low;
    counts.high += high;
    counts.clipped += (low && !low_is_zero) || high;
  }
  counts.count += integer.size();
}

void count_channels(std::span<const float> real, const Tensor& integer, LayerCounts& counts) {
  const Shape& shape = integer.shape();
  const size_t channels = shape.empty() ? 1 : static_cast<size_t>(shape.back());
  if (counts.real_min.empty()) {
    counts.real_min.assign(channels, INFINITY);
    counts.real_max.assign(channels, -INFINITY);
    counts.q_min.assign(channels, INT64_MAX);
    counts.q_max.assign(channels, INT64_MIN);
  }
  for (size_t i = 0, c = 0; i < real.size(); ++i, c = c + 1 == channels ? 0 : c + 1) {
    counts.real_min[c] = std::min(counts.real_min[c], real[i]);
    counts.real_max[c] = std::max(counts.real_max[c], real[i]);
    const int64_t q = integer.integer_at(static_cast<int64_t>(i));
    counts.q_min[c] = std::min(counts.q_min[c], q);
    counts.q_max[c] = std::max(counts.q_max[c], q);
  }
  counts.histogram.add(real);
}

// Which value of the float graph an integer value stands for, by name; kNoValue: none.
std::vector<ValueId> real_twins(const Graph& real, const Graph& integer) {
  std::map<std::string_view, ValueId> by_name;
  for (size_t i = 0; i < real.values.size(); ++i)
    if (!real.values[i].constant) by_name[real.values[i].name] = static_cast<ValueId>(i);
  std::vector<ValueId> twins;
  for (const Value& value : integer.values) {
    const auto found = by_name.find(value.name);
    twins.push_back(found == by_name.end() ? kNoValue : found->second);
  }
  return twins;
}

class Comparison {
 public:
  Comparison(const Graph& real, const Graph& integer, bool detail)
      : real_(real), integer_(integer), detail_(detail), twins_(real_twins(real, integer)) {
    row_of_.assign(integer.values.size(), -1);
    if (detail)
      for (const Port& port : integer.inputs) add_row(-1, port.value);
    for (size_t i = 0; i < integer.nodes.size(); ++i)
      add_row(static_cast<int>(i), integer.nodes[i].outputs[0]);
    workers_.resize(static_cast<size_t>(parallel_workers()));
  }

  std::vector<ComparedLayer> run(const CalibrationData& data, int64_t samples) {
    std::vector<std::vector<SampleSums>> sums(static_cast<size_t>(samples));
    Progress progress("comparing layers", samples);
    parallel_for(samples, [&](int64_t begin, int64_t end, int worker_index) {
      Worker& worker = workers_[static_cast<size_t>(worker_index)];
      if (!worker.real) {
        worker.real = std::make_unique<Interpreter>(real_);
        worker.integer = std::make_unique<Interpreter>(integer_);
        worker.counts.resize(rows_.size());
      }
      for (int64_t s = begin; s < end; ++s) {
        sums[static_cast<size_t>(s)] = run_sample(worker, data.sample(s));
        progress.add();
      }
    });
    for (const auto& sample : sums)
      for (size_t r = 0; r < rows_.size(); ++r) rows_[r].sums.add(sample[r]);
    for (const Worker& worker : workers_)
      for (size_t r = 0; r < worker.counts.size(); ++r) rows_[r].counts.merge(worker.counts[r]);
    return std::move(rows_);
  }

 private:
  struct Worker {
    std::unique_ptr<Interpreter> real, integer;
    std::vector<LayerCounts> counts;  // per row
  };

  void add_row(int node, ValueId id) {
    const ValueId twin = twins_[static_cast<size_t>(id)];
    if (!integer_.type(id).quant || twin == kNoValue) return;
    if (elem_count(integer_.type(id).shape) != elem_count(real_.type(twin).shape)) return;
    row_of_[static_cast<size_t>(id)] = static_cast<int>(rows_.size());
    rows_.push_back({node, twin, id, {}, {}});
  }

  std::vector<SampleSums> run_sample(Worker& worker, const Tensor& sample) {
    std::vector<SampleSums> sums(rows_.size());
    std::vector<Tensor> real_values(real_.values.size());
    real_values[static_cast<size_t>(real_.inputs[0].value)] = sample;
    std::vector<Tensor> inputs = {sample};
    worker.real->run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
      real_values[static_cast<size_t>(node.outputs[0])] = outputs[0];
    });
    const ValueId input = integer_.inputs[0].value;
    const TensorType& type = integer_.type(input);
    inputs = {type.dtype == DType::kF32 ? sample : quantize_tensor(sample, type)};
    auto compare = [&](const Node* node, ValueId id, const Tensor& found) {
      const int row = row_of_[static_cast<size_t>(id)];
      if (row < 0) return;
      const auto index = static_cast<size_t>(row);
      sums[index] = compare_one(worker.counts[index], rows_[index], node, found, real_values);
    };
    compare(nullptr, input, inputs[0]);
    worker.integer->run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
      compare(&node, node.outputs[0], outputs[0]);
    });
    return sums;
  }

  SampleSums compare_one(LayerCounts& counts, const ComparedLayer& row, const Node* node,
                         const Tensor& found, const std::vector<Tensor>& real_values) const {
    std::span<const float> real = real_values[static_cast<size_t>(row.real)].data<float>();
    const Tensor dequantized = dequantize_tensor(found);
    SampleSums sums = sums_of(real, dequantized.data<float>(), &counts.max_abs);
    sums.local_noise = node ? local_noise(*node, real_values, real) : sums.noise;
    count_ends(found, counts);
    if (detail_) count_channels(real, found, counts);
    return sums;
  }

  // The node on the float graph's own values, quantized as its inputs: the error that this node
  // alone adds.
  double local_noise(const Node& node, const std::vector<Tensor>& real_values,
                     std::span<const float> real) const {
    std::vector<Tensor> operands(node.inputs.size());
    std::vector<const Tensor*> pointers(node.inputs.size(), nullptr);
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      if (node.inputs[k] == kNoValue) continue;
      const Value& value = integer_.value(node.inputs[k]);
      if (value.constant) {
        pointers[k] = &*value.constant;
        continue;
      }
      const ValueId twin = twins_[static_cast<size_t>(node.inputs[k])];
      if (twin == kNoValue) return 0;  // behind a border that the float graph does not have
      operands[k] = quantize_tensor(real_values[static_cast<size_t>(twin)], value.type);
      pointers[k] = &operands[k];
    }
    const std::vector<Tensor> outputs = run_node(integer_, node, pointers);
    const Tensor dequantized = dequantize_tensor(outputs[0]);
    return squared_noise(real, dequantized.data<float>());
  }

  const Graph& real_;
  const Graph& integer_;
  const bool detail_;
  std::vector<ValueId> twins_;  // per value of the integer graph
  std::vector<int> row_of_;     // per value of the integer graph
  std::vector<ComparedLayer> rows_;
  std::vector<Worker> workers_;
};

}  // namespace

double decibel(double signal, double noise) {
  if (noise <= 0) return INFINITY;
  if (signal <= 0) return -INFINITY;
  return 10 * std::log10(signal / noise);
}

void SampleSums::add(const SampleSums& other) {
  signal += other.signal;
  noise += other.noise;
  local_noise += other.local_noise;
  cross += other.cross;
  dequantized += other.dequantized;
  sum += other.sum;
}

void LayerCounts::merge(const LayerCounts& other) {
  max_abs = std::max(max_abs, other.max_abs);
  low += other.low;
  high += other.high;
  clipped += other.clipped;
  count += other.count;
  histogram.merge(other.histogram);
  if (real_min.empty()) {
    real_min = other.real_min, real_max = other.real_max;
    q_min = other.q_min, q_max = other.q_max;
    return;
  }
  for (size_t c = 0; c < other.real_min.size(); ++c) {
    real_min[c] = std::min(real_min[c], other.real_min[c]);
    real_max[c] = std::max(real_max[c], other.real_max[c]);
    q_min[c] = std::min(q_min[c], other.q_min[c]);
    q_max[c] = std::max(q_max[c], other.q_max[c]);
  }
}

Result<std::vector<ComparedLayer>> compare_values(const Graph& real, const Graph& integer,
                                                  const CalibrationData& data, int64_t max_samples,
                                                  bool detail) {
  const int64_t samples = std::min(data.count, max_samples);
  if (samples <= 0) return input_error("comparing layers needs at least one sample");
  return Comparison(real, integer, detail).run(data, samples);
}

LayerError error_of(const Graph& real, const Graph& integer, const ComparedLayer& layer) {
  LayerError error;
  const SampleSums& sums = layer.sums;
  const bool input = layer.node < 0;
  error.node =
      input ? real.value(layer.real).name : integer.nodes[static_cast<size_t>(layer.node)].name;
  error.op =
      input ? "input" : std::string(op_name(integer.nodes[static_cast<size_t>(layer.node)].op));
  error.sqnr_db = decibel(sums.signal, sums.noise);
  error.local_sqnr_db = decibel(sums.signal, sums.local_noise);
  error.max_abs_error = layer.counts.max_abs;
  error.clipped_share = static_cast<double>(layer.counts.clipped) /
                        static_cast<double>(std::max<int64_t>(layer.counts.count, 1));
  // Two values that are nothing point the same way; one that is nothing has no direction.
  const double lengths = std::sqrt(sums.signal) * std::sqrt(sums.dequantized);
  error.cosine = lengths > 0 ? sums.cross / lengths : sums.noise > 0 ? 0 : 1;
  return error;
}

Result<std::vector<LayerError>> compare_layers(const Graph& real, const Graph& integer,
                                               const CalibrationData& data, int64_t max_samples) {
  NIBBLE_ASSIGN(auto layers, compare_values(real, integer, data, max_samples, false));
  std::vector<LayerError> errors;
  for (const ComparedLayer& layer : layers) errors.push_back(error_of(real, integer, layer));
  return errors;
}

}  // namespace nibble
