#include "lower/rvv/output_stage.h"

namespace nibble {
uint32_t VectorOutput::shift(size_t channel) const {
  return multiplier_[channel] == 0 ? 1 : static_cast<uint32_t>(-exponent_[channel]);
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

}  // namespace nibble
