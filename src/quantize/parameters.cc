// Formulas from ranges to scales and zero points.
#include "quantize/parameters.h"

#include <algorithm>
#include <cmath>

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

QuantParams activation_params(RealRange range, int bits) {
  QuantParams params;
  params.bits = bits;
  params.q_min = -(1 << (bits - 1));
  params.q_max = (1 << (bits - 1)) - 1;
  auto scale = static_cast<float>((range.max - range.min) / (params.q_max - params.q_min));
  // A denormal scale would make its reciprocal infinite.
  if (!(scale >= 1e-30f)) {
    params.scale = {1};
    params.zero_point = {0};
    return params;
  }
  double zero = params.q_min - range.min / scale;
  auto zero_point = static_cast<int32_t>(std::lround(zero));
  params.scale = {scale};
  params.zero_point = {std::clamp(zero_point, params.q_min, params.q_max)};
  return params;
}

QuantParams symmetric_activation_params(RealRange range, int bits) {
  QuantParams params;
  params.bits = bits;
  params.q_min = -(1 << (bits - 1));
  params.q_max = (1 << (bits - 1)) - 1;
  auto scale = static_cast<float>(std::max(range.max, -range.min) / params.q_max);
  params.scale = {scale >= 1e-30f ? scale : 1.0f};
  params.zero_point = {0};
  return params;
}

QuantParams weight_params(const Tensor& weight, int axis, int bits) {
  QuantParams params;
  params.axis = axis;
  const QuantIndex index(weight.shape(), params);
  std::vector<float> largest(static_cast<size_t>(index.channels()), 0);
  std::span<const float> values = weight.data<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    float& channel = largest[index.channel(static_cast<int64_t>(i))];
    channel = std::max(channel, std::abs(values[i]));
  }
  params.bits = bits;
  params.q_max = (1 << (bits - 1)) - 1;
  params.q_min = -params.q_max;
  float overall = *std::max_element(largest.begin(), largest.end());
  if (!(overall > 0)) overall = static_cast<float>(params.q_max);
  for (float channel : largest) {
    float scale = (channel > 0 ? channel : overall) / static_cast<float>(params.q_max);
    params.scale.push_back(std::max(scale, 1e-30f));
    params.zero_point.push_back(0);
  }
  return params;
}

void widen_for_bias(QuantParams& weight, const Tensor& bias, float in_scale, int64_t taps) {
  std::span<const float> values = bias.data<float>();
  double products = static_cast<double>(taps) * weight.q_max * 256.0;
  double room = std::max(0x1p31 - 1 - products, 0x1p24);
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
