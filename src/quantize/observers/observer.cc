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

int grid_levels(const ActivationSettings& settings) {
  // Those of more bits are finer than the histogram.
  return static_cast<int>(std::min(int64_t{1} << settings.bits, Histogram::kMaxBins));
}

RealRange min_max_range(const Observer& observer, const ActivationSettings&) {
  return {observer.histogram().min(), observer.histogram().max()};
}

RealRange moving_average_range(const Observer& observer, const ActivationSettings&) {
  return observer.moving_average();
}

RealRange calibrated_range(const Observer& observer, const ActivationSettings& settings) {
  RealRange range;
  switch (settings.calibrator) {
#define NIBBLE_CALIBRATOR(enumerator, name, function) \
  case Calibrator::enumerator:                        \
    range = function##_range(observer, settings);     \
    break;
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR
  }
  return {std::min(range.min, 0.0), std::max(range.max, 0.0)};
}

}  // namespace nibble
