// Percentile calibrator: cut a fixed share of the values off the tails.
#include <algorithm>

#include "quantize/observers/observer.h"

namespace nibble {
namespace {

// The value below which `rank` values lie, linear inside a bin.
double quantile(const Histogram& histogram, double rank) {
  double below = 0;
  for (size_t i = 0; i < histogram.bins().size(); ++i) {
    auto inside = static_cast<double>(histogram.bins()[i]);
    if (inside > 0 && below + inside >= rank) {
      double left = histogram.first_edge() + static_cast<double>(i) * histogram.bin_width();
      return left + (rank - below) / inside * histogram.bin_width();
    }
    below += inside;
  }
  return histogram.max();
}

}  // namespace

RealRange percentile_range(const Observer& observer, const ActivationSettings& settings) {
  const Histogram& histogram = observer.histogram();
  auto count = static_cast<double>(histogram.count());
  double cut = count * (1 - settings.percentile / 100);
  RealRange range{histogram.min(), histogram.max()};
  bool has_low_tail = range.min<0, has_high_tail = range.max> 0;
  double per_tail = has_low_tail && has_high_tail ? cut / 2 : cut;
  if (has_low_tail) range.min = std::max(range.min, quantile(histogram, per_tail));
  if (has_high_tail) range.max = std::min(range.max, quantile(histogram, count - per_tail));
  return range;
}

}  // namespace nibble
