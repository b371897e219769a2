#include "lower/scalar/short_scale.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/requant.h"

namespace nibble {
namespace {

constexpr int64_t kOne = int64_t{1} << kShortScaleShift;
constexpr int64_t kWordReach = std::numeric_limits<int32_t>::max();
constexpr int kTriedMultipliers = 64;

// The accumulators at which the output steps, within the range.
struct Steps {
  int64_t low = 0, high = 0;  // beyond them it is constant
  int first = 0, last = 0;    // the outputs there
  std::vector<int64_t> at;    // at[i]: the least accumulator of output first + 1 + i
};

int64_t least_reaching(const WordsOutput& output, size_t channel, AccRange range, int value) {
  while (range.low < range.high) {
    int64_t middle = range.low + (range.high - range.low) / 2;
    if (output.output(channel, middle) >= value)
      range.high = middle;
    else
      range.low = middle + 1;
  }
  return range.low;
}

Steps steps_of(const WordsOutput& output, size_t channel, AccRange range) {
  Steps steps;
  steps.first = output.output(channel, range.low);
  steps.last = output.output(channel, range.high);
  for (int value = steps.first + 1; value <= steps.last; ++value)
    steps.at.push_back(least_reaching(output, channel, range, value));
  steps.low = steps.at.empty() ? range.low : steps.at.front() - 1;
  steps.high = steps.at.empty() ? range.low : steps.at.back();
  return steps;
}

struct Scale {
  int64_t upper = 0, lower = 0, addend = 0, extra = 0;
  int shift = 0;
  int64_t sum(int64_t acc) const {
    return acc * upper + ((acc * lower) >> shift) + (acc < 0 ? extra : 0);
  }
};

// The addend with which `scale` steps as it must, if there is one, and nothing leaves 32 bits.
bool find_addend(const Steps& steps, Scale& scale) {
  int64_t least = steps.first * kOne - scale.sum(steps.low);
  int64_t most = (int64_t{steps.last} + 1) * kOne - 1 - scale.sum(steps.high);
  int64_t value = steps.first;
  for (int64_t at : steps.at) {
    ++value;
    least = std::max(least, value * kOne - scale.sum(at));
    most = std::min(most, value * kOne - 1 - scale.sum(at - 1));
  }
  if (least > most) return false;
  scale.addend = least + (most - least) / 2;
  for (int64_t acc : {steps.low, steps.high}) {
    int64_t parts[] = {acc, acc * scale.upper, acc * scale.lower, scale.sum(acc),
                       acc * scale.upper + ((acc * scale.lower) >> scale.shift) + scale.addend,
                       scale.addend, scale.sum(acc) + scale.addend};
    for (int64_t part : parts)
      if (std::abs(part) > kWordReach) return false;
  }
  return true;
}

std::optional<Scale> scale_of(const WordsOutput& output, size_t channel, const Steps& steps,
                              int shift) {
  Scale scale;
  scale.shift = shift;
  if (steps.at.empty()) {
    scale.addend = steps.first * kOne + kOne / 2;
    return scale;
  }
  int exponent = output.exponent[channel];
  double real = std::ldexp(output.multiplier[channel], exponent - 31 + kShortScaleShift + shift);
  if (real >= std::ldexp(1.0, 40)) return std::nullopt;
  auto nearest = static_cast<int64_t>(std::llround(real));
  if (output.away() && exponent < 0)
    scale.extra = -static_cast<int64_t>(std::llround(std::ldexp(1.0, kShortScaleShift + exponent)));
  for (int i = 0; i < kTriedMultipliers; ++i) {
    int64_t multiplier = nearest + (i % 2 ? (i + 1) / 2 : -i / 2);
    if (multiplier <= 0) continue;
    scale.upper = multiplier >> shift;
    scale.lower = multiplier & ((int64_t{1} << shift) - 1);
    if (find_addend(steps, scale)) return scale;
  }
  return std::nullopt;
}

}  // namespace

std::vector<uint32_t> short_scale_words(const WordsOutput& output, std::span<const size_t> channels,
                                        std::span<const AccRange> ranges) {
  std::vector<Steps> steps;
  for (size_t i = 0; i < channels.size(); ++i) {
    if (std::max(std::abs(ranges[i].low), std::abs(ranges[i].high)) > kWordReach / 4) return {};
    if (output.exponent[channels[i]] > 0) return {};
    steps.push_back(steps_of(output, channels[i], ranges[i]));
  }
  for (int shift = 20; shift >= 4; --shift) {
    std::vector<uint32_t> words = {static_cast<uint32_t>(shift)};
    for (size_t i = 0; i < channels.size(); ++i) {
      std::optional<Scale> scale = scale_of(output, channels[i], steps[i], shift);
      if (!scale) break;
      for (int64_t word : {steps[i].low, steps[i].high, scale->upper, scale->lower, scale->addend})
        words.push_back(static_cast<uint32_t>(word));
      if (output.away()) words.push_back(static_cast<uint32_t>(scale->extra));
    }
    size_t wanted = 1 + channels.size() * (output.away() ? 6 : 5);
    if (words.size() == wanted) return words;
  }
  return {};
}

}  // namespace nibble
