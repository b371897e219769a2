// At which floats a quotient reaches the halves between integers.
#pragma once

#include <cfloat>
#include <cmath>

namespace nibble {

// The least float x for which the float x / scale reaches `half`; both are positive, and neither x
// nor the quotient leaves the normal floats.
inline float first_with_quotient(float half, float scale) {
  float x = half * scale;
  while (x / scale >= half) x = std::nextafter(x, 0.0f);
  while (x / scale < half) x = std::nextafter(x, FLT_MAX);
  return x;
}

}  // namespace nibble
