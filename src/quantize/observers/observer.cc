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

RealRange min_max_range(const Observer& observer, const QuantizeOptions&, int) {
  return {observer.histogram().min(), observer.histogram().max()};
}

RealRange moving_average_range(const Observer& observer, const QuantizeOptions&, int) {
  return observer.moving_average();
}

RealRange calibrated_range(const Observer& observer, const QuantizeOptions& options, int levels) {
  RealRange range;
  switch (options.calibrator) {
#define NIBBLE_CALIBRATOR(enumerator, name, function)    \
  case Calibrator::enumerator:                           \
    range = function##_range(observer, options, levels); \
    break;
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR
  }
  return {std::min(range.min, 0.0), std::max(range.max, 0.0)};
}

}  // namespace nibble
