// Element-wise operators on constants, as exporters leave them in the computation of shapes and of
// parameters: computed when the model is read, they leave no node.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

enum class Arithmetic {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kMin,
  kMax,
  kPow,
  kEqual,
  kLess,
  kGreater,
  kLessOrEqual,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kNeg,
  kAbs,
  kFloor,
  kCeil,
  kSqrt,
  kNot,
  kReciprocal
};

std::optional<Arithmetic> arithmetic_of(const std::string& op) {
  static const std::map<std::string, Arithmetic> kTable = {
      {"Add", Arithmetic::kAdd},
      {"Sub", Arithmetic::kSub},
      {"Mul", Arithmetic::kMul},
      {"Div", Arithmetic::kDiv},
      {"Mod", Arithmetic::kMod},
      {"Min", Arithmetic::kMin},
      {"Max", Arithmetic::kMax},
      {"Pow", Arithmetic::kPow},
      {"Equal", Arithmetic::kEqual},
      {"Less", Arithmetic::kLess},
      {"Greater", Arithmetic::kGreater},
      {"LessOrEqual", Arithmetic::kLessOrEqual},
      {"GreaterOrEqual", Arithmetic::kGreaterOrEqual},
      {"And", Arithmetic::kAnd},
      {"Or", Arithmetic::kOr},
      {"Neg", Arithmetic::kNeg},
      {"Abs", Arithmetic::kAbs},
      {"Floor", Arithmetic::kFloor},
      {"Ceil", Arithmetic::kCeil},
      {"Sqrt", Arithmetic::kSqrt},
      {"Not", Arithmetic::kNot},
      {"Reciprocal", Arithmetic::kReciprocal}};
  auto found = kTable.find(op);
  return found == kTable.end() ? std::nullopt : std::optional(found->second);
}

bool gives_truth(Arithmetic op) {
  switch (op) {
    case Arithmetic::kEqual:
    case Arithmetic::kLess:
    case Arithmetic::kGreater:
    case Arithmetic::kLessOrEqual:
    case Arithmetic::kGreaterOrEqual:
    case Arithmetic::kAnd:
    case Arithmetic::kOr:
    case Arithmetic::kNot:
      return true;
    default:
      return false;
  }
}

float apply_real(Arithmetic op, float a, float b) {
  switch (op) {
    case Arithmetic::kAdd:
      return a + b;
    case Arithmetic::kSub:
      return a - b;
    case Arithmetic::kMul:
      return a * b;
    case Arithmetic::kDiv:
      return a / b;
    case Arithmetic::kMod:
      return std::fmod(a, b);
    case Arithmetic::kMin:
      return std::min(a, b);
    case Arithmetic::kMax:
      return std::max(a, b);
    case Arithmetic::kPow:
      return std::pow(a, b);
    case Arithmetic::kNeg:
      return -a;
    case Arithmetic::kAbs:
      return std::abs(a);
    case Arithmetic::kFloor:
      return std::floor(a);
    case Arithmetic::kCeil:
      return std::ceil(a);
    case Arithmetic::kSqrt:
      return std::sqrt(a);
    case Arithmetic::kReciprocal:
      return 1 / a;
    default:
      return 0;
  }
}

// Wraps around like the element type; division by zero is caught before.
int64_t apply_integer(Arithmetic op, int64_t a, int64_t b) {
  auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  switch (op) {
    case Arithmetic::kAdd:
      return static_cast<int64_t>(x + y);
    case Arithmetic::kSub:
      return static_cast<int64_t>(x - y);
    case Arithmetic::kMul:
      return static_cast<int64_t>(x * y);
    case Arithmetic::kDiv:
      return b == -1 ? static_cast<int64_t>(0 - x) : a / b;
    case Arithmetic::kMod: {
      // The sign of the divisor, as in Python.
      int64_t rest = b == -1 ? 0 : a % b;
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case Arithmetic::kMin:
      return std::min(a, b);
    case Arithmetic::kMax:
      return std::max(a, b);
    case Arithmetic::kPow:
      return to_integer(std::pow(static_cast<double>(a), static_cast<double>(b)));
    case Arithmetic::kNeg:
      return static_cast<int64_t>(0 - x);
    case Arithmetic::kAbs:
      return a < 0 ? static_cast<int64_t>(0 - x) : a;
    default:
      return a;
  }
}

template <class T>
bool apply_truth(Arithmetic op, T a, T b) {
  switch (op) {
    case Arithmetic::kEqual:
      return a == b;
    case Arithmetic::kLess:
      return a < b;
    case Arithmetic::kGreater:
      return a > b;
    case Arithmetic::kLessOrEqual:
      return a <= b;
    case Arithmetic::kGreaterOrEqual:
      return a >= b;
    case Arithmetic::kAnd:
      return a != 0 && b != 0;
    case Arithmetic::kOr:
      return a != 0 || b != 0;
    default:
      return a == 0;
  }
}

Result<Tensor> apply(OnnxNode& node, Arithmetic op, const Tensor& lhs, const Tensor& rhs) {
  if (lhs.dtype() != rhs.dtype()) return input_error("mixes element types");
  NIBBLE_ASSIGN(Shape shape, broadcast_shapes(lhs.shape(), rhs.shape()));
  NIBBLE_TRY(node.reserve(shape, DType::kS64));
  Tensor a = broadcast_constant(lhs, shape), b = broadcast_constant(rhs, shape);
  bool truth = gives_truth(op), real = a.dtype() == DType::kF32;
  Tensor result(TensorType{shape, truth ? DType::kBool : a.dtype(), std::nullopt});
  for (int64_t i = 0; i < result.size(); ++i) {
    auto at = static_cast<size_t>(i);
    if (real && truth) {
      result.set_integer_at(i, apply_truth(op, a.data<float>()[at], b.data<float>()[at]));
    } else if (real) {
      result.mutable_data<float>()[at] = apply_real(op, a.data<float>()[at], b.data<float>()[at]);
    } else if (truth) {
      result.set_integer_at(i, apply_truth(op, a.integer_at(i), b.integer_at(i)));
    } else {
      bool divides = op == Arithmetic::kDiv || op == Arithmetic::kMod;
      if (divides && b.integer_at(i) == 0) return input_error("divides by zero");
      result.set_integer_at(i, apply_integer(op, a.integer_at(i), b.integer_at(i)));
    }
  }
  return result;
}

}  // namespace

Status import_constant_arithmetic(OnnxNode& node) {
  node.ignore("fmod");
  NIBBLE_TRY(need_constants(node));
  auto op = arithmetic_of(node.op_type());
  NIBBLE_CHECK(op.has_value(), "{} is not arithmetic", node.op_type());
  Tensor result = *node.input(0).constant;
  if (node.input_count() == 1 && *op != Arithmetic::kMin && *op != Arithmetic::kMax) {
    NIBBLE_ASSIGN(result, apply(node, *op, result, result));
  }
  for (size_t i = 1; i < node.input_count(); ++i) {
    if (!node.has_input(i)) return input_error(fmt::format("input {} is missing", i));
    NIBBLE_ASSIGN(result, apply(node, *op, result, *node.input(i).constant));
  }
  return set_constant(node, std::move(result));
}

}  // namespace nibble
