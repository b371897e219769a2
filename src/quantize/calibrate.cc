// Calibration over the samples on all cores; the result does not depend on how many there are.
#include "quantize/calibrate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "base/parallel.h"
#include "base/progress.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// Samples in flight: extremes are kept for one chunk, so that the moving average sees them in
// order.
constexpr int64_t kChunk = 64;

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
  auto set = [&](ValueId id, const LayerSettings& settings) {
    result[static_cast<size_t>(id)] = settings.activations.momentum;
  };
  for (const Port& port : graph.inputs) set(port.value, settings_of(options, graph, port));
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs) set(id, settings_of(options, node));
  return result;
}

namespace {

// Which values of the graph are observed.
std::vector<bool> observed_values(const Graph& graph) {
  std::vector<bool> observed(graph.values.size(), false);
  for (const Port& port : graph.inputs) observed[static_cast<size_t>(port.value)] = true;
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs)
      observed[static_cast<size_t>(id)] = graph.type(id).dtype == DType::kF32;
  return observed;
}

// One run over the samples. `counts`: per part, how often each sample counts; empty: once each.
class Calibration {
 public:
  Calibration(const Graph& graph, const CalibrationData& data, const std::vector<double>& momenta,
              const std::vector<SampleCounts>& parts)
      : graph_(graph),
        data_(data),
        momenta_(momenta),
        parts_(parts),
        count_(std::max<size_t>(parts.size(), 1)),
        observed_(observed_values(graph)),
        workers_(static_cast<size_t>(parallel_workers())) {}

  Result<std::vector<Observers>> run() {
    if (data_.count <= 0)
      return input_error(
          "calibration needs at least one sample, and the calibration data have none");
    std::vector<Observers> observers(count_, Observers(graph_.values.size()));
    for (Observers& part : observers)
      for (size_t v = 0; v < observed_.size(); ++v)
        if (observed_[v]) part[v].emplace();
    extremes_.assign(static_cast<size_t>(std::min(kChunk, data_.count)),
                     std::vector<SampleExtremes>(graph_.values.size()));
    Progress progress("calibrating", data_.count);
    for (int64_t start = 0; start < data_.count && bad_.sample < 0; start += kChunk) {
      const int64_t chunk = std::min(kChunk, data_.count - start);
      parallel_for(chunk, [&](int64_t begin, int64_t end, int worker) {
        for (int64_t i = begin; i < end; ++i) {
          observe_sample(workers_[static_cast<size_t>(worker)], start, i);
          progress.add();
        }
      });
      for (int64_t i = 0; i < chunk; ++i)
        for (size_t p = 0; p < count_; ++p) add_extremes(observers[p], p, start + i, i);
    }
    if (bad_.sample >= 0)
      return input_error(
          fmt::format("calibration sample {} makes '{}' infinite or not a number; check the "
                      "sample's values and "
                      "scaling (--input-scale, --input-mean)",
                      bad_.sample, graph_.value(bad_.value).name));
    for (Worker& worker : workers_)
      for (size_t p = 0; p < worker.histograms.size(); ++p)
        for (size_t v = 0; v < observed_.size(); ++v)
          if (observed_[v]) observers[p][v]->histogram().merge(worker.histograms[p][v]);
    return observers;
  }

 private:
  struct Worker {
    std::unique_ptr<Interpreter> interpreter;
    std::vector<std::vector<Histogram>> histograms;  // per part and value
  };
  struct NotFinite {
    int64_t sample = -1;
    ValueId value = kNoValue;
  };

  int times(size_t part, int64_t sample) const {
    return parts_.empty() ? 1 : parts_[part][static_cast<size_t>(sample)];
  }

  // Sample `start` + `i`, whose extremes go into row `i`.
  void observe_sample(Worker& worker, int64_t start, int64_t i) {
    if (!worker.interpreter) {
      worker.interpreter = std::make_unique<Interpreter>(graph_);
      worker.histograms.assign(count_, std::vector<Histogram>(graph_.values.size()));
    }
    Tensor sample = data_.sample(start + i);
    observe(worker, start, i, graph_.inputs[0].value, sample);
    std::vector<Tensor> inputs = {std::move(sample)};
    worker.interpreter->run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
      for (size_t k = 0; k < outputs.size(); ++k)
        observe(worker, start, i, node.outputs[k], outputs[k]);
    });
  }

  void observe(Worker& worker, int64_t start, int64_t i, ValueId id, const Tensor& tensor) {
    const auto index = static_cast<size_t>(id);
    if (!observed_[index]) return;
    std::span<const float> values = tensor.data<float>();
    if (!all_finite(values)) {
      std::lock_guard lock(mutex_);
      if (bad_.sample < 0 || start + i < bad_.sample) bad_ = {start + i, id};
      return;
    }
    extremes_[static_cast<size_t>(i)][index] = extremes_of(values);
    if (parts_.empty()) return worker.histograms[0][index].add(values);
    // By how often the sample counts: a part asks for one of a few.
    std::map<int, Histogram> repeated;
    repeated[1].add(values);
    for (size_t p = 0; p < count_; ++p) {
      const int wanted = times(p, start + i);
      if (wanted == 0) continue;
      Histogram& histogram = repeated[wanted];
      if (histogram.count() == 0) {
        histogram = repeated[1];
        histogram.repeat(wanted);
      }
      worker.histograms[p][index].merge(histogram);
    }
  }

  void add_extremes(Observers& observers, size_t part, int64_t sample, int64_t row) const {
    for (int n = 0; n < times(part, sample); ++n)
      for (size_t v = 0; v < observed_.size(); ++v)
        if (observed_[v])
          observers[v]->add_extremes(extremes_[static_cast<size_t>(row)][v], momenta_[v]);
  }

  const Graph& graph_;
  const CalibrationData& data_;
  const std::vector<double>& momenta_;
  const std::vector<SampleCounts>& parts_;
  size_t count_;
  std::vector<bool> observed_;
  std::vector<Worker> workers_;
  std::vector<std::vector<SampleExtremes>> extremes_;  // of one chunk: per sample and value
  std::mutex mutex_;
  NotFinite bad_;
};

}  // namespace

Result<Observers> calibrate(const Graph& graph, const CalibrationData& data,
                            const std::vector<double>& momenta) {
  NIBBLE_ASSIGN(auto observers, Calibration(graph, data, momenta, {}).run());
  return std::move(observers[0]);
}

Result<std::vector<Observers>> calibrate_parts(const Graph& graph, const CalibrationData& data,
                                               const std::vector<double>& momenta,
                                               const std::vector<SampleCounts>& parts) {
  for (const SampleCounts& part : parts)
    NIBBLE_CHECK(static_cast<int64_t>(part.size()) == data.count, "{} counts", part.size());
  return Calibration(graph, data, momenta, parts).run();
}

}  // namespace nibble
