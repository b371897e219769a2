// The importers of the single operators, by the file they stand in. Inside formats/ only.
#pragma once

#include "formats/onnx/importer.h"

namespace nibble {

// convolution.cc
Status import_conv(OnnxNode& node);
Status import_qlinear_conv(OnnxNode& node);
// pooling.cc
Status import_max_pool(OnnxNode& node);
Status import_average_pool(OnnxNode& node);
Status import_global_average_pool(OnnxNode& node);
Status import_global_max_pool(OnnxNode& node);
Status import_reduce_mean(OnnxNode& node);
Status import_resize(OnnxNode& node);
// matrix.cc
Status import_gemm(OnnxNode& node);
Status import_matmul(OnnxNode& node);
Status import_qlinear_matmul(OnnxNode& node);
// elementwise.cc
Status import_add(OnnxNode& node);
Status import_sub(OnnxNode& node);
Status import_mul(OnnxNode& node);
Status import_div(OnnxNode& node);
Status import_sum(OnnxNode& node);
Status import_min_max(OnnxNode& node);
Status import_neg(OnnxNode& node);
Status import_relu(OnnxNode& node);
Status import_clip(OnnxNode& node);
Status import_leaky_relu(OnnxNode& node);
Status import_prelu(OnnxNode& node);
Status import_sigmoid(OnnxNode& node);
Status import_tanh(OnnxNode& node);
Status import_hard_swish(OnnxNode& node);
Status import_hard_sigmoid(OnnxNode& node);
Status import_swish(OnnxNode& node);
Status import_softmax(OnnxNode& node);
Status import_batch_norm(OnnxNode& node);
Status import_qlinear_add(OnnxNode& node);
Status import_qlinear_mul(OnnxNode& node);
// shaping.cc
Status import_identity(OnnxNode& node);
Status import_reshape(OnnxNode& node);
Status import_flatten(OnnxNode& node);
Status import_squeeze(OnnxNode& node);
Status import_unsqueeze(OnnxNode& node);
Status import_transpose(OnnxNode& node);
Status import_concat(OnnxNode& node);
Status import_slice(OnnxNode& node);
Status import_split(OnnxNode& node);
Status import_pad(OnnxNode& node);
Status import_depth_to_space(OnnxNode& node);
Status import_space_to_depth(OnnxNode& node);
// constant_arithmetic.cc
Status import_constant_arithmetic(OnnxNode& node);
// bookkeeping.cc: what is known when the model is read
Status import_constant(OnnxNode& node);
Status import_constant_of_shape(OnnxNode& node);
Status import_shape(OnnxNode& node);
Status import_size(OnnxNode& node);
Status import_gather(OnnxNode& node);
Status import_cast(OnnxNode& node);
Status import_range(OnnxNode& node);
Status import_expand(OnnxNode& node);
Status import_where(OnnxNode& node);
Status import_tile(OnnxNode& node);
// quantization.cc
Status import_quantize(OnnxNode& node);
Status import_dequantize(OnnxNode& node);
Status import_qlinear_global_average_pool(OnnxNode& node);

// Output 0 is this constant.
Status set_constant(OnnxNode& node, Tensor tensor, int onnx_type = 0);
// Appends an operator whose output has its first input's type: it moves elements. Error: integers
// without parameters.
Result<ValueId> add_move(OnnxNode& node, Op op, std::vector<ValueId> inputs,
                         const std::string& suffix);
// Error: an operand depends on the model's input.
Status need_constants(const OnnxNode& node);
// Cut toward zero and to a magnitude of 2^62; NaN is 0.
int64_t to_integer(double real);

// The parameters that a scale and a zero point operand give to elements of this ONNX type (0: the
// zero point's own, uint8 where there is none). `shifted`: unsigned elements are held as signed
// ones, zero point and all lowered by half.
struct OnnxQuant {
  QuantParams params;
  DType dtype = DType::kS8;
  int64_t shift = 0;  // to be subtracted from elements
};
Result<OnnxQuant> read_quant(OnnxNode& node, size_t scale, size_t zero_point, int onnx_type,
                             const Shape& shape, int64_t axis);
// Operand `index` with its scale and zero point, as a real value or a dequantized constant.
Result<OnnxOperand> dequantized_input(OnnxNode& node, size_t index, size_t scale, size_t zero_point,
                                      int64_t axis);
// src, real, quantized with the parameters of two operands, becomes output 0.
Status set_quantized_output(OnnxNode& node, ValueId src, size_t scale, size_t zero_point);

// Convolution of `src` (N C ...) with `filter` (O I ...), real values or dequantized constants, for
// Conv and QLinearConv.
Result<ValueId> convolve(OnnxNode& node, ValueId src, const OnnxOperand& filter, ValueId bias);
// src times rhs [K,N], a constant or dequantized constant; bias [N] may be kNoValue.
Result<ValueId> multiply(OnnxNode& node, ValueId src, const OnnxOperand& rhs, ValueId bias);

// Extents of a window over rank-2 (or 1) spatial axes from the attributes that Conv and the pools
// share.
struct OnnxWindow {
  int64_t k_h = 1, k_w = 1;
  Window window;
};
Result<OnnxWindow> read_window(OnnxNode& node, const Shape& src,
                               const std::vector<int64_t>& kernel);

}  // namespace nibble
