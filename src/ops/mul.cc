// mul: out = clamp(lhs * rhs), broadcast as in NumPy. On integers
//   out = clamp((lhs - z_lhs) (rhs - z_rhs) s_lhs s_rhs / s_out + z_out)
#include "ops/arithmetic.h"
#include "ops/broadcast.h"
#include "ops/checks.h"

namespace nibble {
namespace {

double mul_factor(const TensorType& lhs, const TensorType& rhs, const TensorType& out) {
  return static_cast<double>(tensor_scale(lhs)) * static_cast<double>(tensor_scale(rhs)) /
         static_cast<double>(tensor_scale(out));
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Mul>::infer(const Mul& op, Operands in) {
  return infer_binary(in, op.act);
}

template <>
Status OpDef<Mul>::verify_integer(const Mul&, Rounding rounding, Operands in,
                                  const TensorType& out) {
  NIBBLE_TRY(verify_binary(in, out));
  const TensorType &lhs = *in[0].type, &rhs = *in[1].type;
  double factor = mul_factor(lhs, rhs, out);
  NIBBLE_TRY(check_factor(factor, "lhs scale * rhs scale / output scale"));
  return check_accumulator(max_abs_centred(lhs) * max_abs_centred(rhs), make_requant(factor),
                           rounding, "");
}

template <>
void OpDef<Mul>::run_float(const Mul& op, Inputs in, Tensor& out) {
  combine_broadcast<float>(*in[0], *in[1], out,
                           [&](float lhs, float rhs) { return bounded(lhs * rhs, op.act); });
}

template <>
void OpDef<Mul>::run_integer(const Mul& op, Rounding rounding, Inputs in, Tensor& out) {
  if (!out.type().quant) {
    combine_plain_integers(*in[0], *in[1], out,
                           [](uint64_t lhs, uint64_t rhs) { return lhs * rhs; });
    return;
  }
  const TensorType &lhs_type = in[0]->type(), &rhs_type = in[1]->type();
  Requant requant = make_requant(mul_factor(lhs_type, rhs_type, out.type()));
  int32_t lhs_zero = tensor_zero_point(lhs_type), rhs_zero = tensor_zero_point(rhs_type);
  int32_t out_zero = tensor_zero_point(out.type());
  ClampRange range = activation_range(op.act, out.type());
  if (out.dtype() == DType::kS16) {
    combine_broadcast<int16_t>(*in[0], *in[1], out, [&](int16_t lhs, int16_t rhs) {
      return static_cast<int16_t>(rescale(lhs * rhs, requant, rounding, 0, range));
    });
    return;
  }
  combine_broadcast<int8_t>(*in[0], *in[1], out, [&](int8_t lhs, int8_t rhs) {
    return rescale_s8((lhs - lhs_zero) * (rhs - rhs_zero), requant, rounding, out_zero, range);
  });
}

template <>
QuantRule OpDef<Mul>::quant_rule(const Mul&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Mul>::lower(const Mul& op, Rounding rounding, Operands in,
                                                     const TensorType& out) {
  bool swapped = false;
  NIBBLE_ASSIGN(KernelRequest request, binary_request("mul", in, true, &swapped));
  const TensorType &lhs = *in[swapped ? 1 : 0].type, &rhs = *in[swapped ? 0 : 1].type;
  Requant requant = make_requant(mul_factor(lhs, rhs, out));
  ClampRange range = activation_range(op.act, out);
  if (out.dtype == DType::kS8)
    request.fields.insert(request.fields.end(), {{"lhs_zero", tensor_zero_point(lhs)},
                                                 {"rhs_zero", tensor_zero_point(rhs)},
                                                 {"out_zero", tensor_zero_point(out)}});
  request.fields.insert(request.fields.end(), {{"multiplier", requant.multiplier},
                                               {"exponent", requant.exponent},
                                               {"act_min", range.min},
                                               {"act_max", range.max},
                                               {"rounding", rounding_code(rounding)}});
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Mul>::macs(const Mul&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
