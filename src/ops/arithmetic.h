// Quantization arithmetic shared by the operators: real factors as fixed point, real bounds as
// integers. Exactly what TensorFlow Lite computes when it prepares a model, because imported models
// must reproduce it bit for bit. Inside ops/ only; what other folders need stands in ops.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "common/requant.h"
#include "graph/graph.h"

namespace nibble {

// The factor multiplier * 2^(exponent - 31).
struct Requant {
  int32_t multiplier = 0;
  int8_t exponent = 0;
  bool operator==(const Requant&) const = default;
};

// factor >= 0, < 2^30. Rounds the mantissa half away from zero; factors under 2^-32 become 0.
Requant make_requant(double factor);

// Nearest integer to real / scale (float division, half away from zero) + zero_point, not clamped
// to a type.
int32_t quantize_unclamped(float real, float scale, int32_t zero_point);

// The integer clamp of a fused activation on an output of this type: [q_min, q_max] of the type
// narrowed by the quantized bounds.
struct ClampRange {
  int32_t min = 0, max = 0;
};
ClampRange activation_range(const Bounds& act, const TensorType& out);

// An accumulator as an output element: rescaled, zero point added, clamped to [range.min,
// range.max].
inline int32_t rescale(int32_t acc, Requant requant, Rounding rounding, int32_t zero_point,
                       ClampRange range) {
  int32_t rescaled = nibble_requant(
      acc, requant.multiplier, requant.exponent,
      rounding == Rounding::kSingle ? NIBBLE_ROUNDING_SINGLE : NIBBLE_ROUNDING_TFLITE);
  return nibble_clamp(rescaled + zero_point, range.min, range.max);
}
// The same for a range within s8.
inline int8_t rescale_s8(int32_t acc, Requant requant, Rounding rounding, int32_t zero_point,
                         ClampRange range) {
  return static_cast<int8_t>(rescale(acc, requant, rounding, zero_point, range));
}

// The single scale and zero point of a per-tensor type (checked).
float tensor_scale(const TensorType& type);
int32_t tensor_zero_point(const TensorType& type);

}  // namespace nibble
