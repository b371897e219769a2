// Dispatch to the calibrators, and the two that need no search.
#include "quantize/observers/observer.h"

#include <algorithm>

namespace nibble {

void Observer::add_extremes(SampleExtremes extremes, double momentum) {
  if (!started_) {
    average_ = {extremes.min, extremes.max};
    started_ = true;
    return;
  }
  average_.min = momentum * average_.min + (1 - momentum) * extremes.min;
  average_.max = momentum * average_.max + (1 - momentum) * extremes.max;
}

RealRange min_max_range(const Observer& observer) {
  return {observer.histogram().min(), observer.histogram().max()};
}

RealRange moving_average_range(const Observer& observer) { return observer.moving_average(); }

RealRange calibrated_range(const Observer& observer, const QuantizeOptions& options, int levels) {
  RealRange range;
  switch (options.calibrator) {
    case Calibrator::kMinMax:
      range = min_max_range(observer);
      break;
    case Calibrator::kMovingAverage:
      range = moving_average_range(observer);
      break;
    case Calibrator::kPercentile:
      range = percentile_range(observer, options.percentile);
      break;
    case Calibrator::kMse:
      range = mse_range(observer, levels);
      break;
    case Calibrator::kEntropy:
      range = entropy_range(observer, levels);
      break;
  }
  return {std::min(range.min, 0.0), std::max(range.max, 0.0)};
}

}  // namespace nibble
