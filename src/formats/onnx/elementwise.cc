// Operators element by element: arithmetic, activations, softmax, batch normalization. Those that
// the graph does not have are said with those that it has.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

Result<ValueId> scalar(OnnxNode& node, float value, const std::string& suffix) {
  return node.add_constant(Tensor::of_floats({}, std::span(&value, 1)), node.name() + "/" + suffix);
}

// lhs op rhs, both in the graph or both constant.
Status binary(OnnxNode& node, Op op) {
  if (node.all_constant()) return import_constant_arithmetic(node);
  NIBBLE_ASSIGN(ValueId lhs, node.real_value(0));
  NIBBLE_ASSIGN(ValueId rhs, node.real_value(1));
  NIBBLE_ASSIGN(ValueId result, node.add(std::move(op), {lhs, rhs}));
  node.set_output(0, result);
  return {};
}

Status unary(OnnxNode& node, Op op) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  NIBBLE_ASSIGN(ValueId result, node.add(std::move(op), {src}));
  node.set_output(0, result);
  return {};
}

// Bounds where min is above max give max everywhere, as ONNX defines it.
Status clamp(OnnxNode& node, Bounds bounds) {
  if (std::isnan(bounds.min) || std::isnan(bounds.max)) return input_error("a bound is NaN");
  bounds.min = std::min(bounds.min, bounds.max);
  if (bounds.none()) {
    node.set_output(0, node.input(0));
    return {};
  }
  return unary(node, Clamp{bounds});
}

Result<float> one_real(OnnxNode& node, size_t index, const std::string& what) {
  NIBBLE_ASSIGN(auto values, node.constant_reals(index, what));
  if (values.size() != 1)
    return input_error(fmt::format("{} has {} elements instead of one", what, values.size()));
  return values[0];
}

// The arithmetic of one operator of com.microsoft on two quantized operands.
Status qlinear_binary(OnnxNode& node, Op op) {
  NIBBLE_ASSIGN(OnnxOperand lhs, dequantized_input(node, 0, 1, 2, 1));
  NIBBLE_ASSIGN(OnnxOperand rhs, dequantized_input(node, 3, 4, 5, 1));
  NIBBLE_ASSIGN(ValueId left, node.value_of(lhs));
  NIBBLE_ASSIGN(ValueId right, node.value_of(rhs));
  NIBBLE_ASSIGN(ValueId result, node.add(std::move(op), {left, right}));
  return set_quantized_output(node, result, 6, 7);
}

}  // namespace

Status import_add(OnnxNode& node) { return binary(node, Add{}); }
Status import_sub(OnnxNode& node) { return binary(node, Sub{}); }
Status import_mul(OnnxNode& node) { return binary(node, Mul{}); }
Status import_qlinear_add(OnnxNode& node) { return qlinear_binary(node, Add{}); }
Status import_qlinear_mul(OnnxNode& node) { return qlinear_binary(node, Mul{}); }

// a / c = a * (1/c)
Status import_div(OnnxNode& node) {
  if (node.all_constant()) return import_constant_arithmetic(node);
  NIBBLE_ASSIGN(ValueId lhs, node.real_value(0));
  auto divisor = node.real_constant(1);
  if (!divisor)
    return input_error(
        "divides by a value that is not a float constant; division by constants is supported");
  for (float& elem : divisor->mutable_data<float>()) {
    if (elem == 0) return input_error("divides by zero");
    elem = 1 / elem;
  }
  NIBBLE_ASSIGN(ValueId factor, node.add_constant(*divisor, node.name() + "/reciprocal"));
  NIBBLE_ASSIGN(ValueId result, node.add(Mul{}, {lhs, factor}));
  node.set_output(0, result);
  return {};
}

// Sum and Mean of any number of operands.
Status import_sum(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId total, node.real_value(0));
  size_t count = node.input_count();
  bool mean = node.op_type() == "Mean" && count > 1;
  for (size_t i = 1; i < count; ++i) {
    NIBBLE_ASSIGN(ValueId next, node.real_value(i));
    bool last = i + 1 == count && !mean;
    NIBBLE_ASSIGN(total, node.add(Add{}, {total, next}, last ? "" : fmt::format("sum_{}", i)));
  }
  if (mean) {
    NIBBLE_ASSIGN(ValueId factor, scalar(node, 1 / static_cast<float>(count), "factor"));
    NIBBLE_ASSIGN(total, node.add(Mul{}, {total, factor}));
  }
  if (count == 1)
    node.set_output(0, node.input(0));
  else
    node.set_output(0, total);
  return {};
}

// Min and Max with constants that hold one number: a clamp.
Status import_min_max(OnnxNode& node) {
  if (node.all_constant()) return import_constant_arithmetic(node);
  Bounds bounds;
  std::optional<size_t> src;
  for (size_t i = 0; i < node.input_count(); ++i) {
    auto constant = node.real_constant(i);
    if (constant && constant->size() == 1) {
      float value = constant->data<float>()[0];
      if (node.op_type() == "Max")
        bounds.min = std::max(bounds.min, value);
      else
        bounds.max = std::min(bounds.max, value);
      continue;
    }
    if (src || constant)
      return input_error(
          "compares two tensors; one tensor with constants of one element is supported");
    src = i;
  }
  if (!src) return input_error("has no operand that depends on the model's input");
  if (bounds.none()) {
    node.set_output(0, node.input(*src));
    return {};
  }
  NIBBLE_ASSIGN(ValueId value, node.real_value(*src));
  NIBBLE_ASSIGN(ValueId result, node.add(Clamp{bounds}, {value}));
  node.set_output(0, result);
  return {};
}

Status import_neg(OnnxNode& node) {
  if (node.all_constant()) return import_constant_arithmetic(node);
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  NIBBLE_ASSIGN(ValueId minus, scalar(node, -1, "minus_one"));
  NIBBLE_ASSIGN(ValueId result, node.add(Mul{}, {src, minus}));
  node.set_output(0, result);
  return {};
}

Status import_relu(OnnxNode& node) {
  return clamp(node, {0, std::numeric_limits<float>::infinity()});
}

Status import_clip(OnnxNode& node) {
  Bounds bounds;
  bounds.min = node.real("min", bounds.min);
  bounds.max = node.real("max", bounds.max);
  if (node.has_input(1)) {
    NIBBLE_ASSIGN(bounds.min, one_real(node, 1, "the bound 'min'"));
  }
  if (node.has_input(2)) {
    NIBBLE_ASSIGN(bounds.max, one_real(node, 2, "the bound 'max'"));
  }
  return clamp(node, bounds);
}

Status import_leaky_relu(OnnxNode& node) {
  return unary(node, LeakyRelu{node.real("alpha", 0.01f)});
}

// Slopes per channel: max(x, 0) + slope * min(x, 0).
Status import_prelu(OnnxNode& node) {
  auto slope = node.real_constant(1);
  if (!slope) return input_error("its slope must be a float constant");
  if (slope->size() == 1) return unary(node, LeakyRelu{slope->data<float>()[0]});
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  NIBBLE_ASSIGN(ValueId slopes, node.real_value(1));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  NIBBLE_ASSIGN(ValueId above, node.add(Clamp{{0, kInfinity}}, {src}, "above"));
  NIBBLE_ASSIGN(ValueId below, node.add(Clamp{{-kInfinity, 0}}, {src}, "below"));
  NIBBLE_ASSIGN(ValueId scaled, node.add(Mul{}, {below, slopes}, "slope"));
  NIBBLE_ASSIGN(ValueId result, node.add(Add{}, {above, scaled}));
  node.set_output(0, result);
  return {};
}

Status import_sigmoid(OnnxNode& node) { return unary(node, Sigmoid{}); }
Status import_tanh(OnnxNode& node) { return unary(node, Tanh{}); }
Status import_hard_swish(OnnxNode& node) { return unary(node, HardSwish{}); }

Status import_hard_sigmoid(OnnxNode& node) {
  return unary(node, HardSigmoid{node.real("alpha", 0.2f), node.real("beta", 0.5f)});
}

// x * sigmoid(alpha * x)
Status import_swish(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  float alpha = node.real("alpha", 1);
  ValueId scaled = src;
  if (alpha != 1) {
    NIBBLE_ASSIGN(ValueId factor, scalar(node, alpha, "alpha"));
    NIBBLE_ASSIGN(scaled, node.add(Mul{}, {src, factor}, "scaled"));
  }
  NIBBLE_ASSIGN(ValueId gate, node.add(Sigmoid{}, {scaled}, "sigmoid"));
  NIBBLE_ASSIGN(ValueId result, node.add(Mul{}, {src, gate}));
  node.set_output(0, result);
  return {};
}

// Before opset 13 all axes from `axis` on are one; since then it is one axis, which is moved to the
// end.
Status import_softmax(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  const Shape shape = node.type_of(src).shape;
  bool flattens = node.opset() < 13;
  size_t rank = shape.size();
  if (rank == 0) return input_error("its input is a scalar");
  NIBBLE_ASSIGN(size_t axis, checked_axis(node.integer("axis", flattens ? 1 : -1), rank));
  if (axis + 1 == rank) return unary(node, Softmax{});
  ValueId result = kNoValue;
  if (flattens) {
    int64_t outer = 1;
    for (size_t i = 0; i < axis; ++i) outer *= shape[i];
    NIBBLE_ASSIGN(src, node.reshape_value(src, {outer, elem_count(shape) / outer}, "flatten"));
    NIBBLE_ASSIGN(result, node.add(Softmax{}, {src}));
    NIBBLE_ASSIGN(result, node.reshape_value(result, shape, "unflatten"));
  } else {
    std::vector<int64_t> perm(rank);
    for (size_t i = 0; i < rank; ++i) perm[i] = static_cast<int64_t>(i);
    std::swap(perm[axis], perm[rank - 1]);  // its own inverse
    NIBBLE_ASSIGN(src, node.transpose_value(src, perm, "axis_last"));
    NIBBLE_ASSIGN(result, node.add(Softmax{}, {src}));
    NIBBLE_ASSIGN(result, node.transpose_value(result, perm, "axis_back"));
  }
  node.set_output(0, result);
  return {};
}

// X, scale, B, mean, variance; channels are ONNX's second axis.
Status import_batch_norm(OnnxNode& node) {
  node.ignore("momentum");
  if (node.integer("training_mode", 0) != 0)
    return input_error("is in training mode; export the model for inference");
  float epsilon = node.real("epsilon", 1e-5f);
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  const Shape shape = node.type_of(src).shape;
  size_t rank = shape.size();
  if (rank < 2)
    return input_error(fmt::format("its input {} has no channels", format_shape(shape)));
  std::vector<int64_t> perm = {0}, back = {0, static_cast<int64_t>(rank) - 1};
  for (size_t i = 2; i < rank; ++i) {
    perm.push_back(static_cast<int64_t>(i));
    back.push_back(static_cast<int64_t>(i) - 1);
  }
  perm.push_back(1);
  std::vector<ValueId> operands;
  NIBBLE_ASSIGN(ValueId last, node.transpose_value(src, perm, "to_nhwc"));
  operands.push_back(last);
  for (size_t i = 1; i < 5; ++i) {
    auto constant = node.real_constant(i);
    if (!constant || constant->size() != shape[1])
      return input_error(fmt::format("its input {} is not a constant of {} floats", i, shape[1]));
    NIBBLE_ASSIGN(ValueId value, node.real_value(i));
    operands.push_back(value);
  }
  NIBBLE_ASSIGN(ValueId result, node.add(BatchNorm{epsilon}, std::move(operands)));
  NIBBLE_ASSIGN(result, node.transpose_value(result, back, "to_nchw"));
  node.set_output(0, result);
  return {};
}

}  // namespace nibble
