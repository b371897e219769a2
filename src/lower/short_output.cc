#include "lower/short_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/requant.h"
#include "lower/packing.h"

namespace nibble {
void ShortOutput::read_range(const LayerView& layer) {
  zero_ = layer.int_field("out_zero");
  low_ = layer.int_field("act_min");
  high_ = layer.int_field("act_max");
  rounding_ = layer.field("rounding");
  form_ = rounding_ == NIBBLE_ROUNDING_SINGLE ? 's' : low_ >= zero_ ? 'r' : 'd';
}

bool ShortOutput::read_channels(const LayerView& layer) {
  read_range(layer);
  multiplier_ = layer.s32("multiplier");
  exponent_ = layer.s8("exponent");
  for (size_t i = 0; i < exponent_.size(); ++i)
    if (multiplier_[i] != 0 && exponent_[i] > highest_exponent()) return false;
  return true;
}

bool ShortOutput::read_fields(const LayerView& layer, std::string_view multiplier,
                              std::string_view exponent) {
  read_range(layer);
  return layer.field(multiplier) == 0 || layer.field(exponent) <= highest_exponent();
}

uint32_t ShortOutput::multiplier(size_t channel) const {
  return static_cast<uint32_t>(multiplier_[channel]);
}

bool ShortOutput::uniform() const {
  auto equal = [](auto list) {
    return std::ranges::adjacent_find(list, std::not_equal_to<>()) == list.end();
  };
  return equal(multiplier_) && equal(exponent_);
}

std::string ShortOutput::form_name() const {
  std::string name(1, form_);
  if (low_ != -128 || high_ != 127)
    name += "_" + number_in_name(low_) + "_" + number_in_name(high_);
  return name;
}

std::string ShortOutput::name() const { return form_name() + "_" + number_in_name(zero_); }

std::string ShortOutput::c_fields() const {
  return fmt::format("{}, {}, {}, {}", zero_, low_, high_, rounding_);
}

}  // namespace nibble
