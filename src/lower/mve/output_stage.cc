#include "lower/mve/output_stage.h"

#include <algorithm>

#include "common/requant.h"

namespace nibble {
namespace {

std::string number(int value) {
  return value < 0 ? "m" + std::to_string(-value) : std::to_string(value);
}

// All eight 16-bit lanes := value, within s8.
void set_lanes(Assembly& code, const std::string& reg, int value) {
  if (value < 0)
    code.op("vmvn.i16 {}, #{}", reg, -value - 1);
  else
    code.op("vmov.i16 {}, #{}", reg, value);
}

}  // namespace

void HeliumOutput::read_range(const LayerView& layer) {
  zero_ = layer.int_field("out_zero");
  low_ = layer.int_field("act_min");
  high_ = layer.int_field("act_max");
  rounding_ = layer.field("rounding");
  form_ = rounding_ == NIBBLE_ROUNDING_SINGLE ? 's' : low_ >= zero_ ? 'r' : 'd';
}

std::optional<HeliumOutput> HeliumOutput::of(const LayerView& layer) {
  HeliumOutput stage;
  stage.read_range(layer);
  stage.multiplier_ = layer.s32("multiplier");
  stage.exponent_ = layer.s8("exponent");
  int highest = stage.form_ == 'r' ? 0 : -1;
  for (size_t i = 0; i < stage.exponent_.size(); ++i)
    if (stage.multiplier_[i] != 0 && stage.exponent_[i] > highest) return std::nullopt;
  return stage;
}

std::optional<HeliumOutput> HeliumOutput::of_factor(const LayerView& layer,
                                                    std::string_view multiplier,
                                                    std::string_view exponent) {
  HeliumOutput stage;
  stage.read_range(layer);
  if (layer.field(multiplier) != 0 && layer.field(exponent) > (stage.form_ == 'r' ? 0 : -1))
    return std::nullopt;
  return stage;
}

std::optional<HeliumOutput> HeliumOutput::of_sum(const LayerView& layer) {
  return of_factor(layer, "out_multiplier", "out_exponent");
}

std::optional<HeliumOutput> HeliumOutput::of_product(const LayerView& layer) {
  return of_factor(layer, "multiplier", "exponent");
}

HeliumOutput HeliumOutput::rescaling(bool single) {
  HeliumOutput stage;
  stage.form_ = single ? 's' : 'd';
  return stage;
}

uint32_t HeliumOutput::multiplier(size_t channel) const {
  return static_cast<uint32_t>(multiplier_[channel]);
}

uint32_t HeliumOutput::exponent(size_t channel) const {
  return static_cast<uint32_t>(multiplier_[channel] == 0 ? -1 : int32_t{exponent_[channel]});
}

bool HeliumOutput::uniform() const {
  auto equal = [](auto list) {
    return std::ranges::adjacent_find(list, std::not_equal_to<>()) == list.end();
  };
  return equal(multiplier_) && equal(exponent_);
}

std::string HeliumOutput::form_name() const {
  std::string name(1, form_);
  if (low_ != -128 || high_ != 127) name += "_" + number(low_) + "_" + number(high_);
  return name;
}

std::string HeliumOutput::name() const { return form_name() + "_" + number(zero_); }

std::string HeliumOutput::rescale(Assembly& code, const std::string& acc, const std::string& temp,
                                  const std::string& multiplier,
                                  const std::string& exponent) const {
  if (form_ == 'd' && multiplier[0] == 'r') {
    code.op("vshr.s32 {}, {}, #31", temp, acc);
    code.op("vqrdmlah.s32 {}, {}, {}", temp, acc, multiplier);
    code.op("vrshl.s32 {}, {}", temp, exponent);
    return temp;
  }
  if (form_ == 'd') code.op("vshr.s32 {}, {}, #31", temp, acc);
  code.op("{0} {1}, {1}, {2}", form_ == 's' ? "vqdmulh.s32" : "vqrdmulh.s32", acc, multiplier);
  if (form_ == 'd') code.op("vadd.i32 {0}, {0}, {1}", acc, temp);
  if (exponent[0] == 'r')
    code.op("vrshl.s32 {}, {}", acc, exponent);
  else
    code.op("vrshl.s32 {0}, {0}, {1}", acc, exponent);
  return acc;
}

void HeliumOutput::narrow(Assembly& code, const std::string& low, const std::string& high,
                          const std::string& temp, const std::string& zero) const {
  code.op("vqmovnb.s32 {0}, {0}", low);
  code.op("vqmovnt.s32 {}, {}", low, high);
  code.op("vqadd.s16 {0}, {0}, {1}", low, zero);
  if (low_ > -128) {
    set_lanes(code, temp, low_);
    code.op("vmax.s16 {0}, {0}, {1}", low, temp);
  }
  if (high_ < 127) {
    set_lanes(code, temp, high_);
    code.op("vmin.s16 {0}, {0}, {1}", low, temp);
  }
  if (low_ == -128 || high_ == 127) code.op("vqmovnb.s16 {0}, {0}", low);
}

std::string HeliumOutput::c_fields() const {
  return fmt::format("{}, {}, {}, {}", zero_, low_, high_, rounding_);
}

}  // namespace nibble
