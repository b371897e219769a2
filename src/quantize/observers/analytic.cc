// Laplace and Gaussian calibrators: the clipping that loses least if values are distributed so
// (Banner et al. 2019, ACIQ, section 4), without a search over the histogram. With M bits and
// clipping at a the expected squared error is rounding plus clipping:
//   Laplace of width b:    E(a) = 2 b^2 exp(-a/b) + a^2 / (3 * 4^M)
//   Gaussian of width s:   E(a) = (a^2 + s^2) (1 - erf(a / (sqrt(2) s))) + a^2 / (3 * 4^M)
//                                 - sqrt(2/pi) a s exp(-a^2 / (2 s^2))
// What is never negative is folded at zero: its M bits are those of a two-sided range with M + 1.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "quantize/observers/observer.h"

namespace nibble {
namespace {

// Where a function that is negative at 0 and rises through zero does so, up to `most`.
double root(const std::function<double(double)>& rising, double most) {
  double low = 0, high = most;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (rising(middle) < 0 ? low : high) = middle;
  }
  return high;
}

// dE/da / 2, for widths of 1.
double laplace_slope(double a, double steps) { return a / (3 * steps * steps) - std::exp(-a); }

double gaussian_slope(double a, double steps) {
  return a * std::erfc(a / std::numbers::sqrt2) + a / (3 * steps * steps) -
         std::sqrt(2 / std::numbers::pi) * std::exp(-a * a / 2);
}

struct Moments {
  double mean = 0;
  double absolute = 0;   // mean |x - mean|
  double deviation = 0;  // root of mean (x - mean)^2
};

Moments moments_of(const Histogram& histogram, bool folded) {
  auto weight_of = [&](size_t bin) {
    // Zeros behind a relu are exact at every clipping, and say nothing of the width.
    const bool at_zero = std::abs(histogram.bin_center(bin)) < histogram.bin_width();
    if (folded && at_zero && histogram.bins().size() > 1) return 0.0;
    return static_cast<double>(histogram.bins()[bin]);
  };
  Moments moments;
  double count = 0;
  for (size_t i = 0; i < histogram.bins().size(); ++i) {
    count += weight_of(i);
    moments.mean += weight_of(i) * histogram.bin_center(i);
  }
  if (count == 0) return moments;
  moments.mean = folded ? 0 : moments.mean / count;
  for (size_t i = 0; i < histogram.bins().size(); ++i) {
    const double distance = histogram.bin_center(i) - moments.mean;
    moments.absolute += weight_of(i) * std::abs(distance) / count;
    moments.deviation += weight_of(i) * distance * distance / count;
  }
  moments.deviation = std::sqrt(moments.deviation);
  return moments;
}

RealRange clipped(const Observer& observer, const ActivationSettings& settings, bool laplace) {
  const Histogram& histogram = observer.histogram();
  const RealRange full{std::min<double>(histogram.min(), 0), std::max<double>(histogram.max(), 0)};
  const bool folded = full.min == 0 || full.max == 0;
  const Moments moments = moments_of(histogram, folded);
  const double steps = std::ldexp(1.0, settings.bits + (folded ? 1 : 0));
  const double width = laplace ? moments.absolute : moments.deviation;
  constexpr double kMost = 100;  // widths; no grid is so fine
  const double clip =
      width *
      root([&](double a) { return laplace ? laplace_slope(a, steps) : gaussian_slope(a, steps); },
           kMost);
  return {std::max(full.min, moments.mean - clip), std::min(full.max, moments.mean + clip)};
}

}  // namespace

RealRange laplace_range(const Observer& observer, const ActivationSettings& settings) {
  return clipped(observer, settings, true);
}

RealRange gaussian_range(const Observer& observer, const ActivationSettings& settings) {
  return clipped(observer, settings, false);
}

}  // namespace nibble
