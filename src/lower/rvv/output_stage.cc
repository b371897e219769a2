#include "lower/rvv/output_stage.h"

#include <algorithm>

#include "common/requant.h"

namespace nibble {
namespace {

std::string number(int value) {
  return value < 0 ? "m" + std::to_string(-value) : std::to_string(value);
}

}  // namespace

void VectorOutput::read_range(const LayerView& layer) {
  zero_ = layer.int_field("out_zero");
  low_ = layer.int_field("act_min");
  high_ = layer.int_field("act_max");
  rounding_ = layer.field("rounding");
  form_ = rounding_ == NIBBLE_ROUNDING_SINGLE ? 's' : low_ >= zero_ ? 'r' : 'd';
}

std::optional<VectorOutput> VectorOutput::of(const LayerView& layer) {
  VectorOutput stage;
  stage.read_range(layer);
  stage.multiplier_ = layer.s32("multiplier");
  stage.exponent_ = layer.s8("exponent");
  int highest = stage.form_ == 'r' ? 0 : -1;
  for (size_t i = 0; i < stage.exponent_.size(); ++i)
    if (stage.multiplier_[i] != 0 && stage.exponent_[i] > highest) return std::nullopt;
  return stage;
}

std::optional<VectorOutput> VectorOutput::of_factor(const LayerView& layer,
                                                    std::string_view multiplier,
                                                    std::string_view exponent) {
  VectorOutput stage;
  stage.read_range(layer);
  if (layer.field(multiplier) != 0 && layer.field(exponent) > (stage.form_ == 'r' ? 0 : -1))
    return std::nullopt;
  return stage;
}

std::optional<VectorOutput> VectorOutput::of_sum(const LayerView& layer) {
  return of_factor(layer, "out_multiplier", "out_exponent");
}

std::optional<VectorOutput> VectorOutput::of_product(const LayerView& layer) {
  return of_factor(layer, "multiplier", "exponent");
}

VectorOutput VectorOutput::rescaling(bool single) {
  VectorOutput stage;
  stage.form_ = single ? 's' : 'd';
  return stage;
}

uint32_t VectorOutput::multiplier(size_t channel) const {
  return static_cast<uint32_t>(multiplier_[channel]);
}

uint32_t VectorOutput::shift(size_t channel) const {
  return multiplier_[channel] == 0 ? 1 : static_cast<uint32_t>(-exponent_[channel]);
}

bool VectorOutput::uniform() const {
  auto equal = [](auto list) {
    return std::ranges::adjacent_find(list, std::not_equal_to<>()) == list.end();
  };
  return equal(multiplier_) && equal(exponent_);
}

std::string VectorOutput::name() const {
  std::string name(1, form_);
  if (low_ != -128 || high_ != 127) name += "_" + number(low_) + "_" + number(high_);
  return name + "_" + number(zero_);
}

void VectorOutput::scale(Assembly& code, const std::vector<std::string>& acc,
                         const std::string& temp, const std::string& multiplier) const {
  const char* kind = multiplier[0] == 'v' ? "vv" : "vx";
  if (form_ == 's') code.op("csrwi vxrm, 2");
  for (const std::string& v : acc) {
    if (form_ == 'd') code.op("vsra.vi {}, {}, 31", temp, v);
    code.op("vsmul.{0} {1}, {1}, {2}", kind, v, multiplier);
    if (form_ == 'd') code.op("vadd.vv {0}, {0}, {1}", v, temp);
  }
  if (form_ == 's') code.op("csrwi vxrm, 0");
}

void VectorOutput::add_zero(Assembly& code, const std::string& v,
                            const std::string& scratch) const {
  auto with = [&](const char* what, int value) {
    code.op("li {}, {}", scratch, value);
    code.op("{0}.vx {1}, {1}, {2}", what, v, scratch);
  };
  if (zero_ != 0) with("vsadd", zero_);
  if (low_ > -128) with("vmax", low_);
  if (high_ < 127) with("vmin", high_);
}

std::string VectorOutput::c_fields() const {
  return fmt::format("{}, {}, {}, {}", zero_, low_, high_, rounding_);
}

}  // namespace nibble
