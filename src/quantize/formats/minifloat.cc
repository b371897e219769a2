// Floats of 16 and 8 bits: IEEE 754-2019 half precision, bfloat16, and the two of the OCP 8-bit
// floating point specification (revision 1.0, 2023), saturating.
#include "quantize/formats/minifloat.h"

#include <cmath>

#include "quantize/formats/number_format.h"
#include "quantize/formats/round.h"

namespace nibble {
namespace {

// Powers of two that put the largest magnitude into the format's last binade.
void round_scaled(std::span<float> values, double max_abs, const Minifloat& format) {
  if (!(max_abs > 0)) return;
  const int shift = std::ilogb(format.max_value) - std::ilogb(max_abs);
  // The mantissa of the largest value may be beyond the format's last one.
  const bool fits = std::ldexp(max_abs, shift) <= format.max_value;
  round_minifloats(values, fits ? shift : shift - 1, format);
}

}  // namespace

double round_minifloat(double value, const Minifloat& format) {
  if (std::isnan(value) || value == 0) return value;
  const double magnitude = std::abs(value);
  if (magnitude >= format.max_value) return std::copysign(format.max_value, value);
  const int exponent = std::max(std::ilogb(magnitude), format.min_exponent);
  const double step = std::ldexp(1.0, exponent - format.mantissa_bits);
  // Exact: a division by a power of two; nearbyint rounds ties to even.
  return std::copysign(std::fmin(std::nearbyint(magnitude / step) * step, format.max_value), value);
}

void round_minifloats(std::span<float> values, int shift, const Minifloat& format) {
  for (float& value : values)
    value = static_cast<float>(
        std::ldexp(round_minifloat(std::ldexp(static_cast<double>(value), shift), format), -shift));
}

void round_fp16(std::span<float> values, double) { round_minifloats(values, 0, {10, -14, 65504}); }

void round_bf16(std::span<float> values, double) {
  round_minifloats(values, 0, {7, -126, std::ldexp(255.0 / 128, 127)});
}

void round_fp8_e4m3(std::span<float> values, double) { round_minifloats(values, 0, kFp8E4m3); }

void round_fp8_e5m2(std::span<float> values, double) { round_minifloats(values, 0, kFp8E5m2); }

void round_fp8_e4m3_scaled(std::span<float> values, double max_abs) {
  round_scaled(values, max_abs, kFp8E4m3);
}

void round_fp8_e5m2_scaled(std::span<float> values, double max_abs) {
  round_scaled(values, max_abs, kFp8E5m2);
}

}  // namespace nibble
