#include "lower/dsp/affine_output.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace nibble {
namespace {

constexpr int kShift = 48;

// Where the output becomes k: at `above` it is at least k, at `below` it is less. One of them is
// missing where all accumulators that occur lie on one side.
struct Step {
  int64_t k = 0;
  std::optional<int64_t> above, below;
};

std::vector<Step> steps_of(const ChannelRescale& saturated, AccumulatorRange range) {
  OutputSteps found = output_steps(saturated, range);
  std::vector<Step> steps;
  if (found.first > -128) steps.push_back({found.first, range.low, std::nullopt});
  if (found.last < 127) steps.push_back({found.last + 1, std::nullopt, range.high});
  int64_t k = found.first;
  for (int64_t at : found.at) steps.push_back({++k, at, at - 1});
  return steps;
}

ChannelRescale without_clamp(ChannelRescale rescale) {
  rescale.low = -128, rescale.high = 127;
  return rescale;
}

// Both are exact as double. Below 2^52 the quotient's rounding moves the whole part by one at most,
// which the remainder tells: the search is nearly all divisions, and those of integers take longer.
int64_t ceil_div(int64_t a, int64_t b) {
  constexpr double kExact = int64_t{1} << 52;
  const double quotient = static_cast<double>(a) / static_cast<double>(b);
  if (std::abs(quotient) >= kExact) return a / b + (a % b > 0);
  const auto whole = static_cast<int64_t>(quotient);
  return whole + (a - whole * b > 0);
}

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

std::optional<AffineOutput> affine_output(const ChannelRescale& rescale, AccumulatorRange range,
                                          int least_bits, int most_bits) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (range.low < -kMost || range.high > kMost || rescale.exponent > 0) return std::nullopt;
  ChannelRescale saturated = without_clamp(rescale);
  if (saturated.output(range.low) < rescale.low || saturated.output(range.high) > rescale.high)
    return std::nullopt;
  std::vector<Step> steps = steps_of(saturated, range);
  for (int bits = most_bits; bits >= least_bits; --bits) {
    if (std::max(-range.low, range.high) >= (int64_t{1} << (31 - bits))) continue;
    double ideal =
        std::ldexp(static_cast<double>(rescale.multiplier), rescale.exponent - 31 + kShift - bits);
    if (ideal < 1 || ideal * 1.003 >= static_cast<double>(kMost)) continue;
    AffineSearch search(steps, bits);
    int64_t scale = search.best_scale(ideal);
    auto [first, last] = search.starts(scale);
    if (first > last) continue;
    int64_t start = first + (last - first) / 2;
    if (range.high * (int64_t{1} << bits) + start > kMost ||
        range.low * (int64_t{1} << bits) + start < -kMost)
      continue;
    return AffineOutput{bits, static_cast<int32_t>(start), static_cast<int32_t>(scale)};
  }
  return std::nullopt;
}

std::optional<WidenedOutput> widened_output(const ChannelRescale& rescale, AccumulatorRange range,
                                            int most_bits) {
  constexpr int64_t kMost = int64_t{1} << 29;
  ChannelRescale saturated = without_clamp(rescale), widened = saturated;
  std::vector<Step> steps = steps_of(saturated, range);
  for (int bits = std::max(1, rescale.exponent + 1); bits <= most_bits; ++bits) {
    if (std::max(-range.low, range.high) >= kMost >> bits) return std::nullopt;
    widened.exponent = rescale.exponent - bits;
    int64_t first = -(int64_t{1} << bits), last = -first;
    for (const Step& step : steps) {
      int64_t reached = least_reaching(widened, {-2 * kMost, 2 * kMost}, static_cast<int>(step.k));
      if (step.above) first = std::max(first, reached - (*step.above << bits));
      if (step.below) last = std::min(last, reached - 1 - (*step.below << bits));
    }
    if (first <= last) return WidenedOutput{bits, static_cast<int32_t>(first + (last - first) / 2)};
  }
  return std::nullopt;
}

}  // namespace nibble
