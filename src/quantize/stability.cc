#include "quantize/stability.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/progress.h"
#include "base/rng.h"
#include "ops/ops.h"
#include "quantize/calibrate.h"
#include "quantize/methods/prepare.h"
#include "quantize/quantize.h"
#include "quantize/quantize_observed.h"

namespace nibble {
namespace {

// Knuth's product of uniforms, mean 1.
int poisson(Rng& rng) {
  const double limit = std::exp(-1.0);
  int count = -1;
  for (double product = 1; product > limit; ++count) product *= 1 - rng.uniform();
  return count;
}

SampleCounts resampling(int64_t samples, Rng& rng) {
  SampleCounts counts(static_cast<size_t>(samples));
  for (int& count : counts) count = poisson(rng);
  // Of a handful of samples, none may be left.
  if (std::ranges::all_of(counts, [](int count) { return count == 0; }))
    counts[static_cast<size_t>(rng.integer(0, samples - 1))] = 1;
  return counts;
}

// 1, 2, 4, ..., and all of them.
std::vector<int64_t> subset_sizes(int64_t samples) {
  std::vector<int64_t> sizes;
  for (int64_t size = 1; size < samples; size *= 2) sizes.push_back(size);
  sizes.push_back(samples);
  return sizes;
}

std::vector<SampleCounts> subsets(int64_t samples, Rng& rng) {
  std::vector<int64_t> order(static_cast<size_t>(samples));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = samples - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.integer(0, i))]);
  std::vector<SampleCounts> parts;
  for (int64_t size : subset_sizes(samples)) {
    parts.emplace_back(static_cast<size_t>(samples), 0);
    for (int64_t i = 0; i < size; ++i)
      parts.back()[static_cast<size_t>(order[static_cast<size_t>(i)])] = 1;
  }
  return parts;
}

// The value below which a share of the ascending values lies, between two of them in proportion.
double quantile(const std::vector<double>& ascending, double share) {
  const double at = share * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, ascending.size() - 1);
  return ascending[below] +
         (at - static_cast<double>(below)) * (ascending[above] - ascending[below]);
}

// A part of the set: the ranges that it gives, in the order of the report, and what they are worth.
struct Part {
  std::vector<ValueRange> ranges;
  double metric = 0;
};

double extent(const ValueRange& range) { return range.max - range.min; }

double change(const ValueRange& range, const ValueRange& whole) {
  return extent(whole) > 0 ? std::abs(extent(range) / extent(whole) - 1) : 0;
}

std::vector<RangeStability> spreads(const Part& whole, std::span<const Part> resamplings) {
  std::vector<RangeStability> result;
  for (size_t v = 0; v < whole.ranges.size(); ++v) {
    const ValueRange& range = whole.ranges[v];
    RangeStability stability{range.value, range.min, range.max, range.min,
                             range.min,   range.max, range.max, 0};
    std::vector<double> extents;
    for (const Part& part : resamplings) {
      const ValueRange& found = part.ranges[v];
      stability.least_min = std::min(stability.least_min, found.min);
      stability.largest_min = std::max(stability.largest_min, found.min);
      stability.least_max = std::min(stability.least_max, found.max);
      stability.largest_max = std::max(stability.largest_max, found.max);
      extents.push_back(extent(found));
    }
    std::ranges::sort(extents);
    if (extent(range) > 0)
      stability.spread = (quantile(extents, 0.975) - quantile(extents, 0.025)) / 2 / extent(range);
    result.push_back(std::move(stability));
  }
  std::ranges::stable_sort(result, std::ranges::greater(), &RangeStability::spread);
  return result;
}

SubsetStability subset_of(const Part& part, const Part& whole, int64_t samples) {
  SubsetStability result;
  result.samples = samples;
  result.metric = part.metric;
  std::vector<double> changes;
  for (size_t v = 0; v < whole.ranges.size(); ++v) {
    changes.push_back(change(part.ranges[v], whole.ranges[v]));
    if (changes.back() <= result.largest_change) continue;
    result.largest_change = changes.back();
    result.value = whole.ranges[v].value;
  }
  std::ranges::sort(changes);
  if (!changes.empty()) result.median_change = quantile(changes, 0.5);
  return result;
}

int64_t enough_of(const Stability& stability) {
  int64_t enough = stability.samples;
  for (size_t i = stability.subsets.size(); i-- > 0;) {
    const SubsetStability& subset = stability.subsets[i];
    const bool is_enough = subset.median_change <= kEnoughChange &&
                           subset.metric >= stability.metric_low &&
                           subset.metric <= stability.metric_high;
    if (!is_enough && i + 1 < stability.subsets.size()) break;
    enough = subset.samples;
  }
  return enough;
}

}  // namespace

Result<Stability> measure_stability(const Graph& graph, const CalibrationData& data,
                                    const QuantizeOptions& options,
                                    const StabilityOptions& stability, const ScoreGraph& score) {
  QuantizeOptions plain = without_learning(options);
  std::erase_if(plain.methods, is_refining);
  NIBBLE_TRY(check_quantizable(graph, plain));
  Graph real = graph;
  NIBBLE_TRY(prepare(real, data, plain));
  Rng rng(stability.seed);
  std::vector<SampleCounts> counts;
  for (int64_t i = 0; i < stability.resamplings; ++i) counts.push_back(resampling(data.count, rng));
  for (SampleCounts& subset : subsets(data.count, rng)) counts.push_back(std::move(subset));
  NIBBLE_ASSIGN(auto observers, calibrate_parts(real, data, momenta(real, plain), counts));

  std::vector<Part> parts;
  Progress progress("quantizing parts", static_cast<int64_t>(observers.size()));
  for (Observers& part : observers) {
    QuantizeReport report;
    NIBBLE_ASSIGN(Graph integer, quantize_observed(real, plain, std::move(part), &report));
    parts.push_back({std::move(report.ranges), 0});
    if (score) {
      NIBBLE_ASSIGN(parts.back().metric, score(integer));
    }
    progress.add();
  }
  const auto resamplings = std::span(parts).first(static_cast<size_t>(stability.resamplings));
  const auto nested = std::span(parts).subspan(resamplings.size());
  const Part& whole = nested.back();
  Stability result;
  result.samples = data.count;
  result.ranges = spreads(whole, resamplings);
  result.metric = whole.metric;
  for (const Part& part : resamplings) result.metrics.push_back(part.metric);
  std::ranges::sort(result.metrics);
  if (!result.metrics.empty()) {
    result.metric_low = std::min(whole.metric, quantile(result.metrics, 0.025));
    result.metric_high = std::max(whole.metric, quantile(result.metrics, 0.975));
  }
  const std::vector<int64_t> sizes = subset_sizes(data.count);
  for (size_t i = 0; i < nested.size(); ++i)
    result.subsets.push_back(subset_of(nested[i], whole, sizes[i]));
  result.enough = enough_of(result);
  return result;
}

}  // namespace nibble
