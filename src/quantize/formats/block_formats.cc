// Formats whose values share a power of two with their block: block floating point (as MSFP,
// Darvish Rouhani et al. 2020) and the OCP microscaling formats (MX specification 1.0, 2023).
#include <algorithm>
#include <cmath>

#include "quantize/formats/minifloat.h"
#include "quantize/formats/round.h"

namespace nibble {
namespace {

// Signed mantissas of `bits` bits; the exponent is that of the largest value, so that it needs no
// hidden bit: value = m * 2^(exponent - (bits - 2)), |m| <= 2^(bits-1) - 1.
void round_integers(std::span<float> values, double max_abs, int bits) {
  if (!(max_abs > 0)) return;
  const double step = std::ldexp(1.0, std::ilogb(max_abs) - (bits - 2));
  const double most = std::ldexp(1.0, bits - 1) - 1;
  for (float& value : values) {
    if (std::isnan(value)) continue;
    value = static_cast<float>(
        std::clamp(std::nearbyint(static_cast<double>(value) / step), -most, most) * step);
  }
}

// Specification, section 6.3: the shared scale is 2^(floor(log2 max_abs) - the exponent of the
// element type's largest value); its own exponent has 8 bits.
void round_mx(std::span<float> values, double max_abs, const Minifloat& element) {
  if (!(max_abs > 0)) return;
  const int scale = std::clamp(std::ilogb(max_abs) - std::ilogb(element.max_value), -127, 127);
  round_minifloats(values, -scale, element);
}

}  // namespace

void round_bfp8(std::span<float> values, double max_abs) { round_integers(values, max_abs, 8); }
void round_bfp4(std::span<float> values, double max_abs) { round_integers(values, max_abs, 4); }
// The element is an integer with an implied factor 2^-6: the same numbers as a mantissa of 8 bits.
void round_mxint8(std::span<float> values, double max_abs) { round_integers(values, max_abs, 8); }

void round_mxfp8_e4m3(std::span<float> values, double max_abs) {
  round_mx(values, max_abs, kFp8E4m3);
}
void round_mxfp8_e5m2(std::span<float> values, double max_abs) {
  round_mx(values, max_abs, kFp8E5m2);
}
void round_mxfp6_e2m3(std::span<float> values, double max_abs) {
  round_mx(values, max_abs, {3, 0, 7.5});
}
void round_mxfp6_e3m2(std::span<float> values, double max_abs) {
  round_mx(values, max_abs, {2, -2, 28});
}
void round_mxfp4(std::span<float> values, double max_abs) { round_mx(values, max_abs, {1, 0, 6}); }

}  // namespace nibble
