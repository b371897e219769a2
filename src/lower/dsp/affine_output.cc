#include "lower/dsp/affine_output.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/requant.h"

namespace nibble {
namespace {

constexpr int kShift = 48;

// Where the output becomes k: at `above` it is at least k, at `below` it is less. One of them is
// missing where all accumulators that occur lie on one side.
struct Step {
  int64_t k = 0;
  std::optional<int64_t> above, below;
};

std::vector<Step> steps_of(const OutputRule& rule, int64_t acc_low, int64_t acc_high) {
  std::vector<Step> steps;
  int first = rule(acc_low), last = rule(acc_high);
  if (first > -128) steps.push_back({first, acc_low, std::nullopt});
  if (last < 127) steps.push_back({last + 1, std::nullopt, acc_high});
  int64_t reached = acc_low;
  for (int k = first + 1; k <= last; ++k) {
    int64_t below = reached, above = acc_high;  // rule(below) < k <= rule(above)
    while (above - below > 1) {
      int64_t middle = below + (above - below) / 2;
      (rule(middle) >= k ? above : below) = middle;
    }
    steps.push_back({k, above, below});
    reached = below;
  }
  return steps;
}

int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b > 0); }

class AffineSearch {
 public:
  AffineSearch(const std::vector<Step>& steps, int bits) : steps_(steps), bits_(bits) {}

  // Starts for a scale: [first, last]; none if first > last.
  std::pair<int64_t, int64_t> starts(int64_t scale) const {
    int64_t first = std::numeric_limits<int64_t>::min() / 4, last = -first;
    for (const Step& step : steps_) {
      int64_t reach = ceil_div(step.k * (int64_t{1} << kShift), scale);
      if (step.above) first = std::max(first, reach - (*step.above << bits_));
      if (step.below) last = std::min(last, reach - 1 - (*step.below << bits_));
    }
    return {first, last};
  }
  int64_t room(int64_t scale) const {
    auto [first, last] = starts(scale);
    return last - first;
  }

  // The scale near `ideal` with most room, which is concave in 1 / scale but for rounding.
  int64_t best_scale(double ideal) const {
    auto low = static_cast<int64_t>(ideal * 0.998) - 2,
         high = static_cast<int64_t>(ideal * 1.002) + 2;
    low = std::max<int64_t>(low, 1);
    while (high - low > 16) {
      int64_t third = (high - low) / 3;
      if (room(low + third) < room(high - third))
        low += third;
      else
        high -= third;
    }
    int64_t best = low;
    for (int64_t scale = std::max<int64_t>(1, low - 16); scale <= high + 16; ++scale)
      if (room(scale) > room(best)) best = scale;
    return best;
  }

 private:
  const std::vector<Step>& steps_;
  int bits_;
};

}  // namespace

int OutputRule::operator()(int64_t acc) const {
  int32_t value = nibble_requant(static_cast<int32_t>(acc), multiplier, exponent, rounding);
  return static_cast<int>(std::clamp<int64_t>(int64_t{value} + zero, -128, 127));
}

std::optional<AffineOutput> affine_output(const OutputRule& rule, int64_t acc_low, int64_t acc_high,
                                          int least_bits, int most_bits) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (acc_low < -kMost || acc_high > kMost || rule.exponent > 0) return std::nullopt;
  if (rule(acc_low) < rule.low || rule(acc_high) > rule.high) return std::nullopt;
  std::vector<Step> steps = steps_of(rule, acc_low, acc_high);
  for (int bits = most_bits; bits >= least_bits; --bits) {
    if (std::max(-acc_low, acc_high) >= (int64_t{1} << (31 - bits))) continue;
    double ideal =
        std::ldexp(static_cast<double>(rule.multiplier), rule.exponent - 31 + kShift - bits);
    if (ideal < 1 || ideal * 1.003 >= static_cast<double>(kMost)) continue;
    AffineSearch search(steps, bits);
    int64_t scale = search.best_scale(ideal);
    auto [first, last] = search.starts(scale);
    if (first > last) continue;
    int64_t start = first + (last - first) / 2;
    if (acc_high * (int64_t{1} << bits) + start > kMost ||
        acc_low * (int64_t{1} << bits) + start < -kMost)
      continue;
    return AffineOutput{bits, static_cast<int32_t>(start), static_cast<int32_t>(scale)};
  }
  return std::nullopt;
}

std::optional<WidenedOutput> widened_output(const OutputRule& rule, int64_t acc_low,
                                            int64_t acc_high, int most_bits) {
  constexpr int64_t kMost = int64_t{1} << 29;
  for (int bits = std::max(1, rule.exponent + 1); bits <= most_bits; ++bits) {
    if (std::max(-acc_low, acc_high) >= kMost >> bits) return std::nullopt;
    OutputRule widened = rule;
    widened.exponent -= bits;
    int64_t first = -(int64_t{1} << bits), last = -first;
    for (const Step& step : steps_of(rule, acc_low, acc_high)) {
      // Where the widened output becomes k.
      int64_t below = -2 * kMost, above = 2 * kMost;
      while (above - below > 1) {
        int64_t middle = below + (above - below) / 2;
        (widened(middle) >= step.k ? above : below) = middle;
      }
      if (step.above) first = std::max(first, above - (*step.above << bits));
      if (step.below) last = std::min(last, above - 1 - (*step.below << bits));
    }
    if (first <= last) return WidenedOutput{bits, static_cast<int32_t>(first + (last - first) / 2)};
  }
  return std::nullopt;
}

}  // namespace nibble
