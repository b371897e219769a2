// Calibration over the samples on all cores; the result does not depend on how many there are.
#include "quantize/calibrate.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/parallel.h"
#include "base/progress.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// Samples in flight: extremes are kept for one chunk, so that the moving average sees them in
// order.
constexpr int64_t kChunk = 64;

struct Worker {
  std::unique_ptr<Interpreter> interpreter;
  std::vector<Histogram> histograms;  // per value
};

struct NotFinite {
  int64_t sample = -1;
  ValueId value = kNoValue;
};

bool all_finite(std::span<const float> values) {
  // A sum of products with zero is zero unless something is not finite.
  float probe = 0;
  for (float value : values) probe += value * 0.0f;
  return probe == 0.0f;
}

SampleExtremes extremes_of(std::span<const float> values) {
  if (values.empty()) return {};
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

}  // namespace

std::vector<double> momenta(const Graph& graph, const QuantizeOptions& options) {
  std::vector<double> result(graph.values.size(), options.all.activations.momentum);
  auto set = [&](ValueId id, std::string_view name, std::string_view op) {
    result[static_cast<size_t>(id)] =
        settings_of(options.all, options.rules, name, op).activations.momentum;
  };
  for (const Port& port : graph.inputs) set(port.value, graph.value(port.value).name, "input");
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs) set(id, node.name, op_name(node.op));
  return result;
}

Result<std::vector<std::optional<Observer>>> calibrate(const Graph& graph,
                                                       const CalibrationData& data,
                                                       const std::vector<double>& momenta) {
  if (data.count <= 0)
    return input_error("calibration needs at least one sample, and the calibration data have none");
  std::vector<bool> observed(graph.values.size(), false);
  for (const Port& port : graph.inputs) observed[static_cast<size_t>(port.value)] = true;
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs)
      observed[static_cast<size_t>(id)] = graph.type(id).dtype == DType::kF32;

  std::vector<Worker> workers(static_cast<size_t>(parallel_workers()));
  std::vector<std::optional<Observer>> observers(graph.values.size());
  for (size_t i = 0; i < observers.size(); ++i)
    if (observed[i]) observers[i].emplace();

  std::vector<std::vector<SampleExtremes>> extremes(
      static_cast<size_t>(std::min(kChunk, data.count)),
      std::vector<SampleExtremes>(graph.values.size()));
  std::mutex mutex;
  NotFinite bad;
  Progress progress("calibrating", data.count);

  for (int64_t start = 0; start < data.count && bad.sample < 0; start += kChunk) {
    int64_t chunk = std::min(kChunk, data.count - start);
    parallel_for(chunk, [&](int64_t begin, int64_t end, int worker_index) {
      Worker& worker = workers[static_cast<size_t>(worker_index)];
      if (!worker.interpreter) {
        worker.interpreter = std::make_unique<Interpreter>(graph);
        worker.histograms.resize(graph.values.size());
      }
      for (int64_t i = begin; i < end; ++i) {
        auto& row = extremes[static_cast<size_t>(i)];
        auto observe = [&](ValueId id, const Tensor& tensor) {
          auto index = static_cast<size_t>(id);
          if (!observed[index]) return;
          std::span<const float> values = tensor.data<float>();
          if (!all_finite(values)) {
            std::lock_guard lock(mutex);
            if (bad.sample < 0 || start + i < bad.sample) bad = {start + i, id};
            return;
          }
          worker.histograms[index].add(values);
          row[index] = extremes_of(values);
        };
        Tensor sample = data.sample(start + i);
        observe(graph.inputs[0].value, sample);
        std::vector<Tensor> inputs = {std::move(sample)};
        worker.interpreter->run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
          for (size_t k = 0; k < outputs.size(); ++k) observe(node.outputs[k], outputs[k]);
        });
        progress.add();
      }
    });
    for (int64_t i = 0; i < chunk; ++i)
      for (size_t v = 0; v < observers.size(); ++v)
        if (observers[v])
          observers[v]->add_extremes(extremes[static_cast<size_t>(i)][v], momenta[v]);
  }
  if (bad.sample >= 0)
    return input_error(fmt::format(
        "calibration sample {} makes '{}' infinite or not a number; check the sample's values and "
        "scaling (--input-scale, --input-mean)",
        bad.sample, graph.value(bad.value).name));
  for (Worker& worker : workers)
    for (size_t v = 0; v < worker.histograms.size(); ++v)
      if (observers[v]) observers[v]->histogram().merge(worker.histograms[v]);
  return observers;
}

}  // namespace nibble
