// batch_norm: gamma * (src - mean) / sqrt(variance + epsilon) + beta along the last axis, in float.
// There is no integer form: passes fold it into the layer before it, or turn it into a depthwise
// convolution.
#include <cmath>

#include "ops/checks.h"

namespace nibble {

template <>
Result<std::vector<TensorType>> OpDef<BatchNorm>::infer(const BatchNorm& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src", "gamma", "beta", "mean", "variance"}));
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_min_rank(src, 1, "src"));
  constexpr std::string_view kNames[] = {"src", "gamma", "beta", "mean", "variance"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    const TensorType& type = *in[i].type;
    if (type.dtype != DType::kF32)
      return input_error(fmt::format("{} is {}, must be f32", kNames[i], dtype_name(type.dtype)));
    if (i > 0 && elem_count(type.shape) != src.shape.back())
      return input_error(fmt::format("{} has shape {}, must have one value for each of {} channels",
                                     kNames[i], format_shape(type.shape), src.shape.back()));
  }
  if (!(op.epsilon >= 0))
    return input_error(fmt::format("epsilon is {}, must not be negative", op.epsilon));
  return std::vector{TensorType{src.shape, DType::kF32, std::nullopt}};
}

template <>
Status OpDef<BatchNorm>::verify_integer(const BatchNorm&, Rounding, Operands, const TensorType&) {
  return input_error("has no integer form; it must be folded into the layer before it");
}

template <>
void OpDef<BatchNorm>::run_float(const BatchNorm& op, Inputs in, Tensor& out) {
  auto src = in[0]->data<float>(), gamma = in[1]->data<float>(), beta = in[2]->data<float>(),
       mean = in[3]->data<float>(), variance = in[4]->data<float>();
  auto dst = out.mutable_data<float>();
  std::vector<float> scale(gamma.size());
  for (size_t c = 0; c < scale.size(); ++c)
    scale[c] = gamma[c] / std::sqrt(variance[c] + op.epsilon);
  for (size_t i = 0; i < src.size(); ++i) {
    size_t c = i % scale.size();
    dst[i] = (src[i] - mean[c]) * scale[c] + beta[c];
  }
}

template <>
void OpDef<BatchNorm>::run_integer(const BatchNorm&, Rounding, Inputs, Tensor&) {
  NIBBLE_UNREACHABLE("verify_integer refuses batch_norm");
}

template <>
QuantRule OpDef<BatchNorm>::quant_rule(const BatchNorm&) {
  QuantRule rule;
  rule.output = QuantRule::Output::kFloat;
  return rule;
}

template <>
Result<std::vector<KernelRequest>> OpDef<BatchNorm>::lower(const BatchNorm&, Rounding, Operands,
                                                           const TensorType&) {
  return input_error("has no kernel; it must be folded into the layer before it");
}

template <>
int64_t OpDef<BatchNorm>::macs(const BatchNorm&, Operands, const TensorType& out) {
  return elem_count(out.shape);
}

}  // namespace nibble
