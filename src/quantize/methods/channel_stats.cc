#include "quantize/methods/channel_stats.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/progress.h"
#include "ops/ops.h"

namespace nibble {
namespace {

struct Sums {
  float min = INFINITY, max = -INFINITY;
  double sum = 0, squares = 0;
  int64_t count = 0;

  void add(const Sums& other) {
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    sum += other.sum;
    squares += other.squares;
    count += other.count;
  }
};
using Table = std::vector<std::vector<Sums>>;  // per value and channel

void add_tensor(const Tensor& tensor, std::vector<Sums>& sums) {
  if (tensor.dtype() != DType::kF32 || tensor.shape().empty()) return;
  const auto channels = static_cast<size_t>(tensor.shape().back());
  sums.resize(channels);
  auto values = tensor.data<float>();
  for (size_t start = 0; start < values.size(); start += channels)
    for (size_t c = 0; c < channels; ++c) {
      const float value = values[start + c];
      sums[c].min = std::min(sums[c].min, value);
      sums[c].max = std::max(sums[c].max, value);
      sums[c].sum += static_cast<double>(value);
      sums[c].squares += static_cast<double>(value) * static_cast<double>(value);
      ++sums[c].count;
    }
}

}  // namespace

double ChannelStats::largest() const {
  return static_cast<double>(std::max(std::abs(min), std::abs(max)));
}

Result<std::vector<std::vector<ChannelStats>>> channel_stats(const Graph& graph,
                                                             const CalibrationData& data,
                                                             int64_t samples) {
  samples = std::min(samples, data.count);
  if (samples <= 0) return input_error("statistics of channels need at least one sample");
  // A table per block of samples, added in their order: the sums do not depend on the threads.
  constexpr int64_t kBlock = 16;
  Table total(graph.values.size());
  Progress progress("statistics of channels", samples);
  const int64_t blocks = (samples + kBlock - 1) / kBlock;
  std::vector<std::unique_ptr<Interpreter>> interpreters(static_cast<size_t>(parallel_workers()));
  for (int64_t first = 0; first < blocks; first += parallel_workers()) {
    const int64_t count = std::min<int64_t>(parallel_workers(), blocks - first);
    std::vector<Table> tables(static_cast<size_t>(count), Table(graph.values.size()));
    parallel_for(count, [&](int64_t begin, int64_t end, int worker) {
      auto& interpreter = interpreters[static_cast<size_t>(worker)];
      if (!interpreter) interpreter = std::make_unique<Interpreter>(graph);
      for (int64_t block = begin; block < end; ++block) {
        Table& table = tables[static_cast<size_t>(block)];
        const int64_t from = (first + block) * kBlock, to = std::min(samples, from + kBlock);
        for (int64_t s = from; s < to; ++s) {
          std::vector<Tensor> inputs = {data.sample(s)};
          add_tensor(inputs[0], table[static_cast<size_t>(graph.inputs[0].value)]);
          interpreter->run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
            add_tensor(outputs[0], table[static_cast<size_t>(node.outputs[0])]);
          });
          progress.add();
        }
      }
    });
    for (const Table& table : tables)
      for (size_t v = 0; v < table.size(); ++v) {
        if (total[v].size() < table[v].size()) total[v].resize(table[v].size());
        for (size_t c = 0; c < table[v].size(); ++c) total[v][c].add(table[v][c]);
      }
  }
  std::vector<std::vector<ChannelStats>> result(graph.values.size());
  for (size_t v = 0; v < total.size(); ++v)
    for (const Sums& sums : total[v]) {
      const auto count = static_cast<double>(std::max<int64_t>(sums.count, 1));
      const double mean = sums.sum / count;
      result[v].push_back(
          {sums.min, sums.max, mean, std::sqrt(std::max(0.0, sums.squares / count - mean * mean))});
    }
  return result;
}

}  // namespace nibble
