// What calibration remembers of one activation, and how each calibrator turns it into a range. One
// file per calibrator.
#pragma once

#include <cstdint>
#include <span>

#include "quantize/observers/histogram.h"
#include "quantize/settings.h"

namespace nibble {

struct RealRange {
  double min = 0, max = 0;
};

// Extremes of one sample's tensor.
struct SampleExtremes {
  float min = 0, max = 0;
};

// Streaming statistics of one activation: a histogram, and the moving average of the samples'
// extremes.
class Observer {
 public:
  // Exponential moving average r <- m r + (1-m) r_sample (Jacob et al. 2018, section 3.1), started
  // at the first sample.
  void add_extremes(SampleExtremes extremes, double momentum);
  Histogram& histogram() { return histogram_; }
  const Histogram& histogram() const { return histogram_; }
  RealRange moving_average() const { return average_; }

 private:
  Histogram histogram_;
  RealRange average_;
  bool started_ = false;
};

// Values of the grid that a range is for, as far as a histogram resolves them.
int grid_levels(const ActivationSettings& settings);

// One function per row of calibrators.def: the range for a grid of grid_levels values.
//
// min_max: [min, max]. moving_average: the averaged extremes.
// percentile: an interval that holds settings.percentile percent of all values (McKinstry et al.
// 2018); the share cut off is divided
//   between the two tails, all of it to the one tail of a one-sided activation.
// mse: argmin over ranges of the summed squared quantization error of the histogram (Shin et al.
// 2016), by coordinate descent. entropy: the threshold whose clipped distribution P and its
// quantized form Q have the smallest Kullback-Leibler divergence
//   (Migacz 2017, "8-bit inference with TensorRT"); on magnitudes for two-sided activations.
// laplace, gaussian: the analytically optimal clipping of values with such a distribution (Banner
// et al. 2019, ACIQ); its width estimated from the histogram.
#define NIBBLE_CALIBRATOR(enumerator, name, function) \
  RealRange function##_range(const Observer& observer, const ActivationSettings& settings);
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR

// Dispatch by settings.calibrator; the result includes zero and has positive length unless all
// values were zero.
RealRange calibrated_range(const Observer& observer, const ActivationSettings& settings);

}  // namespace nibble
