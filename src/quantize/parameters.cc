// Formulas from ranges to scales and zero points.
#include "quantize/parameters.h"

#include <algorithm>
#include <cmath>

#include "quantize/weight_grid.h"

namespace nibble {
namespace {

Tensor bias_of_type(const Tensor& bias, float in_scale, const QuantParams& weight, DType dtype,
                    double limit) {
  std::span<const float> values = bias.data<float>();
  QuantParams params;
  params.bits = 32;
  params.q_min = INT32_MIN;
  params.q_max = INT32_MAX;
  params.axis = weight.per_tensor() ? -1 : 0;
  for (float scale : weight.scale) {
    params.scale.push_back(in_scale * scale);
    params.zero_point.push_back(0);
  }
  Tensor result(TensorType{bias.shape(), dtype, params});
  for (size_t o = 0; o < values.size(); ++o) {
    double scale = static_cast<double>(in_scale) *
                   static_cast<double>(weight.scale[weight.per_tensor() ? 0 : o]);
    double value = std::round(static_cast<double>(values[o]) / scale);
    result.set_integer_at(static_cast<int64_t>(o),
                          static_cast<int64_t>(std::clamp(value, -limit, limit - 1)));
  }
  return result;
}

}  // namespace

double allowed_scale(double scale, Scales scales) {
  if (scales == Scales::kReal) return scale;
  int exponent = 0;
  const double mantissa = std::frexp(scale, &exponent);  // in [0.5, 1)
  if (scales == Scales::kPowerOfTwo)
    return std::ldexp(1.0, mantissa == 0.5 ? exponent - 1 : exponent);
  return std::ldexp(std::ceil(std::ldexp(mantissa, 8)), exponent - 8);
}

RealRange range_of(const Tensor& real) {
  auto values = real.data<float>();
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {std::min(0.0, static_cast<double>(*low)), std::max(0.0, static_cast<double>(*high))};
}

DType activation_dtype(const ActivationSettings& settings) {
  return settings.bits <= 8 ? DType::kS8 : DType::kS16;
}

QuantParams activation_params(RealRange range, const ActivationSettings& settings) {
  QuantParams params = whole_range(settings.bits);
  const Grid grid = settings.bits <= 8 ? settings.grid : Grid::kSymmetric;
  const double steps = params.q_max - params.q_min;
  double scale = std::max(range.max, -range.min) / params.q_max;
  if (grid == Grid::kAsymmetric) scale = (range.max - range.min) / steps;
  if (grid == Grid::kUnsigned) scale = range.max / steps;
  const auto allowed = static_cast<float>(allowed_scale(scale, settings.scales));
  params.zero_point = {grid == Grid::kUnsigned ? params.q_min : 0};
  params.scale = {allowed};
  // A denormal scale would make its reciprocal infinite.
  if (!(allowed >= kLeastScale)) {
    params.scale = {1};
    return params;
  }
  if (grid == Grid::kAsymmetric)
    params.zero_point = {
        std::clamp(static_cast<int32_t>(std::lround(params.q_min - range.min / allowed)),
                   params.q_min, params.q_max)};
  return params;
}

double bias_room(const QuantParams& weight, int64_t taps) {
  double largest = weight.q_max;
  for (int32_t zero_point : weight.zero_point)
    largest = std::max({largest, static_cast<double>(weight.q_max) - zero_point,
                        static_cast<double>(zero_point) - weight.q_min});
  if (weight.group > 0)
    largest *= *std::max_element(weight.group_factor.begin(), weight.group_factor.end());
  // What the rescaling adds before it shifts stays within 2^17.
  return std::max(0x1p31 - 0x1p17 - static_cast<double>(taps) * largest * 256, 0x1p24);
}

void widen_for_bias(QuantParams& weight, const Tensor& bias, float in_scale, int64_t taps) {
  std::span<const float> values = bias.data<float>();
  const double room = bias_room(weight, taps);
  for (size_t o = 0; o < values.size(); ++o) {
    float& scale = weight.scale[weight.per_tensor() ? 0 : o];
    double needed = std::abs(static_cast<double>(values[o])) / (in_scale * room);
    if (needed > scale) scale = std::nextafter(static_cast<float>(needed), INFINITY);
  }
}

Tensor quantize_bias(const Tensor& bias, float in_scale, const QuantParams& weight) {
  return bias_of_type(bias, in_scale, weight, DType::kS32, 0x1p31);
}

Tensor quantize_wide_bias(const Tensor& bias, float in_scale, const QuantParams& weight) {
  return bias_of_type(bias, in_scale, weight, DType::kS64, 0x1p46);
}

}  // namespace nibble
