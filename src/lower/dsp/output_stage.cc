#include "lower/dsp/output_stage.h"

#include <algorithm>

#include "common/channel_pairs_s8.h"
#include "lower/packing.h"

namespace nibble {

std::optional<OutputStage> OutputStage::of(const LayerView& layer) {
  for (int32_t multiplier : layer.s32("multiplier"))
    if (multiplier == 0) return std::nullopt;
  return of(layer, layer.s8("exponent"));
}

std::optional<OutputStage> OutputStage::of(const LayerView& layer,
                                           std::span<const int8_t> exponent) {
  OutputStage stage;
  stage.multiplier_ = layer.s32("multiplier");
  stage.exponent_ = exponent;
  stage.zero_ = layer.int_field("out_zero");
  stage.low_ = layer.int_field("act_min");
  stage.high_ = layer.int_field("act_max");
  stage.rounding_ = layer.field("rounding");
  for (size_t i = 0; i < stage.exponent_.size(); ++i) {
    bool covered = stage.exponent_[i] <= -1 &&
                   (stage.multiplier_[i] == 0 || stage.multiplier_[i] >= (1 << 30));
    if (!covered) return std::nullopt;
  }
  auto equal = [](auto list) {
    return std::ranges::adjacent_find(list, std::not_equal_to<>()) == list.end();
  };
  stage.uniform_ = equal(stage.multiplier_) && equal(stage.exponent_);
  stage.away_from_zero_ = stage.rounding_ == NIBBLE_ROUNDING_TFLITE && stage.low_ < stage.zero_;
  return stage;
}

OutputStage OutputStage::general() const {
  OutputStage stage = *this;
  stage.away_from_zero_ = rounding_ == NIBBLE_ROUNDING_TFLITE;
  return stage;
}

std::optional<OutputStage> OutputStage::linear(std::span<const AccumulatorRange> ranges, int shift,
                                               std::span<const int> flags) const {
  OutputStage stage = linear_text(shift);
  AccumulatorRange whole = ranges[0];
  for (const AccumulatorRange& range : ranges) {
    whole.low = std::min(whole.low, range.low);
    whole.high = std::max(whole.high, range.high);
  }
  size_t count = uniform_ && flags.empty() ? 1 : ranges.size();
  for (size_t i = 0; i < count; ++i) {
    ChannelRescale rescale{multiplier_[i], exponent_[i], static_cast<int>(rounding_),
                           zero_,          low_,         high_};
    std::optional<LinearOutput> found = linear_output(rescale, count == 1 ? whole : ranges[i],
                                                      shift, flags.empty() ? -1 : flags[i]);
    if (!found) return std::nullopt;
    stage.linear_.push_back(*found);
  }
  return stage;
}

OutputStage OutputStage::linear_text(int shift) const {
  OutputStage stage = *this;
  stage.linear_shift_ = shift;
  return stage;
}

int32_t OutputStage::start(size_t channel) const {
  return is_linear() ? linear_[std::min(channel, linear_.size() - 1)].start : 0;
}

uint32_t OutputStage::doubled(size_t channel) const {
  if (is_linear())
    return static_cast<uint32_t>(linear_[std::min(channel, linear_.size() - 1)].scale);
  return static_cast<uint32_t>(multiplier_[channel]) * 2u;
}

uint32_t OutputStage::shift(size_t channel) const {
  if (is_linear())
    return static_cast<uint32_t>(linear_[std::min(channel, linear_.size() - 1)].addend);
  return static_cast<uint32_t>(-exponent_[channel] - 1);
}

std::string OutputStage::name(bool zero_in_register) const {
  std::string name = rounding_ == NIBBLE_ROUNDING_SINGLE ? "s" : away_from_zero_ ? "d" : "r";
  if (is_linear()) name = fmt::format("l{}", linear_shift_);
  if (!zero_in_register && !is_linear()) name += number_in_name(zero_);
  if (low_ != -128 || high_ != 127)
    name += "_" + number_in_name(low_) + "_" + number_in_name(high_);
  return name;
}

void OutputStage::instructions(Assembly& code, const std::string& acc, const std::string& doubled,
                               const std::string& shift, const std::string& addend) const {
  if (is_linear()) {
    code.op("smmlar {0}, {0}, {1}, {2}", acc, doubled, shift);
    code.op("ssat {0}, #8, {0}, asr #{1}", acc, linear_shift_);
    clamp(code, acc);
    return;
  }
  code.op("{} {acc}, {acc}, {}, {acc}", rounding_ == NIBBLE_ROUNDING_SINGLE ? "smmla" : "smmlar",
          doubled, fmt::arg("acc", acc));
  if (away_from_zero_) code.op("add {0}, {0}, {0}, asr #31", acc);
  code.op("asr {0}, {0}, {1}", acc, shift);
  if (!addend.empty())
    code.op("add {0}, {0}, {1}", acc, addend);
  else
    code.op("{1} {0}, {0}, #{2}", acc, this->addend() < 0 ? "sub" : "add",
            std::abs(this->addend()));
  code.op("ssat {0}, #8, {0}, asr #1", acc);
  clamp(code, acc);
}

void OutputStage::clamp(Assembly& code, const std::string& acc) const {
  if (low_ > -128) {
    code.op("cmp {}, #{}", acc, low_);
    code.op("it lt");
    code.op("movlt {}, #{}", acc, low_);
  }
  if (high_ < 127) {
    code.op("cmp {}, #{}", acc, high_);
    code.op("it gt");
    code.op("movgt {}, #{}", acc, high_);
  }
}

int OutputStage::count() const {
  Assembly code;
  instructions(code, "r0", "r1", "r2");
  return static_cast<int>(code.count());
}

std::string OutputStage::c_fields() const { return fmt::format("{}, {}", zero_, c_range()); }

std::string OutputStage::c_range() const {
  return fmt::format("{}, {}, {}", low_, high_,
                     is_linear() ? NIBBLE_PAIRS_LINEAR + linear_shift_ : rounding_);
}

}  // namespace nibble
