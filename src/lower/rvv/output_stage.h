// From accumulators to s8 on cores with RISC-V vectors: which of the exact short forms a layer may
// use, and their instructions.
//
// With m the multiplier, s = -exponent and acc the accumulator:
//   D, tflite:  h = round(acc * m / 2^31) (VSMUL, rounding up); h -= 1 where acc < 0; out = (h +
//     2^(s-1)) >> s (VSSRA, rounding up). The doubling high multiply rounds ties away from zero
//     where the product is positive and towards zero where it is negative, both of which are up.
//     Where h is negative, h - 1 turns "ties up" into "ties away from zero", and nothing else for
//     s >= 1. acc < 0 with h = 0 gives (2^(s-1) - 1) >> s = 0 too.
//   R, tflite where negative results are clamped away: without the correction, for s >= 0.
//   S, single:  h = floor(acc * m / 2^31) (VSMUL, rounding down), out = (h + 2^(s-1)) >> s, s >= 1.
// Then out is narrowed to 16 bits, the zero point added, both saturating, and narrowed to 8.
#pragma once

#include <string>
#include <vector>

#include "lower/assembly.h"
#include "lower/short_output.h"

namespace nibble {

class VectorOutput : public ShortOutputOf<VectorOutput> {
 public:
  uint32_t shift(size_t channel) const;

  // What must stand before rescale() and after other uses of VXRM.
  void begin(Assembly& code) const { code.op("csrwi vxrm, 0"); }
  // The lists in `acc` (groups of eight registers that share multiplier and shift) are rescaled;
  // 32-bit elements are set. `temp` is free. `multiplier` is a vector, or a general register;
  // `load_shift` brings the shift to where the string that it returns says.
  template <class LoadShift>
  void rescale(Assembly& code, const std::vector<std::string>& acc, const std::string& temp,
               const std::string& multiplier, LoadShift load_shift) const {
    scale(code, acc, temp, multiplier);
    std::string shift = load_shift();
    for (const std::string& v : acc)
      code.op("vssra.{0} {1}, {1}, {2}", shift[0] == 'v' ? "vv" : "vx", v, shift);
  }
  // 16-bit elements are set; `v` holds results of rescale(), narrowed. Adds the zero point and
  // clamps where narrowing to 8 bits does not. `scratch` is a general register.
  void add_zero(Assembly& code, const std::string& v, const std::string& scratch) const;

 private:
  void scale(Assembly& code, const std::vector<std::string>& acc, const std::string& temp,
             const std::string& multiplier) const;
};

}  // namespace nibble
