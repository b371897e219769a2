// From accumulators to s8 on cores with Helium: which of the exact short forms a layer may use, and
// their instructions.
//
// With m the multiplier, s = -exponent and acc the accumulator, four lanes at once:
//   D, tflite:  h = round(acc * m / 2^31) (VQRDMULH); h -= 1 where acc < 0; out = (h + 2^(s-1)) >>
//   s
//     (VRSHL). Where h is negative, h - 1 turns "ties up" into "ties away from zero", and nothing
//     else for s >= 1. acc < 0 with h = 0 gives (2^(s-1) - 1) >> s = 0 too.
//   R, tflite where negative results are clamped away: without the correction, for s >= 0.
//   S, single:  h = floor(acc * m / 2^31) (VQDMULH), out = (h + 2^(s-1)) >> s, for s >= 1.
// Then out is narrowed to 16 bits, the zero point added, both saturating, and narrowed to 8.
#pragma once

#include <string>
#include <string_view>

#include "lower/assembly.h"
#include "lower/short_output.h"

namespace nibble {

class HeliumOutput : public ShortOutputOf<HeliumOutput> {
 public:
  // As the stream holds it, per channel.
  uint32_t exponent(size_t channel) const;
  // Rescales the accumulators in `acc`; the result is in the register that is returned, `acc` or
  // `temp`. Multiplier and exponent are general registers, or vectors.
  std::string rescale(Assembly& code, const std::string& acc, const std::string& temp,
                      const std::string& multiplier, const std::string& exponent) const;
  // The results of two rescalings → outputs in the low bytes of eight 16-bit lanes of `low`: those
  // of `low` in the even lanes, those of `high` in the odd ones. `zero` is a general register that
  // holds the output's zero point.
  void narrow(Assembly& code, const std::string& low, const std::string& high,
              const std::string& temp, const std::string& zero) const;
};

}  // namespace nibble
