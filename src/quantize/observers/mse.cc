// MSE calibrator: the range with the smallest squared error, clipping against rounding.
#include <algorithm>
#include <cmath>

#include "quantize/observers/observer.h"

namespace nibble {
namespace {

// Squared error of quantizing the histogram to `levels` steps over [low, high], zero on the grid as
// in quantize/.
double squared_error(const Histogram& histogram, RealRange range, int levels) {
  double scale = (range.max - range.min) / (levels - 1);
  if (scale <= 0) return INFINITY;
  double zero = std::round(-range.min / scale);
  // 4096 bins are fine against 256 levels, so the centre stands for the bin.
  double error = 0;
  for (size_t i = 0; i < histogram.bins().size(); ++i) {
    auto weight = static_cast<double>(histogram.bins()[i]);
    if (weight == 0) continue;
    double value = histogram.bin_center(i);
    double level = std::clamp(std::round(value / scale) + zero, 0.0, levels - 1.0);
    double difference = value - (level - zero) * scale;
    error += weight * difference * difference;
  }
  return error;
}

}  // namespace

RealRange mse_range(const Observer& observer, const ActivationSettings& settings) {
  const int levels = grid_levels(settings);
  const Histogram& histogram = observer.histogram();
  RealRange full{std::min<double>(histogram.min(), 0), std::max<double>(histogram.max(), 0)};
  if (full.max <= full.min) return full;
  RealRange best = full;
  double best_error = squared_error(histogram, full, levels);
  auto consider = [&](RealRange range) {
    double error = squared_error(histogram, range, levels);
    if (error < best_error) {
      best_error = error;
      best = range;
    }
  };
  // Both ends together first, then each end alone around the best, finer each time.
  for (int step = 1; step < 100; ++step)
    consider({full.min * (1 - step * 0.01), full.max * (1 - step * 0.01)});
  for (double reach : {0.2, 0.05, 0.0125}) {
    RealRange around = best;
    for (int step = -8; step <= 8; ++step) {
      double factor = 1 + reach * step / 8;
      consider({std::max(around.min * factor, full.min), around.max});
    }
    around = best;
    for (int step = -8; step <= 8; ++step) {
      double factor = 1 + reach * step / 8;
      consider({around.min, std::min(around.max * factor, full.max)});
    }
  }
  return best;
}

}  // namespace nibble
