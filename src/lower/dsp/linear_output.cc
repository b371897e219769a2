#include "lower/dsp/linear_output.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/output_s8.h"
#include "common/requant.h"

namespace nibble {
namespace {

// The output is at least k from accumulator `from` on, and less at `from` - 1. Where only one of
// these two accumulators can occur, the other is not asked for.
struct Threshold {
  int64_t k = 0, from = 0;
  bool at = true, before = true;
};

int output_of(const ChannelRescale& rescale, int64_t acc) {
  return nibble_output_s8(static_cast<int32_t>(acc), rescale.multiplier, rescale.exponent,
                          rescale.rounding, rescale.zero, rescale.low, rescale.high);
}

std::vector<Threshold> thresholds_of(const ChannelRescale& rescale, const AccumulatorRange& range) {
  std::vector<Threshold> thresholds;
  int first = output_of(rescale, range.low), last = output_of(rescale, range.high);
  double step = std::ldexp(1.0, 31 - rescale.exponent) / rescale.multiplier;
  if (first > rescale.low) thresholds.push_back({first, range.low, true, false});
  for (int k = first + 1; k <= last; ++k) {
    double guess = std::ceil((k - 0.5 - rescale.zero) * step);
    auto from = static_cast<int64_t>(
        std::clamp(guess, static_cast<double>(range.low + 1), static_cast<double>(range.high)));
    while (from > range.low + 1 && output_of(rescale, from - 1) >= k) --from;
    while (output_of(rescale, from) < k) ++from;
    thresholds.push_back({k, from, true, true});
  }
  if (last < rescale.high) thresholds.push_back({last + 1, range.high + 1, false, true});
  return thresholds;
}

class LinearSearch {
 public:
  LinearSearch(const std::vector<Threshold>& thresholds, const AccumulatorRange& range, int shift,
               int addend_bits)
      : thresholds_(thresholds), range_(range), shift_(shift), addend_bits_(addend_bits) {}

  // The scale near `ideal` that leaves most room, then the first start that hits the interval.
  std::optional<LinearOutput> solve(double ideal) const {
    constexpr int kScales = 16, kStarts = 1 << 14;
    auto nearest = static_cast<int64_t>(std::llround(ideal));
    // Scales that differ by a part in 2^26 are apart by less than the interval is wide.
    int64_t step = std::max<int64_t>(1, nearest >> 26), best = 0;
    double best_room = 0;
    for (int64_t scale = nearest - kScales * step; scale <= nearest + kScales * step;
         scale += step) {
      if (scale < 1 || scale > std::numeric_limits<int32_t>::max()) continue;
      auto [low, high] = interval(scale);
      if (high - low > best_room) best_room = high - low, best = scale;
    }
    if (best == 0) return std::nullopt;
    auto [low, high] = interval(best);
    double slope = std::ldexp(static_cast<double>(best), -32);
    for (int start = 0; start < kStarts; ++start) {
      auto addend = static_cast<int64_t>(std::ceil(low - 0.5 - start * slope));
      if (start * slope + static_cast<double>(addend) + 0.5 >= high) continue;
      if (addend_bits_ >= 0 && (addend & 3) != addend_bits_) continue;
      LinearOutput output{start, static_cast<int32_t>(best), static_cast<int32_t>(addend)};
      if (holds(output)) return output;
    }
    return std::nullopt;
  }

 private:
  // Of start * m + addend + 1/2.
  std::pair<double, double> interval(int64_t scale) const {
    double slope = std::ldexp(static_cast<double>(scale), -32);
    double low = -std::ldexp(1.0, 30), high = -low;
    for (const Threshold& threshold : thresholds_) {
      double level = std::ldexp(static_cast<double>(threshold.k), shift_);
      double acc = static_cast<double>(threshold.from);
      if (threshold.at) low = std::max(low, level - acc * slope);
      if (threshold.before) high = std::min(high, level - (acc - 1) * slope);
    }
    return {low, high};
  }

  // In integers, as the core computes it.
  int64_t output(const LinearOutput& linear, int64_t acc) const {
    int64_t product = (acc + linear.start) * linear.scale;
    return (linear.addend + ((product + (int64_t{1} << 31)) >> 32)) >> shift_;
  }
  bool holds(const LinearOutput& linear) const {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    if (range_.high + linear.start > kMost) return false;
    return std::ranges::all_of(thresholds_, [&](const Threshold& threshold) {
      return (!threshold.at || output(linear, threshold.from) >= threshold.k) &&
             (!threshold.before || output(linear, threshold.from - 1) < threshold.k);
    });
  }

  const std::vector<Threshold>& thresholds_;
  AccumulatorRange range_;
  int shift_, addend_bits_;
};

}  // namespace

std::optional<LinearOutput> linear_output(const ChannelRescale& rescale,
                                          const AccumulatorRange& range, int shift,
                                          int addend_bits) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  double ideal = std::ldexp(static_cast<double>(rescale.multiplier), rescale.exponent + 1 + shift);
  // The product stays below half of its register, the addend within the other half.
  if (ideal < 1 || ideal >= static_cast<double>(kMost - (1 << 20))) return std::nullopt;
  if (range.low < -kMost || range.high > kMost || rescale.exponent > 0) return std::nullopt;
  return LinearSearch(thresholds_of(rescale, range), range, shift, addend_bits).solve(ideal);
}

std::vector<AccumulatorRange> accumulator_ranges(std::span<const int8_t> filter,
                                                 std::span<const int32_t> bias, size_t channels,
                                                 int in_zero) {
  std::vector<AccumulatorRange> ranges(channels);
  size_t taps = filter.size() / channels;
  for (size_t channel = 0; channel < channels; ++channel) {
    int64_t positive = 0, negative = 0;
    for (int8_t weight : filter.subspan(channel * taps, taps))
      (weight > 0 ? positive : negative) += weight;
    int64_t start = bias.empty() ? 0 : bias[channel];
    int64_t least = -128 - in_zero, most = 127 - in_zero;  // of an input; they include 0
    ranges[channel] = {start + positive * least + negative * most,
                       start + positive * most + negative * least};
  }
  return ranges;
}

}  // namespace nibble
