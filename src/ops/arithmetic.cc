// Fixed-point preparation of real factors and bounds; the formulas of TensorFlow Lite's
// quantization_util.
#include "ops/arithmetic.h"

#include <algorithm>

namespace nibble {

Requant make_requant(double factor) {
  NIBBLE_CHECK(factor >= 0 && std::isfinite(factor), "factor {}", factor);
  if (factor == 0) return {};
  int exponent = 0;
  double mantissa = std::frexp(factor, &exponent);
  auto fixed = static_cast<int64_t>(std::round(mantissa * 0x1p31));
  NIBBLE_CHECK(fixed <= int64_t{1} << 31);
  if (fixed == int64_t{1} << 31) {
    fixed /= 2;
    ++exponent;
  }
  if (exponent < -31) return {};
  NIBBLE_CHECK(exponent <= 30, "factor {}", factor);
  return {static_cast<int32_t>(fixed), static_cast<int8_t>(exponent)};
}

int32_t quantize_unclamped(float real, float scale, int32_t zero_point) {
  // Far outside every type the exact value does not matter, only that it does not overflow.
  float ratio = std::clamp(std::round(real / scale), -1e9f, 1e9f);
  return zero_point + static_cast<int32_t>(ratio);
}

ClampRange activation_range(const Bounds& act, const TensorType& out) {
  NIBBLE_CHECK(out.quant && out.quant->per_tensor());
  ClampRange range{out.quant->q_min, out.quant->q_max};
  float scale = tensor_scale(out);
  int32_t zero_point = tensor_zero_point(out);
  if (std::isfinite(act.min))
    range.min = std::max(range.min, quantize_unclamped(act.min, scale, zero_point));
  if (std::isfinite(act.max))
    range.max = std::min(range.max, quantize_unclamped(act.max, scale, zero_point));
  // Bounds that lie outside what the type can hold must not widen it.
  range.min = std::min(range.min, out.quant->q_max);
  range.max = std::max(range.max, out.quant->q_min);
  return range;
}

float tensor_scale(const TensorType& type) {
  NIBBLE_CHECK(type.quant && type.quant->per_tensor() && type.quant->scale.size() == 1);
  return type.quant->scale[0];
}

int32_t tensor_zero_point(const TensorType& type) {
  NIBBLE_CHECK(type.quant && type.quant->per_tensor() && type.quant->zero_point.size() == 1);
  return type.quant->zero_point[0];
}

}  // namespace nibble
