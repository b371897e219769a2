// Formats with one parameter that is fitted to the tensor: AdaptivFloat's exponent bias (Tambe et
// al. 2020) and the binary point of fixed-point numbers Qm.n.
#include <algorithm>
#include <cmath>

#include "quantize/formats/minifloat.h"
#include "quantize/formats/round.h"

namespace nibble {
namespace {

// Algorithm 1 of the paper: no subnormals; the smallest of the values that the encoding would have,
// 2^min_exponent, stands for zero, and what lies below half of the next value rounds to it.
void round_adaptive(std::span<float> values, double max_abs, int bits, int exponent_bits) {
  if (!(max_abs > 0)) return;
  const int mantissa_bits = bits - 1 - exponent_bits;
  const int max_exponent = std::ilogb(max_abs);
  const int min_exponent = max_exponent - ((1 << exponent_bits) - 1);
  const double most = std::ldexp(2 - std::ldexp(1.0, -mantissa_bits), max_exponent);
  const double least = std::ldexp(1 + std::ldexp(1.0, -mantissa_bits), min_exponent);
  for (float& value : values) {
    if (std::isnan(value)) continue;
    const double magnitude = std::abs(static_cast<double>(value));
    double rounded = 0;
    if (magnitude >= least)
      rounded = round_minifloat(magnitude, {mantissa_bits, min_exponent, most});
    else if (magnitude >= least / 2)
      rounded = least;
    value = static_cast<float>(std::copysign(rounded, static_cast<double>(value)));
  }
}

// Two's complement of `bits` bits times 2^-n, n as large as max_abs allows.
void round_fixed_point(std::span<float> values, double max_abs, int bits) {
  if (!(max_abs > 0)) return;
  const double most = std::ldexp(1.0, bits - 1) - 1;
  double step = std::ldexp(1.0, std::ilogb(max_abs) - (bits - 2));
  if (max_abs > most * step) step *= 2;
  for (float& value : values) {
    if (std::isnan(value)) continue;
    value = static_cast<float>(
        std::clamp(std::nearbyint(static_cast<double>(value) / step), -most - 1, most) * step);
  }
}

}  // namespace

void round_adaptivfloat8(std::span<float> values, double max_abs) {
  round_adaptive(values, max_abs, 8, 3);
}
void round_adaptivfloat4(std::span<float> values, double max_abs) {
  round_adaptive(values, max_abs, 4, 2);
}
void round_q8(std::span<float> values, double max_abs) { round_fixed_point(values, max_abs, 8); }
void round_q16(std::span<float> values, double max_abs) { round_fixed_point(values, max_abs, 16); }

}  // namespace nibble
