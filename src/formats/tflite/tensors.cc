// Converts tensors of a checked .tflite file to those of the graph.
#include "formats/tflite/tensors.h"

#include <algorithm>
#include <cmath>

#include "formats/data/half.h"

namespace nibble {

namespace file = tflite_file;

namespace {

// Conversion of u8 to s8: subtracted from values and zero points alike.
constexpr int32_t kUnsignedShift = 128;

Error wrong_type(const TfliteTensor& tensor, const std::string& allowed) {
  return input_error(
      fmt::format("tensor '{}' is {}; {}", tensor.name, tflite_type_name(tensor.type), allowed));
}

std::optional<DType> integer_dtype(file::ElementType type) {
  switch (type) {
    case file::ElementType_INT4:
      return DType::kS4;
    case file::ElementType_INT8:
    case file::ElementType_UINT8:
      return DType::kS8;
    case file::ElementType_INT16:
      return DType::kS16;
    case file::ElementType_INT32:
      return DType::kS32;
    case file::ElementType_INT64:
      return DType::kS64;
    default:
      return std::nullopt;
  }
}

// The verifier aligns a list's length to four bytes, not its 64-bit elements: those are read
// bytewise.
int64_t element(const flatbuffers::Vector<int64_t>& list, uint32_t index) {
  int64_t value;
  std::memcpy(&value, list.Data() + size_t{index} * sizeof value, sizeof value);
  return flatbuffers::EndianScalar(value);
}

bool is_real(const TfliteTensor& tensor) {
  return tensor.type == file::ElementType_FLOAT32 || tensor.type == file::ElementType_FLOAT16;
}

// Scales and zero points as the file has them, checked; the axis is left open.
Result<QuantParams> read_quant(const TfliteTensor& tensor, DType dtype) {
  QuantParams quant;
  quant.bits = std::min(dtype_bits(dtype), 32);
  quant.q_min = static_cast<int32_t>(std::max<int64_t>(dtype_min(dtype), INT32_MIN));
  quant.q_max = static_cast<int32_t>(std::min<int64_t>(dtype_max(dtype), INT32_MAX));
  const auto& scales = *tensor.quantization->scale();
  const auto* zero_points = tensor.quantization->zero_point();
  size_t zero_count = zero_points ? zero_points->size() : 0;
  if (zero_count > 1 && zero_count != scales.size())
    return input_error(fmt::format("tensor '{}' has {} scales and {} zero points", tensor.name,
                                   scales.size(), zero_count));
  // More scales than elements cannot be; so the lists are bounded by what the shape was checked
  // for.
  if (static_cast<int64_t>(scales.size()) > std::max<int64_t>(1, elem_count(tensor.shape)))
    return input_error(fmt::format("tensor '{}' has {} scales for {} elements", tensor.name,
                                   scales.size(), elem_count(tensor.shape)));
  int64_t shift = tensor.type == file::ElementType_UINT8 ? kUnsignedShift : 0;
  for (uint32_t i = 0; i < scales.size(); ++i) {
    float scale = scales.Get(i);
    if (!(scale > 0) || !std::isfinite(scale))
      return input_error(fmt::format("tensor '{}' has the scale {}; a scale is a positive number",
                                     tensor.name, scale));
    int64_t zero = 0;
    if (zero_count > 0) zero = element(*zero_points, zero_count == 1 ? 0 : i);
    if (zero - shift < quant.q_min || zero - shift > quant.q_max || zero > INT32_MAX)
      return input_error(
          fmt::format("tensor '{}', {}, has the zero point {}, which its type cannot "
                      "hold",
                      tensor.name, tflite_type_name(tensor.type), zero));
    quant.scale.push_back(scale);
    quant.zero_point.push_back(static_cast<int32_t>(zero - shift));
  }
  return quant;
}

Result<QuantParams> per_tensor_quant(const TfliteTensor& tensor, DType dtype) {
  NIBBLE_ASSIGN(auto quant, read_quant(tensor, dtype));
  if (quant.scale.size() != 1)
    return input_error(fmt::format("tensor '{}' has {} scales; an activation has one", tensor.name,
                                   quant.scale.size()));
  return quant;
}

Status check_readable(const TfliteTensor& tensor) {
  if (tensor.sparse)
    return input_error(
        fmt::format("tensor '{}' is stored sparsely, which is not supported: export the "
                    "model without sparsity compression",
                    tensor.name));
  if (tensor.variable && !tensor.is_constant)
    return input_error(
        fmt::format("tensor '{}' is a variable: state between inferences is not "
                    "supported",
                    tensor.name));
  if (tensor.data.empty())
    return input_error(fmt::format("tensor '{}' has no data in the file", tensor.name));
  return {};
}

// The elements of an integer constant in the graph's element type; u8 shifted to s8, s4 unpacked.
Tensor integer_elements(const TfliteTensor& tensor, DType dtype) {
  Tensor result(TensorType{tensor.shape, dtype, std::nullopt});
  auto dst = result.mutable_bytes();
  const auto& src = tensor.data;
  if (tensor.type == file::ElementType_INT4) {
    // Two to a byte, the first in the low half.
    for (size_t i = 0; i < dst.size(); ++i) {
      int nibble = i % 2 == 0 ? src[i / 2] & 15 : src[i / 2] >> 4;
      dst[i] = static_cast<uint8_t>(nibble < 8 ? nibble : nibble - 16);
    }
  } else if (tensor.type == file::ElementType_UINT8) {
    for (size_t i = 0; i < dst.size(); ++i) dst[i] = src[i] ^ 0x80;
  } else if (!dst.empty()) {
    std::memcpy(dst.data(), src.data(), dst.size());
  }
  return result;
}

Result<Tensor> float_elements(const TfliteTensor& tensor) {
  Tensor result(TensorType{tensor.shape, DType::kF32, std::nullopt});
  auto dst = result.mutable_data<float>();
  if (tensor.type == file::ElementType_FLOAT32) {
    if (!dst.empty()) std::memcpy(dst.data(), tensor.data.data(), dst.size_bytes());
  } else {
    for (size_t i = 0; i < dst.size(); ++i) {
      uint16_t half;
      std::memcpy(&half, tensor.data.data() + 2 * i, sizeof half);
      dst[i] = half_to_float(half);
    }
  }
  for (float value : dst)
    if (!std::isfinite(value))
      return input_error(
          fmt::format("constant '{}' contains {}: the model was trained or exported "
                      "wrongly",
                      tensor.name, value));
  return result;
}

// Index of the scale that belongs to element `index`.
class ScaleIndex {
 public:
  ScaleIndex(const Shape& shape, const QuantParams& quant) {
    if (quant.per_tensor()) return;
    size_t axis = static_cast<size_t>(quant.axis);
    extent_ = shape[axis];
    for (size_t i = axis + 1; i < shape.size(); ++i) inner_ *= shape[i];
  }
  size_t operator()(int64_t index) const { return static_cast<size_t>(index / inner_ % extent_); }

 private:
  int64_t inner_ = 1, extent_ = 1;
};

// Weights with a zero point are made symmetric where the differences still fit the type.
Status remove_zero_points(const TfliteTensor& tensor, Tensor& weights, QuantParams& quant) {
  ScaleIndex scale_of(weights.shape(), quant);
  for (int64_t i = 0; i < weights.size(); ++i) {
    int64_t zero = quant.zero_point[scale_of(i)];
    if (zero == 0) continue;
    int64_t centred = weights.integer_at(i) - zero;
    if (centred < quant.q_min || centred > quant.q_max) {
      int64_t in_file = zero + (tensor.type == file::ElementType_UINT8 ? kUnsignedShift : 0);
      return input_error(fmt::format(
          "weights '{}' are asymmetric {} (zero point {}) and do not fit signed 8-bit "
          "symmetric weights; quantize the float model again with current tools (or with "
          "nibble quantize), which gives int8",
          tensor.name, tflite_type_name(tensor.type), in_file));
    }
    weights.set_integer_at(i, centred);
  }
  std::fill(quant.zero_point.begin(), quant.zero_point.end(), 0);
  return {};
}

Status place_axis(const TfliteTensor& tensor, int channel_axis, QuantParams& quant) {
  if (quant.scale.size() == 1) return {};
  int axis = tensor.quantization->quantized_dimension();
  if (axis != channel_axis)
    return input_error(
        fmt::format("weights '{}' are quantized along axis {}; the output channels of "
                    "this operator are on axis {}",
                    tensor.name, axis, channel_axis));
  int64_t extent = tensor.shape[static_cast<size_t>(axis)];
  if (extent != static_cast<int64_t>(quant.scale.size()))
    return input_error(fmt::format("weights '{}' have {} scales for {} channels", tensor.name,
                                   quant.scale.size(), extent));
  quant.axis = axis;
  return {};
}

}  // namespace

Result<TensorType> activation_type(const TfliteTensor& tensor) {
  if (is_real(tensor) && tensor.type == file::ElementType_FLOAT32)
    return TensorType{tensor.shape, DType::kF32, std::nullopt};
  if (tensor.type == file::ElementType_FLOAT16)
    return wrong_type(tensor,
                      "float16 is supported for constants: export with float32 activations");
  auto dtype = integer_dtype(tensor.type);
  if (!dtype || *dtype == DType::kS64 || *dtype == DType::kS4)
    return wrong_type(tensor, "activations may be FLOAT32, INT8, UINT8, INT16 or INT32");
  TensorType type{tensor.shape, *dtype, std::nullopt};
  if (tensor.quantization) {
    NIBBLE_ASSIGN(type.quant, per_tensor_quant(tensor, *dtype));
  } else if (*dtype != DType::kS32) {
    return wrong_type(tensor, "but has no scale and zero point: an integer activation needs them");
  }
  return type;
}

Result<Tensor> activation_constant(const TfliteTensor& tensor) {
  NIBBLE_TRY(check_readable(tensor));
  if (is_real(tensor)) return float_elements(tensor);
  NIBBLE_ASSIGN(auto type, activation_type(tensor));
  Tensor result = integer_elements(tensor, type.dtype);
  result.set_quant(type.quant);
  return result;
}

Result<Tensor> weight_constant(const TfliteTensor& tensor, int channel_axis) {
  NIBBLE_TRY(check_readable(tensor));
  if (is_real(tensor)) return float_elements(tensor);
  auto dtype = integer_dtype(tensor.type);
  if (!dtype || (*dtype != DType::kS8 && *dtype != DType::kS4))
    return wrong_type(tensor, "weights may be FLOAT32, FLOAT16, INT8, UINT8 or INT4");
  if (!tensor.quantization) return wrong_type(tensor, "but has no scale: integer weights need one");
  NIBBLE_ASSIGN(auto quant, read_quant(tensor, *dtype));
  NIBBLE_TRY(place_axis(tensor, channel_axis, quant));
  Tensor result = integer_elements(tensor, *dtype);
  NIBBLE_TRY(remove_zero_points(tensor, result, quant));
  // Symmetric ranges are the rule, and kernels may rely on them; the lowest value is granted to
  // those who use it.
  auto elems = result.data<int8_t>();
  if (std::find(elems.begin(), elems.end(), static_cast<int8_t>(quant.q_min)) == elems.end())
    ++quant.q_min;
  result.set_quant(std::move(quant));
  return result;
}

Result<Tensor> float_bias(const TfliteTensor& tensor) {
  NIBBLE_TRY(check_readable(tensor));
  if (!is_real(tensor)) return wrong_type(tensor, "the bias of a float operator is FLOAT32");
  return float_elements(tensor);
}

Result<Tensor> integer_bias(const TfliteTensor& tensor, float src_scale,
                            const QuantParams& weights) {
  NIBBLE_TRY(check_readable(tensor));
  auto dtype = integer_dtype(tensor.type);
  if (!dtype || (*dtype != DType::kS32 && *dtype != DType::kS64))
    return wrong_type(tensor, "the bias of an integer operator is INT32 (or INT64)");
  const auto* zero_points = tensor.quantization ? tensor.quantization->zero_point() : nullptr;
  for (uint32_t i = 0; zero_points && i < zero_points->size(); ++i)
    if (int64_t zero = element(*zero_points, i); zero != 0)
      return input_error(fmt::format("bias '{}' has the zero point {}; a bias has zero point 0",
                                     tensor.name, zero));
  // The file repeats the product; TFLite computes with the product itself, and so do we.
  QuantParams quant;
  quant.bits = 32;
  quant.q_min = INT32_MIN;
  quant.q_max = INT32_MAX;
  quant.axis = weights.per_tensor() ? -1 : 0;
  for (float scale : weights.scale) {
    float product = src_scale * scale;
    if (!(product > 0) || !std::isfinite(product))
      return input_error(
          fmt::format("bias '{}': the product of the scales {} and {} is no positive "
                      "float",
                      tensor.name, src_scale, scale));
    quant.scale.push_back(product);
    quant.zero_point.push_back(0);
  }
  if (!weights.per_tensor() &&
      (tensor.shape.size() != 1 || tensor.shape[0] != static_cast<int64_t>(quant.scale.size())))
    return input_error(fmt::format("bias '{}' is {}; the weights have {} channels", tensor.name,
                                   format_shape(tensor.shape), quant.scale.size()));
  Tensor result = integer_elements(tensor, *dtype);
  result.set_quant(std::move(quant));
  return result;
}

}  // namespace nibble
