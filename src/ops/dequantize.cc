// dequantize: integer → f32, real = scale * (q - zero_point).
#include "ops/checks.h"

namespace nibble {

template <>
Result<std::vector<TensorType>> OpDef<Dequantize>::infer(const Dequantize&, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  return std::vector{TensorType{in[0].type->shape, DType::kF32, std::nullopt}};
}

template <>
Status OpDef<Dequantize>::verify_integer(const Dequantize&, Rounding, Operands in,
                                         const TensorType& out) {
  if (out.dtype != DType::kF32)
    return input_error(fmt::format("output is {}, must be f32", dtype_name(out.dtype)));
  const TensorType& src = *in[0].type;
  // Constants, such as the weights of an imported model, may have a scale per channel.
  if (!in[0].constant) return check_per_tensor(src, "src");
  if (!is_integer(src.dtype) || !src.quant)
    return input_error(
        fmt::format("src is {} without scale and zero point; must be an integer that "
                    "stands for a real number",
                    dtype_name(src.dtype)));
  return {};
}

template <>
void OpDef<Dequantize>::run_float(const Dequantize&, Inputs in, Tensor& out) {
  out = dequantize_tensor(*in[0]);
}

template <>
void OpDef<Dequantize>::run_integer(const Dequantize&, Rounding, Inputs, Tensor&) {
  NIBBLE_UNREACHABLE("the output of dequantize is f32");
}

template <>
QuantRule OpDef<Dequantize>::quant_rule(const Dequantize&) {
  QuantRule rule;
  rule.output = QuantRule::Output::kFloat;
  return rule;
}

template <>
Result<std::vector<KernelRequest>> OpDef<Dequantize>::lower(const Dequantize&, Rounding,
                                                            Operands in, const TensorType& out) {
  const TensorType& src = *in[0].type;
  if (src.dtype != DType::kS8 && src.dtype != DType::kS16)
    return input_error(
        fmt::format("no kernel dequantizes {}; there are s8 and s16", dtype_name(src.dtype)));
  KernelRequest request;
  request.family = family_of("dequantize", src) + "_f32";
  request.fields = {{"len", elem_count(out.shape)},
                    {"in_zero", tensor_zero_point(src)},
                    {"scale", float_field(tensor_scale(src))}};
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Dequantize>::macs(const Dequantize&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
