// Real ↔ integer elements: the arithmetic of quantize and dequantize, for whole tensors of any
// integer type.
#include <algorithm>

#include "ops/arithmetic.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// Index of the scale of each element: blocks of `inner` elements share one, `extent` of them follow
// one another.
struct ScaleIndex {
  int64_t inner = 1;
  int64_t extent = 1;
  size_t of(int64_t elem) const { return static_cast<size_t>(elem / inner % extent); }
};

ScaleIndex scale_index(const TensorType& type) {
  const QuantParams& quant = *type.quant;
  ScaleIndex index;
  if (quant.per_tensor()) {
    index.inner = std::max<int64_t>(elem_count(type.shape), 1);
    return index;
  }
  auto axis = static_cast<size_t>(quant.axis);
  NIBBLE_CHECK(axis < type.shape.size(), "axis {}", axis);
  index.extent = type.shape[axis];
  NIBBLE_CHECK(quant.scale.size() == static_cast<size_t>(index.extent), "{} scales",
               quant.scale.size());
  for (size_t i = axis + 1; i < type.shape.size(); ++i) index.inner *= type.shape[i];
  return index;
}

// Weights may carry one zero point for all channels.
int32_t zero_point_at(const QuantParams& quant, size_t channel) {
  return quant.zero_point.size() == 1 ? quant.zero_point[0] : quant.zero_point.at(channel);
}

}  // namespace

Tensor quantize_tensor(const Tensor& real, const TensorType& type) {
  NIBBLE_CHECK(type.quant && is_integer(type.dtype), "quantize to {}", dtype_name(type.dtype));
  NIBBLE_CHECK(elem_count(type.shape) == real.size());
  const QuantParams& quant = *type.quant;
  ScaleIndex index = scale_index(type);
  auto src = real.data<float>();
  Tensor result(type);
  for (int64_t i = 0; i < real.size(); ++i) {
    size_t channel = index.of(i);
    float elem = src[static_cast<size_t>(i)];
    // What is not a number has no nearest integer: it becomes zero.
    int64_t q = std::isnan(elem)
                    ? zero_point_at(quant, channel)
                    : quantize_unclamped(elem, quant.scale[channel], zero_point_at(quant, channel));
    result.set_integer_at(i, std::clamp<int64_t>(q, quant.q_min, quant.q_max));
  }
  return result;
}

Tensor dequantize_tensor(const Tensor& quantized) {
  const TensorType& type = quantized.type();
  NIBBLE_CHECK(type.quant && is_integer(type.dtype), "dequantize {}", dtype_name(type.dtype));
  const QuantParams& quant = *type.quant;
  ScaleIndex index = scale_index(type);
  Tensor result(TensorType{type.shape, DType::kF32, std::nullopt});
  auto dst = result.mutable_data<float>();
  for (int64_t i = 0; i < quantized.size(); ++i) {
    size_t channel = index.of(i);
    // As TFLite: the difference in integers, the product in double, one rounding to float.
    int64_t centred = quantized.integer_at(i) - zero_point_at(quant, channel);
    dst[static_cast<size_t>(i)] = static_cast<float>(static_cast<double>(quant.scale[channel]) *
                                                     static_cast<double>(centred));
  }
  return result;
}

}  // namespace nibble
