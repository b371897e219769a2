// quantize: f32 → integer, q = clamp(round_half_away(real / scale) + zero_point); or integer →
// integer of another scale or width, rescaled by src scale / output scale. Which of the two, the
// types of its values say.
#include <algorithm>

#include "ops/checks.h"
#include "ops/lookup.h"

namespace nibble {
namespace {

double requant_factor(const TensorType& src, const TensorType& out) {
  return static_cast<double>(tensor_scale(src)) / static_cast<double>(tensor_scale(out));
}

bool has_kernel(DType src, DType out) {
  if (src == DType::kS16) return out == DType::kS8 || out == DType::kS16 || out == DType::kS32;
  if (out == DType::kS16) return src == DType::kS8 || src == DType::kS32;
  return src == DType::kS8 && out == DType::kS8;
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Quantize>::infer(const Quantize&, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  return std::vector{TensorType{in[0].type->shape, DType::kS8, std::nullopt}};
}

template <>
Status OpDef<Quantize>::verify_integer(const Quantize&, Rounding rounding, Operands in,
                                       const TensorType& out) {
  NIBBLE_TRY(check_per_tensor(out, "output"));
  const TensorType& src = *in[0].type;
  if (src.dtype == DType::kF32) return {};
  NIBBLE_TRY(check_per_tensor(src, "src"));
  double factor = requant_factor(src, out);
  NIBBLE_TRY(check_factor(factor, "src scale / output scale"));
  // Not shifted left, any value of 32 bits gives one of 32 bits, with room for an s16's zero point.
  if (src.dtype == DType::kS32 && tensor_zero_point(src) == 0 && make_requant(factor).exponent < 0)
    return {};
  return check_accumulator(max_abs_centred(src), make_requant(factor), rounding, "");
}

template <>
void OpDef<Quantize>::run_float(const Quantize&, Inputs in, Tensor& out) {
  out = quantize_tensor(*in[0], out.type());
}

template <>
void OpDef<Quantize>::run_integer(const Quantize&, Rounding rounding, Inputs in, Tensor& out) {
  Requant requant = make_requant(requant_factor(in[0]->type(), out.type()));
  int64_t in_zero = tensor_zero_point(in[0]->type()), out_zero = tensor_zero_point(out.type());
  const QuantParams& quant = *out.type().quant;
  for (int64_t i = 0; i < out.size(); ++i) {
    auto centred = static_cast<int32_t>(in[0]->integer_at(i) - in_zero);
    int64_t q = out_zero + nibble_requant(centred, requant.multiplier, requant.exponent,
                                          rounding_code(rounding));
    out.set_integer_at(i, std::clamp<int64_t>(q, quant.q_min, quant.q_max));
  }
}

template <>
QuantRule OpDef<Quantize>::quant_rule(const Quantize&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Quantize>::lower(const Quantize&, Rounding rounding,
                                                          Operands in, const TensorType& out) {
  const TensorType& src = *in[0].type;
  ClampRange range = activation_range({}, out);
  KernelRequest request;
  request.fields = {{"len", elem_count(out.shape)}};
  bool narrow = out.dtype == DType::kS8 || out.dtype == DType::kS16;
  if (src.dtype == DType::kF32 && narrow) {
    request.family = family_of("quantize_f32", out);
    request.fields.insert(request.fields.end(), {{"scale", float_field(tensor_scale(out))},
                                                 {"out_zero", tensor_zero_point(out)},
                                                 {"act_min", range.min},
                                                 {"act_max", range.max}});
    return std::vector{std::move(request)};
  }
  if (!has_kernel(src.dtype, out.dtype))
    return input_error(
        fmt::format("no kernel quantizes {} to {}; there are f32 to s8 or s16, and from one of s8, "
                    "s16 and s32 to another, but not between s8 and s32",
                    dtype_name(src.dtype), dtype_name(out.dtype)));
  if (src.dtype == DType::kS16 && out.dtype == DType::kS16) {
    for (const TensorType* type : {&src, &out}) NIBBLE_TRY(check_activation(*type, "a s16 value"));
    return std::vector{rescale_s16_request(src, out, rounding, range)};
  }
  // A zero point, added to what may fill 32 bits, could overflow.
  if (out.dtype == DType::kS32 && tensor_zero_point(out) != 0)
    return input_error(fmt::format("the output is s32 with zero point {}; the kernel takes 0",
                                   tensor_zero_point(out)));
  Requant requant = make_requant(requant_factor(src, out));
  request.family = family_of("requantize", src);
  if (src.dtype != out.dtype) request.family = family_of(request.family, out);
  request.fields.insert(request.fields.end(),
                        {{"multiplier", requant.multiplier}, {"exponent", requant.exponent}});
  add_output_fields(request, src, out, {}, rounding);
  request.in_place = src.dtype == out.dtype;
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Quantize>::macs(const Quantize&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
