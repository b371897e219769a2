#include "lower/mve/output_stage.h"

namespace nibble {
namespace {

// All eight 16-bit lanes := value, within s8.
void set_lanes(Assembly& code, const std::string& reg, int value) {
  if (value < 0)
    code.op("vmvn.i16 {}, #{}", reg, -value - 1);
  else
    code.op("vmov.i16 {}, #{}", reg, value);
}

}  // namespace

uint32_t HeliumOutput::exponent(size_t channel) const {
  return static_cast<uint32_t>(multiplier_[channel] == 0 ? -1 : int32_t{exponent_[channel]});
}

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

}  // namespace nibble
