// Operators of .tflite files that work element by element: arithmetic, activations, changes of
// type.
#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/tflite/importer.h"

namespace nibble {

namespace file = tflite_file;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

template <class Arithmetic, class Options>
Status TfliteImporter::emit_arithmetic(const TfliteOperator& op, const Options* options) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId lhs, activation(op, 0));
  NIBBLE_ASSIGN(ValueId rhs, activation(op, 1));
  NIBBLE_ASSIGN(Bounds act, fused_bounds(options));
  return emit(op, Arithmetic{act}, {lhs, rhs});
}

Status TfliteImporter::convert_add(const TfliteOperator& op) {
  return emit_arithmetic<Add>(op, op.raw->options_as_Add());
}

Status TfliteImporter::convert_sub(const TfliteOperator& op) {
  return emit_arithmetic<Sub>(op, op.raw->options_as_Sub());
}

Status TfliteImporter::convert_mul(const TfliteOperator& op) {
  return emit_arithmetic<Mul>(op, op.raw->options_as_Mul());
}

// x / c = x * (1/c), up to float rounding: only for float and constants.
Status TfliteImporter::convert_div(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(ValueId divisor, activation(op, 1));
  if (!is_float(src) || !is_float(divisor) || !graph_.is_constant(divisor))
    return input_error("division is supported for float tensors by a constant");
  Tensor reciprocal = *graph_.value(divisor).constant;
  NIBBLE_TRY(charge(reciprocal.size() * 4));
  for (float& value : reciprocal.mutable_data<float>()) {
    value = 1 / value;
    if (!std::isfinite(value)) return input_error("divides by zero");
  }
  NIBBLE_ASSIGN(Bounds act, fused_bounds(op.raw->options_as_Div()));
  ValueId factor = add_constant(op.name + "/reciprocal", std::move(reciprocal));
  return emit(op, Mul{act}, {src, factor});
}

Status TfliteImporter::convert_clamp(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  Bounds act{0, kInfinity};
  if (op.code == file::Builtin_RELU6) act = {0, 6};
  if (op.code == file::Builtin_RELU_N1_TO_1) act = {-1, 1};
  if (op.code == file::Builtin_RELU_0_TO_1) act = {0, 1};
  return emit(op, Clamp{act}, {src});
}

// MAXIMUM and MINIMUM with one number: a clamp from one side.
Status TfliteImporter::convert_extremum(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  size_t data = 0;
  auto bound = uniform_constant(op, 1);
  if (!bound) {
    bound = uniform_constant(op, 0);
    data = 1;
  }
  if (!bound) return input_error("is supported where one operand is a single constant number");
  NIBBLE_ASSIGN(ValueId src, activation(op, data));
  const Shape& limit = tensor(op.inputs[1 - data]).shape;
  if (limit.size() > shape_of(src).size() || elem_count(limit) > elem_count(shape_of(src)))
    return input_error("its constant operand widens the other; that is not supported");
  // Integers are compared as they are; that is a comparison of real numbers only on one common
  // scale.
  if (!is_float(src)) {
    NIBBLE_ASSIGN(TensorType out, activation_type(tensor(op.outputs[0])));
    NIBBLE_ASSIGN(TensorType other, activation_type(tensor(op.inputs[1 - data])));
    if (out.quant != type_of(src).quant || other.quant != out.quant)
      return input_error("its operands and its output have different scales");
  }
  Bounds act;
  (op.code == file::Builtin_MAXIMUM ? act.min : act.max) = *bound;
  return emit(op, Clamp{act}, {src});
}

Status TfliteImporter::convert_unary(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  if (op.code == file::Builtin_LOGISTIC) return emit(op, Sigmoid{}, {src});
  if (op.code == file::Builtin_TANH) return emit(op, Tanh{}, {src});
  return emit(op, HardSwish{}, {src});
}

Status TfliteImporter::convert_leaky_relu(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  const auto* options = op.raw->options_as_LeakyRelu();
  float alpha = options ? options->alpha() : 0;
  if (!std::isfinite(alpha)) return input_error(fmt::format("its alpha is {}", alpha));
  return emit(op, LeakyRelu{alpha}, {src});
}

// With the same slope everywhere it is a leaky relu; in integers TFLite computes the two
// differently.
Status TfliteImporter::convert_prelu(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  auto alpha = uniform_constant(op, 1);
  if (!alpha || !is_float(src))
    return input_error(
        "is supported in float models with the same slope for all channels: share the "
        "slope over all axes, or use LeakyReLU");
  return emit(op, LeakyRelu{*alpha}, {src});
}

Status TfliteImporter::convert_quantize(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  return emit(op, Quantize{}, {src});
}

// Constants (float16 and int8 weights of float models) become float here; nothing is left to do at
// run time.
Status TfliteImporter::convert_dequantize(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  const TfliteTensor& src = tensor(op.inputs[0]);
  if (!src.is_constant) {
    NIBBLE_ASSIGN(ValueId id, activation(op, 0));
    return emit(op, Dequantize{}, {id});
  }
  NIBBLE_TRY(charge(elem_count(src.shape) * 4));
  bool per_axis = src.quantization && src.quantization->scale()->size() > 1;
  int axis = per_axis ? src.quantization->quantized_dimension() : 0;
  if (per_axis && (axis < 0 || axis >= static_cast<int>(src.shape.size())))
    return input_error(
        fmt::format("'{}' is quantized along axis {} of {}", src.name, axis, src.shape.size()));
  NIBBLE_ASSIGN(Tensor value, per_axis ? weight_constant(src, axis) : activation_constant(src));
  if (value.dtype() != DType::kF32) {
    if (!value.type().quant) return input_error(fmt::format("'{}' has no scale", src.name));
    value = dequantize_tensor(value);
  }
  values_[static_cast<size_t>(op.outputs[0])] =
      add_constant(tensor(op.outputs[0]).name, std::move(value));
  return {};
}

// Between numbers that are the same for us (float32 to float32) it is nothing.
Status TfliteImporter::convert_cast(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  const TfliteTensor &src = tensor(op.inputs[0]), &dst = tensor(op.outputs[0]);
  if (src.type != dst.type)
    return input_error(
        fmt::format("a cast of activations from {} to {} is not supported; use QUANTIZE "
                    "and DEQUANTIZE, or leave it out of the model",
                    tflite_type_name(src.type), tflite_type_name(dst.type)));
  NIBBLE_ASSIGN(ValueId id, activation(op, 0));
  return emit(op, Reshape{shape_of(id)}, {id});
}

}  // namespace nibble
