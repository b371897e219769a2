// Entropy calibrator: the clipping threshold that keeps most of the information of the
// distribution.
#include <algorithm>
#include <cmath>
#include <vector>

#include "quantize/observers/observer.h"

namespace nibble {
namespace {

// KL divergence of the distribution clipped at `kept` bins (its tail added to the last bin) from
// the same after merging the kept bins into `levels` steps and spreading each step evenly over its
// non-empty bins.
double divergence(const std::vector<double>& magnitudes, size_t kept, int levels, double tail) {
  std::vector<double> quantized(kept, 0);
  double q_sum = 0;
  for (int level = 0; level < levels; ++level) {
    size_t begin = kept * static_cast<size_t>(level) / static_cast<size_t>(levels);
    size_t end = kept * static_cast<size_t>(level + 1) / static_cast<size_t>(levels);
    double sum = 0;
    size_t occupied = 0;
    for (size_t i = begin; i < end; ++i) {
      sum += magnitudes[i];
      occupied += magnitudes[i] > 0;
    }
    for (size_t i = begin; i < end; ++i)
      if (magnitudes[i] > 0) quantized[i] = sum / static_cast<double>(occupied);
    q_sum += sum;
  }
  double p_sum = q_sum + tail;
  if (p_sum <= 0) return INFINITY;
  // A little of the mass goes to empty bins of Q, so that the clipped tail cannot make the
  // divergence infinite.
  constexpr double kSmooth = 1e-4;
  double result = 0;
  for (size_t i = 0; i < kept; ++i) {
    double p = magnitudes[i] + (i + 1 == kept ? tail : 0);
    if (p <= 0) continue;
    double q = q_sum > 0 ? quantized[i] / q_sum : 0;
    q = std::max(q, kSmooth / static_cast<double>(kept));
    result += p / p_sum * std::log(p / p_sum / q);
  }
  return result;
}

}  // namespace

RealRange entropy_range(const Observer& observer, const ActivationSettings& settings) {
  const int levels = grid_levels(settings);
  const Histogram& histogram = observer.histogram();
  RealRange full{std::min<double>(histogram.min(), 0), std::max<double>(histogram.max(), 0)};
  bool two_sided = full.min < 0 && full.max > 0;
  int steps = two_sided ? levels / 2 : levels;
  double width = histogram.bin_width();
  double reach = std::max(-full.min, full.max);
  if (reach <= 0 || width <= 0) return full;

  auto bins = static_cast<size_t>(std::ceil(reach / width)) + 1;
  std::vector<double> magnitudes(bins, 0);
  for (size_t i = 0; i < histogram.bins().size(); ++i) {
    auto index = static_cast<size_t>(std::abs(histogram.bin_center(i)) / width);
    magnitudes[std::min(index, bins - 1)] += static_cast<double>(histogram.bins()[i]);
  }
  // Exact zeros (after a relu) are represented exactly at every threshold, and would drown all
  // else.
  magnitudes[0] = bins > 1 ? magnitudes[1] : magnitudes[0];

  if (bins <= static_cast<size_t>(steps)) return full;
  double tail = 0, best = INFINITY;
  size_t best_kept = bins;
  for (size_t kept = bins; kept > static_cast<size_t>(steps); --kept) {
    if (kept < bins) tail += magnitudes[kept];
    // Every fourth threshold: the divergence is smooth.
    if ((bins - kept) % 4 != 0) continue;
    double candidate = divergence(magnitudes, kept, steps, tail);
    if (candidate < best) {
      best = candidate;
      best_kept = kept;
    }
  }
  double threshold = static_cast<double>(best_kept) * width;
  return {std::max(full.min, -threshold), std::min(full.max, threshold)};
}

}  // namespace nibble
