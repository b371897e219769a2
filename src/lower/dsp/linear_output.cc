#include "lower/dsp/linear_output.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace nibble {
namespace {

// The output is at least k from accumulator `from` on, and less at `from` - 1. Where only one of
// these two accumulators can occur, the other is not asked for.
struct Threshold {
  int64_t k = 0, from = 0;
  bool at = true, before = true;
};

std::vector<Threshold> thresholds_of(const ChannelRescale& rescale, const AccumulatorRange& range) {
  std::vector<Threshold> thresholds;
  OutputSteps steps = output_steps(rescale, range);
  if (steps.first > rescale.low) thresholds.push_back({steps.first, range.low, true, false});
  int64_t k = steps.first;
  for (int64_t at : steps.at) thresholds.push_back({++k, at, true, true});
  if (steps.last < rescale.high)
    thresholds.push_back({steps.last + 1, range.high + 1, false, true});
  return thresholds;
}

// The least x >= 0 with low <= a x mod m <= high, for 0 <= a < m, 0 <= low <= high < m: where no
// multiple of a lies in between, a x - m y does for an x if m y mod a lies in the mirrored
// interval. Nothing if there is none that is small.
std::optional<int64_t> first_hit(int64_t a, int64_t m, int64_t low, int64_t high) {
  constexpr int64_t kMostRounds = int64_t{1} << 28;
  if (low == 0) return 0;
  if (a == 0) return std::nullopt;
  int64_t x = (low + a - 1) / a;
  if (a * x <= high) return x;
  std::optional<int64_t> y = first_hit(m % a, a, a - high % a, a - low % a);
  if (!y || *y > kMostRounds) return std::nullopt;
  return (low + m * *y + a - 1) / a;
}

class LinearSearch {
 public:
  LinearSearch(const std::vector<Threshold>& thresholds, const AccumulatorRange& range, int shift,
               int addend_bits)
      : thresholds_(thresholds), range_(range), shift_(shift), addend_bits_(addend_bits) {}

  // The scale near `ideal` that leaves most room, then the first start that hits the interval.
  std::optional<LinearOutput> solve(double ideal) const {
    constexpr int kScales = 16;
    constexpr int64_t kMostStart = 1 << 24;
    auto nearest = static_cast<int64_t>(std::llround(ideal));
    // Scales that differ by a part in 2^26 are apart by less than the interval is wide.
    int64_t step = std::max<int64_t>(1, nearest >> 26), best = 0, best_room = -1;
    for (int64_t scale = nearest - kScales * step; scale <= nearest + kScales * step;
         scale += step) {
      if (scale < 1 || scale > std::numeric_limits<int32_t>::max()) continue;
      auto [low, high] = interval(scale);
      if (high - low > best_room) best_room = high - low, best = scale;
    }
    if (best == 0) return std::nullopt;
    // start * scale + addend * 2^32 in [low, high], the addend being anything modulo 1 or 4.
    auto [low, high] = interval(best);
    int64_t addend_step = addend_bits_ < 0 ? kUnit : 4 * kUnit;
    int64_t fixed = addend_bits_ < 0 ? 0 : addend_bits_ * kUnit;
    int64_t from = modulo(low - fixed, addend_step);
    std::optional<int64_t> start = 0;
    if (from != 0 && from + best_room < addend_step)
      start = first_hit(best, addend_step, from, from + best_room);
    if (!start || *start > kMostStart || range_.high + *start > std::numeric_limits<int32_t>::max())
      return std::nullopt;
    int64_t rest = low - fixed - *start * best;
    int64_t addend = (rest + modulo(-rest, addend_step) + fixed) / kUnit;
    LinearOutput output{static_cast<int32_t>(*start), static_cast<int32_t>(best),
                        static_cast<int32_t>(addend)};
    NIBBLE_CHECK(holds(output), "start {}, scale {}, addend {}", output.start, output.scale,
                 output.addend);
    return output;
  }

 private:
  static constexpr int64_t kUnit = int64_t{1} << 32;

  static int64_t modulo(int64_t a, int64_t m) { return (a % m + m) % m; }

  // Of start * scale + addend * 2^32, both ends included.
  std::pair<int64_t, int64_t> interval(int64_t scale) const {
    int64_t low = -(int64_t{1} << 60), high = -low;
    for (const Threshold& threshold : thresholds_) {
      int64_t level = threshold.k * (kUnit << shift_) - kUnit / 2;
      if (threshold.at) low = std::max(low, level - threshold.from * scale);
      if (threshold.before) high = std::min(high, level - (threshold.from - 1) * scale - 1);
    }
    return {low, high};
  }

  // As the core computes it.
  int64_t output(const LinearOutput& linear, int64_t acc) const {
    int64_t product = (acc + linear.start) * linear.scale;
    return (linear.addend + ((product + kUnit / 2) >> 32)) >> shift_;
  }
  bool holds(const LinearOutput& linear) const {
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

}  // namespace nibble
