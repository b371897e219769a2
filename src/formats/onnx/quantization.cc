// QuantizeLinear and DequantizeLinear, and the operators on integers that are imported as
// dequantize, compute, quantize; passes/ turns such islands into integer operators again.
//
// Unsigned activations become signed ones: elements and zero points are lowered by half the range,
// which changes no real value. Unsigned model inputs stay as they are, unsigned outputs are turned
// back.
#include <fmt/format.h>

#include <cmath>

#include "formats/onnx/operator_list.h"
#include "ops/ops.h"

namespace nibble {
namespace {

using onnx::TensorProto;

// The signed type of the same width, and what takes an element there.
Result<OnnxQuant> quant_type(int onnx_type) {
  OnnxQuant quant;
  int bits = 8;
  switch (onnx_type) {
    case TensorProto::INT8:
    case TensorProto::UINT8:
      break;
    case TensorProto::INT16:
    case TensorProto::UINT16:
      bits = 16;
      quant.dtype = DType::kS16;
      break;
    case TensorProto::INT32:
      bits = 32;
      quant.dtype = DType::kS32;
      break;
    case kOnnxInt4:
    case kOnnxUint4:
      bits = 4;
      quant.dtype = DType::kS4;
      break;
    default:
      return input_error(
          fmt::format("quantization to {} is not supported; INT4, UINT4, INT8, UINT8, INT16, "
                      "UINT16 and INT32 are",
                      onnx_type_name(onnx_type)));
  }
  int64_t half = int64_t{1} << (bits - 1);
  bool is_unsigned = onnx_type == TensorProto::UINT8 || onnx_type == TensorProto::UINT16 ||
                     onnx_type == kOnnxUint4;
  quant.shift = is_unsigned ? half : 0;
  quant.params.bits = bits;
  quant.params.q_min = static_cast<int32_t>(-half);
  quant.params.q_max = static_cast<int32_t>(half - 1);
  return quant;
}

// Half to even, as ONNX rounds.
Tensor quantize_constant(const Tensor& real, const OnnxQuant& quant) {
  Tensor result(TensorType{real.shape(), quant.dtype, quant.params});
  int64_t inner = 1, channels = static_cast<int64_t>(quant.params.scale.size());
  if (!quant.params.per_tensor())
    for (size_t i = static_cast<size_t>(quant.params.axis) + 1; i < real.shape().size(); ++i)
      inner *= real.shape()[i];
  auto elems = real.data<float>();
  for (int64_t i = 0; i < real.size(); ++i) {
    auto channel = static_cast<size_t>(i / inner % channels);
    double q = std::nearbyint(
        static_cast<double>(elems[static_cast<size_t>(i)] / quant.params.scale[channel]));
    q += quant.params.zero_point[channel];
    if (std::isnan(q)) q = 0;
    double clamped = std::fmin(std::fmax(q, quant.params.q_min), quant.params.q_max);
    result.set_integer_at(i, static_cast<int64_t>(clamped));
  }
  return result;
}

// An integer constant with its parameters, unsigned elements shifted.
Tensor with_quant(const Tensor& constant, const OnnxQuant& quant) {
  if (quant.shift == 0 && constant.dtype() == quant.dtype) {
    Tensor result = constant;
    result.set_quant(quant.params);
    return result;
  }
  Tensor result(TensorType{constant.shape(), quant.dtype, quant.params});
  for (int64_t i = 0; i < constant.size(); ++i)
    result.set_integer_at(i, constant.integer_at(i) - quant.shift);
  return result;
}

// The ONNX type of integers at run time, from what is known of the value.
int type_in_file(const OnnxOperand& operand, const TensorType& type) {
  if (operand.onnx_type != 0) return operand.onnx_type;
  switch (type.dtype) {
    case DType::kS8:
      return TensorProto::INT8;
    case DType::kU8:
      return TensorProto::UINT8;
    case DType::kS16:
      return TensorProto::INT16;
    case DType::kS4:
      return kOnnxInt4;
    case DType::kS32:
      return TensorProto::INT32;
    default:
      return TensorProto::UNDEFINED;
  }
}

Status check_blocks(OnnxNode& node) {
  if (node.integer("block_size", 0) != 0)
    return input_error("attribute 'block_size' (blocked quantization) is not supported");
  return {};
}

}  // namespace

Result<OnnxQuant> read_quant(OnnxNode& node, size_t scale, size_t zero_point, int onnx_type,
                             const Shape& shape, int64_t axis) {
  bool has_zero_point = node.has_input(zero_point);
  if (has_zero_point) {
    OnnxOperand& operand = node.input(zero_point);
    int own = type_in_file(operand, node.type(zero_point));
    if (onnx_type == 0) onnx_type = own;
  }
  if (onnx_type == 0) onnx_type = TensorProto::UINT8;
  NIBBLE_ASSIGN(OnnxQuant quant, quant_type(onnx_type));
  NIBBLE_ASSIGN(quant.params.scale, node.constant_reals(scale, "its scale"));
  std::vector<int64_t> zero_points(quant.params.scale.size(), 0);
  if (has_zero_point) {
    NIBBLE_ASSIGN(zero_points, node.constant_integers(zero_point, "its zero point"));
  }
  size_t count = quant.params.scale.size();
  if (count == 0 || zero_points.size() != count)
    return input_error(fmt::format("has {} scales and {} zero points", count, zero_points.size()));
  for (float value : quant.params.scale)
    if (!std::isfinite(value) || value <= 0)
      return input_error(fmt::format("has the scale {}; scales are positive", value));
  for (int64_t value : zero_points) {
    int64_t shifted = value - quant.shift;
    if (shifted < quant.params.q_min || shifted > quant.params.q_max)
      return input_error(fmt::format("has the zero point {}, which {} cannot hold", value,
                                     onnx_type_name(onnx_type)));
    quant.params.zero_point.push_back(static_cast<int32_t>(shifted));
  }
  if (count == 1 && node.shape(scale).empty()) return quant;
  if (count > 1 || !shape.empty()) {
    auto place = checked_axis(axis, shape.size());
    bool fits = place.ok() && shape[*place] == static_cast<int64_t>(count);
    if (!fits && count > 1)
      return input_error(
          fmt::format("has {} scales along axis {} of {}", count, axis, format_shape(shape)));
    if (count > 1) quant.params.axis = static_cast<int>(*place);
  }
  return quant;
}

Result<OnnxOperand> dequantized_input(OnnxNode& node, size_t index, size_t scale, size_t zero_point,
                                      int64_t axis) {
  OnnxOperand src = node.input(index);
  const TensorType type = node.type(index);
  if (type.dtype == DType::kF32 || type.dtype == DType::kBool || type.dtype == DType::kS64)
    return input_error(fmt::format("dequantizes '{}', which is {}",
                                   node.proto().input(static_cast<int>(index)),
                                   dtype_name(type.dtype)));
  // A value that QuantizeLinear made unsigned is held signed; its zero point still says what it
  // was.
  int onnx_type = src.constant || !type.quant ? type_in_file(src, type) : 0;
  if (!src.constant && type.quant && !node.has_input(zero_point))
    onnx_type = type_in_file(src, type);
  NIBBLE_ASSIGN(OnnxQuant quant, read_quant(node, scale, zero_point, onnx_type, type.shape, axis));
  if (src.constant) {
    NIBBLE_TRY(node.reserve(type.shape, quant.dtype));
    src.constant = with_quant(*src.constant, quant);
    src.dequantize = true;
    src.value = kNoValue;
    return src;
  }
  if (!quant.params.per_tensor())
    return input_error(
        "dequantizes an activation with parameters per channel; one scale and zero point are "
        "supported there");
  if (type.dtype == DType::kU8) {
    for (int32_t& value : quant.params.zero_point) value += static_cast<int32_t>(quant.shift);
    quant.params.q_min = 0;
    quant.params.q_max = 255;
  } else if (type.dtype != quant.dtype) {
    return input_error(fmt::format("dequantizes {} elements with a zero point of another type",
                                   dtype_name(type.dtype)));
  }
  NIBBLE_TRY(node.set_quant(src.value, quant.params));
  NIBBLE_ASSIGN(ValueId result, node.add(Dequantize{}, {src.value},
                                         node.op_type() == "DequantizeLinear" ? "" : "dequantize"));
  return node.operand_of(result);
}

Status set_quantized_output(OnnxNode& node, ValueId src, size_t scale, size_t zero_point) {
  const Shape shape = node.type_of(src).shape;
  NIBBLE_ASSIGN(OnnxQuant quant,
                read_quant(node, scale, zero_point, 0, shape, node.integer("axis", 1)));
  if (!quant.params.per_tensor() || quant.dtype == DType::kS32 || quant.dtype == DType::kS4)
    return input_error(
        "quantizes an activation per channel or to an unusual width; 8 and 16 bits with one scale "
        "and zero point are supported");
  NIBBLE_ASSIGN(ValueId result,
                node.add(Quantize{}, {src}, node.op_type() == "QuantizeLinear" ? "" : "quantize",
                         quant.params, quant.dtype));
  OnnxOperand operand = node.operand_of(result);
  if (quant.shift != 0)
    operand.onnx_type = quant.params.bits == 16 ? TensorProto::UINT16 : TensorProto::UINT8;
  node.set_output(0, std::move(operand));
  return {};
}

Status import_quantize(OnnxNode& node) {
  node.ignore("saturate");  // float8 only
  node.ignore("precision");
  NIBBLE_TRY(check_blocks(node));
  int64_t axis = node.integer("axis", 1);
  int64_t output_type = node.integer("output_dtype", 0);
  if (output_type != 0 && !node.has_input(2) && output_type != TensorProto::UINT8)
    return input_error(
        fmt::format("attribute 'output_dtype' {} without a zero point is not supported",
                    onnx_type_name(static_cast<int>(output_type))));
  if (!node.input(0).constant) {
    NIBBLE_ASSIGN(ValueId src, node.real_value(0));
    return set_quantized_output(node, src, 1, 2);
  }
  auto real = node.real_constant(0);
  if (!real) return input_error("quantizes integers");
  NIBBLE_ASSIGN(OnnxQuant quant, read_quant(node, 1, 2, 0, real->shape(), axis));
  NIBBLE_TRY(node.reserve(real->shape(), quant.dtype));
  OnnxOperand result;
  // Held signed from here on; the type in the file is kept for its DequantizeLinear.
  OnnxQuant held = quant;
  result.constant = quantize_constant(*real, held);
  if (quant.shift != 0) {
    // The elements as the file would have them, so that they can be read like any other constant.
    Tensor elems(TensorType{real->shape(), quant.params.bits == 16 ? DType::kS32 : DType::kU8,
                            std::nullopt});
    for (int64_t i = 0; i < elems.size(); ++i)
      elems.set_integer_at(i, result.constant->integer_at(i) + quant.shift);
    result.constant = std::move(elems);
    result.onnx_type = quant.params.bits == 16  ? static_cast<int>(TensorProto::UINT16)
                       : quant.params.bits == 4 ? kOnnxUint4
                                                : static_cast<int>(TensorProto::UINT8);
  } else {
    result.constant->set_quant(std::nullopt);
  }
  node.set_output(0, std::move(result));
  return {};
}

Status import_dequantize(OnnxNode& node) {
  node.ignore("output_dtype");
  NIBBLE_TRY(check_blocks(node));
  NIBBLE_ASSIGN(OnnxOperand result, dequantized_input(node, 0, 1, 2, node.integer("axis", 1)));
  node.set_output(0, std::move(result));
  return {};
}

// com.microsoft: X, x_scale, x_zero_point, y_scale, y_zero_point
Status import_qlinear_global_average_pool(OnnxNode& node) {
  bool channels_last = node.integer("channels_last", 0) != 0;
  NIBBLE_ASSIGN(OnnxOperand src, dequantized_input(node, 0, 1, 2, 1));
  NIBBLE_ASSIGN(ValueId value, node.value_of(src));
  if (node.type_of(value).shape.size() != 4) return input_error("its input has not four axes");
  if (!channels_last) {
    NIBBLE_ASSIGN(value, node.to_channels_last(value));
  }
  NIBBLE_ASSIGN(value, node.add(Mean{{1, 2}, true}, {value}));
  if (!channels_last) {
    NIBBLE_ASSIGN(value, node.from_channels_last(value, 4));
  }
  return set_quantized_output(node, value, 3, 4);
}

}  // namespace nibble
