#include "lower/dsp/output_s16.h"

#include <algorithm>
#include <cstdlib>

#include "common/requant.h"
#include "lower/packing.h"

namespace nibble {

bool accumulators_fit_s16(std::span<const int8_t> filter, std::span<const int64_t> bias, int out_c,
                          const std::function<int(size_t)>& channel_of) {
  std::vector<int64_t> bounds(static_cast<size_t>(out_c), 0);
  for (size_t i = 0; i < filter.size(); ++i)
    bounds[static_cast<size_t>(channel_of(i))] += std::abs(int64_t{filter[i]});
  for (size_t i = 0; i < bounds.size(); ++i) {
    int64_t start = bias.empty() ? 0 : bias[i];
    if (std::abs(start) > INT32_MAX || bounds[i] * 32768 + std::abs(start) > INT32_MAX)
      return false;
  }
  return true;
}

std::optional<OutputStage16> OutputStage16::of(const LayerView& layer, int out_c,
                                               const std::function<int(size_t)>& channel_of) {
  OutputStage16 stage;
  stage.multiplier_ = layer.s32("multiplier");
  stage.exponent_ = layer.s8("exponent");
  stage.bias_ = layer.s64("bias");
  stage.low_ = layer.int_field("act_min");
  stage.high_ = layer.int_field("act_max");
  stage.rounding_ = layer.field("rounding");
  for (size_t i = 0; i < stage.exponent_.size(); ++i) {
    int exponent = stage.exponent_[i];
    bool covered = stage.reduced()
                       ? (exponent <= -1 && exponent >= -17) || stage.multiplier_[i] == 0
                       : exponent <= -1 && stage.multiplier_[i] >= (1 << 30);
    if (!covered) return std::nullopt;
  }
  if (!accumulators_fit_s16(layer.s8("filter"), stage.bias_, out_c, channel_of))
    return std::nullopt;
  return stage;
}

bool OutputStage16::reduced() const { return rounding_ == NIBBLE_ROUNDING_REDUCED; }

uint32_t OutputStage16::doubled(size_t channel) const {
  auto multiplier = static_cast<uint32_t>(multiplier_[channel]);
  if (!reduced()) return 2 * multiplier;
  return multiplier == 0 ? 0 : multiplier << (17 + exponent_[channel]);
}

uint32_t OutputStage16::shift(size_t channel) const {
  return reduced() ? 0 : static_cast<uint32_t>(-exponent_[channel] - 1);
}

int32_t OutputStage16::bias(size_t channel) const {
  return bias_.empty() ? 0 : static_cast<int32_t>(bias_[channel]);
}

std::string OutputStage16::name() const {
  std::string name = reduced() ? "n" : rounding_ == NIBBLE_ROUNDING_SINGLE ? "s" : "d";
  if (low_ != -32768) name += "_" + number_in_name(low_);
  if (high_ != 32767) name += "_to_" + number_in_name(high_);
  return name;
}

void OutputStage16::instructions(Assembly& code, const std::string& acc, const std::string& doubled,
                                 const std::string& shift, const std::string& temp) const {
  bool relu = low_ == 0 && high_ > 0;
  const char* saturate = relu ? "usat" : "ssat";
  int bits = relu ? 15 : 16;
  if (reduced()) {
    code.op("smmulr {0}, {0}, {1}", acc, doubled);
    code.op("{0} {1}, #{2}, {1}", saturate, acc, bits);
  } else {
    bool single = rounding_ == NIBBLE_ROUNDING_SINGLE;
    code.op("{0} {1}, {1}, {2}, {1}", single ? "smmla" : "smmlar", acc, doubled);
    if (!single) code.op("add {0}, {0}, {0}, asr #31", acc);
    code.op("asr {0}, {0}, {1}", acc, shift);
    code.op("add {0}, {0}, #1", acc);
    code.op("{0} {1}, #{2}, {1}, asr #1", saturate, acc, bits);
  }
  // Immediates of 16 bits do not fit comparisons.
  auto limit = [&](int value, const char* when) {
    code.op("movw {}, #{}", temp, value & 0xffff);
    if (value < 0) code.op("movt {}, #0xffff", temp);
    code.op("cmp {}, {}", acc, temp);
    code.op("it {}", when);
    code.op("mov{} {}, {}", when, acc, temp);
  };
  if (low_ != -32768 && !relu) limit(low_, "lt");
  if (high_ != 32767) limit(high_, "gt");
}

std::string OutputStage16::c_fields() const {
  return fmt::format("{}, {}, {}", low_, high_, rounding_);
}

}  // namespace nibble
