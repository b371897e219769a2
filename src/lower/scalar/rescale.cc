#include "lower/scalar/rescale.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "common/requant.h"
#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kSingleShift = 24, kDoubleShift = 22, kFusedShift = 32;
constexpr int64_t kWordReach = std::numeric_limits<int32_t>::max();
constexpr int kTriedMultipliers = 64;

// The accumulators at which the output steps, within the range.
struct Steps {
  int64_t low = 0, high = 0;  // beyond them it is constant
  int first = 0, last = 0;    // the outputs there
  std::vector<int64_t> at;    // at[i]: the least accumulator of output first + 1 + i
};

Steps steps_of(const ChannelRescale& rescale, AccumulatorRange range) {
  OutputSteps found = output_steps(rescale, range);
  bool steps = !found.at.empty();
  return {steps ? found.at.front() - 1 : range.low, steps ? found.at.back() : range.low,
          found.first, found.last, std::move(found.at)};
}

// The addends with which (sum(acc) + addend) >> shift steps as it must; empty if least > most.
struct AddendRange {
  int64_t least = 0, most = 0;
  int64_t middle() const { return least + (most - least) / 2; }
};

// `clamped_low`: the output may fall below the first one, `clamped_high`: above the last.
template <class Sum>
AddendRange addends(const Steps& steps, int shift, Sum sum, bool clamped_low = false,
                    bool clamped_high = false) {
  int64_t one = int64_t{1} << shift;
  AddendRange range{steps.first * one - sum(steps.low),
                    (int64_t{steps.last} + 1) * one - 1 - sum(steps.high)};
  if (clamped_low) range.least = std::min(range.least, range.most) - one;
  if (clamped_high) range.most = std::max(range.least, range.most) + one;
  int64_t value = steps.first;
  for (int64_t at : steps.at) {
    ++value;
    range.least = std::max(range.least, value * one - sum(at));
    range.most = std::min(range.most, value * one - 1 - sum(at - 1));
  }
  return range;
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// The real factor with `shift` fractional bits, and the i-th of its neighbours.
int64_t multiplier_near(const LayerOutput& output, size_t channel, int shift, int i) {
  double real = std::ldexp(output.multiplier[channel], output.exponent[channel] - 31 + shift);
  int64_t nearest = real < 0x1p40 ? std::llround(real) : 0;
  return nearest + (i % 2 ? (i + 1) / 2 : -i / 2);
}

std::vector<uint32_t> words_of(std::initializer_list<int64_t> values) {
  std::vector<uint32_t> words;
  for (int64_t value : values) words.push_back(static_cast<uint32_t>(value));
  return words;
}

// A channel whose output never steps, for any multiplier: the middle of the range gives the middle
// of what rounds down to that output.
RescaledChannel constant_fused(AccumulatorRange range, int value) {
  const auto width = static_cast<uint64_t>(range.high - range.low + 1);
  const int bits = std::max(8, 2 + static_cast<int>(std::bit_width(width)));  // of a step
  int64_t shift = (2 * int64_t{value} + 1) * (int64_t{1} << (bits - 1)) -
                  (range.low + (range.high - range.low) / 2);
  return {words_of({int64_t{1} << (kFusedShift - bits), 0}), shift};
}

std::optional<RescaledChannel> fused(const LayerOutput& output, size_t channel,
                                     AccumulatorRange range, Steps steps) {
  if (steps.at.empty() && range.high - range.low < int64_t{1} << 18)
    return constant_fused(range, steps.first);
  // Beyond the steps the accumulator goes on, and so does the output where no clamp stops it.
  bool clamped_low = steps.first == output.low, clamped_high = steps.last == output.high;
  if (!clamped_low) steps.low = range.low;
  if (!clamped_high) steps.high = range.high;
  for (int i = 0; i < kTriedMultipliers; ++i) {
    int64_t multiplier = multiplier_near(output, channel, kFusedShift, i);
    if (multiplier <= 0 || multiplier > kWordReach) continue;
    AddendRange found = addends(
        steps, kFusedShift, [&](int64_t acc) { return acc * multiplier; }, clamped_low,
        clamped_high);
    if (found.least > found.most) continue;
    // What the accumulator can take of the addend goes there.
    int64_t shift = floor_div(found.middle(), multiplier);
    int64_t addend = found.middle() - shift * multiplier;
    bool fits = std::abs(shift) < kWordReach / 2;
    for (int64_t acc : {range.low + shift, range.high + shift})
      fits = fits && std::abs(acc) < kWordReach &&
             std::abs((acc * multiplier + addend) >> kFusedShift) < kWordReach;
    if (fits) return RescaledChannel{words_of({multiplier, addend}), shift};
  }
  return std::nullopt;
}

std::optional<RescaledChannel> high(const LayerOutput& output, size_t channel,
                                    AccumulatorRange range, const Steps& steps, bool away) {
  constexpr int64_t kReach = int64_t{1} << 28;
  // Never steps: a product of 0, beside which the correction of negative ones does not count.
  if (steps.at.empty()) return RescaledChannel{words_of({0, 8 * int64_t{steps.first} + 4, 3}), 0};
  int exponent = output.exponent[channel];
  bool tflite = output.rounding == NIBBLE_ROUNDING_TFLITE;
  if (range.low <= -kReach || range.high >= kReach || exponent > 0 || exponent < -22)
    return std::nullopt;
  // There is no second rounding then, and nothing to correct.
  if (tflite && exponent == 0 && away) return std::nullopt;
  // The high product has one fractional bit more than acc * multiplier / 2^31.
  int shift = 1 - exponent;
  int64_t addend = int64_t{output.zero} * (int64_t{1} << shift);
  if (tflite) addend += 1;
  if (!tflite || exponent < 0) addend += int64_t{1} << (shift - 1);
  return RescaledChannel{words_of({output.multiplier[channel], addend, shift}), 0};
}

// The steps around zero, where the products are smallest: the accumulator less `middle`, and
// clamped to [-reach, reach].
struct CentredSteps {
  Steps steps;
  int64_t middle = 0, reach = 0;
};

CentredSteps centred(Steps steps) {
  CentredSteps result;
  result.middle = steps.low + (steps.high - steps.low) / 2;
  steps.low -= result.middle, steps.high -= result.middle;
  for (int64_t& at : steps.at) at -= result.middle;
  result.reach = std::max(-steps.low, steps.high);
  // The clamp reaches a little further on one side, or so far.
  steps.low = -result.reach, steps.high = result.reach;
  result.steps = std::move(steps);
  return result;
}

std::optional<RescaledChannel> single(const LayerOutput& output, size_t channel, AccumulatorRange,
                                      const Steps& steps) {
  CentredSteps around = centred(steps);
  for (int i = 0; i < kTriedMultipliers; ++i) {
    int64_t multiplier = steps.at.empty() ? 0 : multiplier_near(output, channel, kSingleShift, i);
    if (multiplier < 0) continue;
    AddendRange found =
        addends(around.steps, kSingleShift, [&](int64_t acc) { return acc * multiplier; });
    if (found.least > found.most) continue;
    int64_t addend = found.middle();
    bool fits = multiplier <= kWordReach;
    for (int64_t acc : {-around.reach, around.reach})
      for (int64_t part : {acc * multiplier, acc * multiplier + addend, acc, addend})
        fits = fits && std::abs(part) <= kWordReach;
    if (fits) return RescaledChannel{words_of({around.reach, multiplier, addend}), -around.middle};
  }
  return std::nullopt;
}

struct DoubleScale {
  int64_t upper = 0, lower = 0, extra = 0;
  int split = 0;
  int64_t sum(int64_t acc) const {
    return acc * upper + ((acc * lower) >> split) + (acc < 0 ? extra : 0);
  }
};

bool double_fits(const Steps& steps, const DoubleScale& scale, int64_t addend) {
  for (int64_t acc : {steps.low, steps.high})
    for (int64_t part :
         {acc, acc * scale.upper, acc * scale.lower, scale.sum(acc), scale.sum(acc) + addend,
          acc * scale.upper + ((acc * scale.lower) >> scale.split) + addend, addend})
      if (std::abs(part) > kWordReach) return false;
  return true;
}

std::optional<RescaledChannel> doubled(const LayerOutput& output, size_t channel,
                                       const Steps& steps, const RescaleStage& stage) {
  CentredSteps around = centred(steps);
  if (stage.away) around = {steps, 0, 0};
  DoubleScale scale;
  scale.split = stage.split;
  int exponent = output.exponent[channel];
  if (output.away() && exponent < 0 && !steps.at.empty())
    scale.extra = -static_cast<int64_t>(std::llround(std::ldexp(1.0, kDoubleShift + exponent)));
  for (int i = 0; i < kTriedMultipliers; ++i) {
    int64_t multiplier = multiplier_near(output, channel, kDoubleShift + scale.split, i);
    if (steps.at.empty()) multiplier = 0;
    if (multiplier < 0 || multiplier >> 32 != 0) continue;
    scale.upper = multiplier >> scale.split;
    scale.lower = multiplier & ((int64_t{1} << scale.split) - 1);
    AddendRange found =
        addends(around.steps, kDoubleShift, [&](int64_t acc) { return scale.sum(acc); });
    if (found.least > found.most || !double_fits(around.steps, scale, found.middle())) continue;
    int64_t addend = found.middle();
    if (stage.away)
      return RescaledChannel{words_of({steps.low, steps.high, multiplier, addend, scale.extra}), 0};
    return RescaledChannel{words_of({around.reach, multiplier, addend}), -around.middle};
  }
  return std::nullopt;
}

std::optional<RescaledChannel> rescale_channel(const LayerOutput& output, size_t channel,
                                               AccumulatorRange range, const Steps& steps,
                                               const RescaleStage& stage) {
  switch (stage.form) {
    case RescaleForm::kFused:
      return fused(output, channel, range, steps);
    case RescaleForm::kHigh:
      return high(output, channel, range, steps, stage.away);
    case RescaleForm::kSingle:
      return single(output, channel, range, steps);
    case RescaleForm::kDouble:
      return doubled(output, channel, steps, stage);
  }
  return std::nullopt;
}

}  // namespace

LayerOutput LayerOutput::of(const LayerView& layer) {
  LayerOutput output;
  output.multiplier = layer.s32("multiplier");
  output.exponent = layer.s8("exponent");
  output.zero = layer.int_field("out_zero");
  output.low = layer.int_field("act_min");
  output.high = layer.int_field("act_max");
  output.rounding = layer.field("rounding");
  return output;
}

bool LayerOutput::away() const { return rounding == NIBBLE_ROUNDING_TFLITE && low < zero; }

ChannelRescale LayerOutput::channel(size_t i) const {
  return {multiplier[i], exponent[i], static_cast<int>(rounding), zero, low, high};
}

int RescaleStage::words() const {
  constexpr int kWords[] = {2, 3, 3, 3};
  return form == RescaleForm::kDouble && away ? 5 : kWords[static_cast<int>(form)];
}

std::string RescaleStage::name() const {
  std::string name(1, "fhst"[static_cast<int>(form)]);
  if (split != 0) name += std::to_string(split);
  if (away) name += "d";
  if (low != -128 || high != 127) name += "_" + number_in_name(low) + "_" + number_in_name(high);
  return name;
}

std::string RescaleStage::c_initializer() const {
  return fmt::format("{{{}, {:d}, {}, {}, {}, {}}}", static_cast<int>(form), away, low, high, split,
                     words());
}

namespace {

// `general`: as it serves any rounding and sign.
std::optional<RescaledLayer> rescale(const LayerOutput& output,
                                     std::span<const AccumulatorRange> ranges,
                                     std::span<const Steps> steps,
                                     std::span<const RescaleForm> forms, bool general) {
  for (RescaleForm form : forms) {
    RescaleStage stage;
    stage.form = form;
    if (form == RescaleForm::kFused || form == RescaleForm::kHigh)
      stage.low = output.low, stage.high = output.high;
    if (form == RescaleForm::kHigh || form == RescaleForm::kDouble)
      stage.away = general ? output.rounding == NIBBLE_ROUNDING_TFLITE : output.away();
    for (int split : form == RescaleForm::kDouble ? std::vector<int>{14, 13, 12, 11, 10, 8}
                                                  : std::vector<int>{0}) {
      stage.split = split;
      RescaledLayer layer{stage, {}};
      for (size_t i = 0; i < ranges.size(); ++i) {
        auto channel = rescale_channel(output, i, ranges[i], steps[i], stage);
        if (!channel) break;
        layer.channels.push_back(std::move(*channel));
      }
      if (layer.channels.size() == ranges.size()) return layer;
    }
  }
  return {};
}

}  // namespace

std::vector<RescaledLayer> rescale_layer_ways(const LayerOutput& output,
                                              std::span<const AccumulatorRange> ranges,
                                              std::span<const RescaleForm> forms) {
  std::vector<Steps> steps;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (std::max(std::abs(ranges[i].low), std::abs(ranges[i].high)) > kWordReach / 4) return {};
    if (output.exponent[i] > 0) return {};
    steps.push_back(steps_of(output.channel(i), ranges[i]));
  }
  std::vector<RescaledLayer> ways;
  std::optional<RescaledLayer> best = rescale(output, ranges, steps, forms, false);
  std::optional<RescaledLayer> general = rescale(output, ranges, steps, forms.last(1), true);
  if (general && (!best || best->stage.name() != general->stage.name()))
    ways.push_back(std::move(*general));
  if (best) ways.push_back(std::move(*best));
  return ways;
}

}  // namespace nibble
