// Sixteen-bit floats as they stand in model and data files, widened to f32. Inside formats/ only.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace nibble {

// IEEE 754 binary16: exact.
inline float half_to_float(uint16_t half) {
  uint32_t sign = uint32_t{half & 0x8000U} << 16;
  uint32_t exponent = (half >> 10) & 31U, mantissa = half & 0x3ffU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  if (exponent == 0) {
    float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// bfloat16: the upper half of an f32.
inline float bfloat_to_float(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace nibble
