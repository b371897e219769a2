// Quantizing floats: at which of them a quotient reaches the halves between integers, and how to do
// without the division.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

// Whether what is computed here stays among the normal floats.
bool moderate_scale(float scale);

// The least float x for which the float x / scale reaches `half`; both are positive, and neither x
// nor the quotient leaves the normal floats.
float first_with_quotient(float half, float scale);

// fma(x, high, x * low), with high + low = 1 / scale and 0 < low, to the nearest integer, ties away
// from zero, in the place of x / scale. That function never falls, nor does x / scale, and both are
// odd. So the integers are equal if both functions reach each half at the same float: those in
// reach of the clamps are looked at. Infinity stays infinity because low > 0.
struct ScaleInverse {
  float high = 0, low = 0;
};
// Nothing if the two differ somewhere.
std::optional<ScaleInverse> inverse_of(float scale);

// A layer of quantize_f32_s8 by such an inverse. The body's arguments: src, dst, then int32_t
// inverse_high, inverse_low (the bits of the floats), zero, scale, len.
struct InverseCore {
  std::string isa, condition;
  Assembly (*body)(int low, int high) = nullptr;
  int vector = 1;  // elements that are read before the first of them is written
  double cycles_per_elem = 0;
};
std::vector<KernelVariant> quantize_by_inverse(const LayerView& layer, const InverseCore& core);

}  // namespace nibble
