// Real ↔ integer elements: the arithmetic of quantize and dequantize, for whole tensors of any
// integer type.
#include <algorithm>

#include "ops/arithmetic.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// Weights may carry one zero point for all channels.
int32_t zero_point_at(const QuantParams& quant, size_t channel) {
  return quant.zero_point.size() == 1 ? quant.zero_point[0] : quant.zero_point.at(channel);
}

// The factor of the group that the element belongs to.
int32_t group_factor(const QuantParams& quant, const QuantIndex& index, int64_t elem) {
  return quant.group > 0 ? quant.group_factor[index.run(elem)] : 1;
}

// One scale for all, every integer allowed: activations.
bool is_simple(const TensorType& type) {
  const QuantParams& quant = *type.quant;
  return quant.per_tensor() && quant.scale.size() == 1 && quant.zero_point.size() == 1 &&
         quant.codebook.empty() && quant.group == 0 &&
         (type.dtype == DType::kS8 || type.dtype == DType::kS16);
}

// quantize_unclamped for all elements, in a form that compilers vectorise: a float and a half, in
// double, are summed exactly, so that cutting the fraction off rounds half away from zero.
template <class T>
void quantize_simple(std::span<const float> src, const QuantParams& quant, std::span<T> dst) {
  const float scale = quant.scale[0];
  const int32_t zero_point = quant.zero_point[0], q_min = quant.q_min, q_max = quant.q_max;
  for (size_t i = 0; i < src.size(); ++i) {
    float ratio = src[i] / scale;
    ratio = ratio == ratio ? ratio : 0.0f;
    ratio = std::min(std::max(ratio, -1e9f), 1e9f);
    const auto wide = static_cast<double>(ratio);
    const int32_t q = static_cast<int32_t>(wide + (wide < 0 ? -0.5 : 0.5)) + zero_point;
    dst[i] = static_cast<T>(std::min(std::max(q, q_min), q_max));
  }
}

template <class T>
void dequantize_simple(std::span<const T> src, const QuantParams& quant, std::span<float> dst) {
  const auto scale = static_cast<double>(quant.scale[0]);
  const int32_t zero_point = quant.zero_point[0];
  for (size_t i = 0; i < src.size(); ++i)
    dst[i] = static_cast<float>(scale * static_cast<double>(src[i] - zero_point));
}

}  // namespace

int32_t nearest_level(std::span<const int32_t> codebook, double q) {
  NIBBLE_CHECK(!codebook.empty());
  const auto above = std::ranges::lower_bound(codebook, q);
  if (above == codebook.begin()) return *above;
  if (above == codebook.end()) return codebook.back();
  return *above - q < q - *(above - 1) ? *above : *(above - 1);
}

Tensor quantize_tensor(const Tensor& real, const TensorType& type) {
  NIBBLE_CHECK(type.quant && is_integer(type.dtype), "quantize to {}", dtype_name(type.dtype));
  NIBBLE_CHECK(elem_count(type.shape) == real.size());
  const QuantParams& quant = *type.quant;
  const QuantIndex index(type.shape, quant);
  auto src = real.data<float>();
  Tensor result(type);
  if (is_simple(type)) {
    if (type.dtype == DType::kS8)
      quantize_simple(src, quant, result.mutable_data<int8_t>());
    else
      quantize_simple(src, quant, result.mutable_data<int16_t>());
    return result;
  }
  for (int64_t i = 0; i < real.size(); ++i) {
    const size_t channel = index.channel(i);
    const int32_t zero_point = zero_point_at(quant, channel);
    const float scale = quant.scale[channel] * static_cast<float>(group_factor(quant, index, i));
    const float elem = src[static_cast<size_t>(i)];
    // What is not a number has no nearest integer: it becomes zero.
    int64_t q = zero_point;
    if (!std::isnan(elem) && quant.codebook.empty())
      q = quantize_unclamped(elem, scale, zero_point);
    else if (!std::isnan(elem))
      q = nearest_level(quant.codebook,
                        static_cast<double>(elem) / static_cast<double>(scale) + zero_point);
    result.set_integer_at(i, std::clamp<int64_t>(q, quant.q_min, quant.q_max));
  }
  return result;
}

Tensor dequantize_tensor(const Tensor& quantized) {
  const TensorType& type = quantized.type();
  NIBBLE_CHECK(type.quant && is_integer(type.dtype), "dequantize {}", dtype_name(type.dtype));
  const QuantParams& quant = *type.quant;
  const QuantIndex index(type.shape, quant);
  Tensor result(TensorType{type.shape, DType::kF32, std::nullopt});
  auto dst = result.mutable_data<float>();
  if (is_simple(type)) {
    if (type.dtype == DType::kS8)
      dequantize_simple(quantized.data<int8_t>(), quant, dst);
    else
      dequantize_simple(quantized.data<int16_t>(), quant, dst);
    return result;
  }
  for (int64_t i = 0; i < quantized.size(); ++i) {
    const size_t channel = index.channel(i);
    // As TFLite: the difference in integers, the product in double, one rounding to float.
    int64_t centred = quantized.integer_at(i) - zero_point_at(quant, channel);
    centred *= group_factor(quant, index, i);
    dst[static_cast<size_t>(i)] = static_cast<float>(static_cast<double>(quant.scale[channel]) *
                                                     static_cast<double>(centred));
  }
  return result;
}

}  // namespace nibble
