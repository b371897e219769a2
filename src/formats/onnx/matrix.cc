// Gemm, MatMul and QLinearMatMul by a constant: dense layers.
#include <fmt/format.h>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

// The constant scaled; parameters of integer constants take the factor into their scale.
void scale_constant(OnnxOperand& operand, float factor) {
  if (operand.dequantize) {
    QuantParams params = *operand.constant->type().quant;
    for (float& scale : params.scale) scale *= factor;
    operand.constant->set_quant(params);
    return;
  }
  for (float& elem : operand.constant->mutable_data<float>()) elem *= factor;
}

bool is_weight(const OnnxOperand& operand) {
  return operand.constant && (operand.dequantize || operand.constant->dtype() == DType::kF32);
}

// Gemm's C as a bias [N], if it is one: constant, and the same for every row.
Result<std::optional<OnnxOperand>> read_bias(OnnxNode& node, int64_t channels) {
  if (!node.has_input(2) || !is_weight(node.input(2))) return std::optional<OnnxOperand>();
  OnnxOperand bias = node.input(2);
  const Shape shape = bias.constant->shape();
  bool one_row = shape.empty() || elem_count(shape) == shape.back();
  if (one_row && elem_count(shape) == channels) {
    NIBBLE_ASSIGN(bias, node.reshape(bias, {channels}));
    return std::optional<OnnxOperand>(std::move(bias));
  }
  if (elem_count(shape) == 1 && !bias.dequantize) {
    NIBBLE_TRY(node.reserve({channels}, DType::kF32));
    bias.constant->reshape({1});
    bias.constant = broadcast_constant(*bias.constant, {channels});
    return std::optional<OnnxOperand>(std::move(bias));
  }
  return std::optional<OnnxOperand>();
}

}  // namespace

Result<ValueId> multiply(OnnxNode& node, ValueId src, const OnnxOperand& rhs, ValueId bias) {
  if (!is_weight(rhs))
    return input_error(
        "its second operand must be a float constant, or a constant behind a DequantizeLinear; "
        "products of two activations are not supported");
  Shape extents = node.shape_of(rhs);
  // A batch of one matrix is that matrix; a vector is a matrix of one column.
  while (extents.size() > 2 && extents[0] == 1) extents.erase(extents.begin());
  bool vector = extents.size() == 1;
  if (vector) extents.push_back(1);
  if (extents.size() != 2)
    return input_error(
        fmt::format("its second operand {} is not one matrix", format_shape(node.shape_of(rhs))));
  NIBBLE_ASSIGN(OnnxOperand matrix, node.reshape(rhs, extents));
  NIBBLE_ASSIGN(matrix, node.transpose(matrix, {1, 0}));
  NIBBLE_ASSIGN(ValueId weight, node.add_weight(matrix));
  Shape shape = node.type_of(src).shape;
  if (shape.empty() || shape.back() != extents[0])
    return input_error(fmt::format("{} and {} cannot be multiplied", format_shape(shape),
                                   format_shape(node.shape_of(rhs))));
  bool row = shape.size() == 1;
  if (row) {
    NIBBLE_ASSIGN(src, node.reshape_value(src, {1, shape[0]}, "as_row"));
  }
  NIBBLE_ASSIGN(ValueId result, node.add(Dense{}, {src, weight, bias}));
  if (!row && !vector) return result;
  Shape wanted = node.type_of(result).shape;
  if (vector) wanted.pop_back();
  if (row) wanted.erase(wanted.begin());
  return node.reshape_value(result, wanted, "as_vector");
}

// alpha * A' * B' + beta * C
Status import_gemm(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  float alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  bool transpose_src = node.integer("transA", 0) != 0, transposed = node.integer("transB", 0) != 0;
  OnnxOperand rhs = node.input(1);
  if (node.type_of(src).shape.size() != 2 || node.shape_of(rhs).size() != 2)
    return input_error(fmt::format("multiplies {} and {}; both must be matrices",
                                   format_shape(node.type_of(src).shape),
                                   format_shape(node.shape_of(rhs))));
  if (!is_weight(rhs))
    return input_error(
        "its operand B must be a float constant, or a constant behind a DequantizeLinear");
  if (transpose_src) {
    NIBBLE_ASSIGN(src, node.transpose_value(src, {1, 0}, "transpose_a"));
  }
  if (transposed) {
    NIBBLE_ASSIGN(rhs, node.transpose(rhs, {1, 0}));
  }
  if (alpha != 1) scale_constant(rhs, alpha);
  NIBBLE_ASSIGN(auto bias, read_bias(node, node.shape_of(rhs)[1]));
  ValueId bias_value = kNoValue;
  if (bias) {
    if (beta != 1) scale_constant(*bias, beta);
    NIBBLE_ASSIGN(bias_value, node.add_weight(*bias));
  }
  NIBBLE_ASSIGN(ValueId result, multiply(node, src, rhs, bias_value));
  if (node.has_input(2) && !bias) {
    NIBBLE_ASSIGN(ValueId addend, node.real_value(2));
    if (beta != 1) {
      NIBBLE_ASSIGN(ValueId factor, node.add_constant(Tensor::of_floats({}, std::span(&beta, 1)),
                                                      node.name() + "/beta"));
      NIBBLE_ASSIGN(addend, node.add(Mul{}, {addend, factor}, "scaled_c"));
    }
    NIBBLE_ASSIGN(result, node.add(Add{}, {result, addend}, "add_c"));
  }
  node.set_output(0, result);
  return {};
}

Status import_matmul(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  NIBBLE_ASSIGN(ValueId result, multiply(node, src, node.input(1), kNoValue));
  node.set_output(0, result);
  return {};
}

// a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point
Status import_qlinear_matmul(OnnxNode& node) {
  NIBBLE_ASSIGN(OnnxOperand src, dequantized_input(node, 0, 1, 2, 1));
  NIBBLE_ASSIGN(OnnxOperand rhs, dequantized_input(node, 3, 4, 5, 1));
  NIBBLE_ASSIGN(ValueId src_value, node.value_of(src));
  NIBBLE_ASSIGN(ValueId result, multiply(node, src_value, rhs, kNoValue));
  return set_quantized_output(node, result, 6, 7);
}

}  // namespace nibble
