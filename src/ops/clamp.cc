// clamp: out = src clamped to [act.min, act.max] (relu, relu6, clip). On integers
//   out = clamp((q - z_in) s_in / s_out + z_out)
// which is only the clamp where both have the same parameters.
#include "ops/bounds.h"
#include "ops/checks.h"
#include "ops/lookup.h"

namespace nibble {
namespace {

bool same_params(const TensorType& in, const TensorType& out) {
  return tensor_scale(in) == tensor_scale(out) && tensor_zero_point(in) == tensor_zero_point(out);
}

ScalarFunction integer_function(const Clamp& op, Rounding rounding, const TensorType& in,
                                const TensorType& out) {
  return rescale_function(in, out, rounding, activation_range(op.act, out));
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Clamp>::infer(const Clamp& op, Operands in) {
  NIBBLE_TRY(check_bounds(op.act));
  return infer_unary(in);
}

template <>
Status OpDef<Clamp>::verify_integer(const Clamp&, Rounding rounding, Operands in,
                                    const TensorType& out) {
  NIBBLE_TRY(check_activations(*in[0].type, out));
  return check_rescale(*in[0].type, out, rounding);
}

template <>
void OpDef<Clamp>::run_float(const Clamp& op, Inputs in, Tensor& out) {
  run_unary_float(*in[0], out, [&](float x) { return bounded(x, op.act); });
}

template <>
void OpDef<Clamp>::run_integer(const Clamp& op, Rounding rounding, Inputs in, Tensor& out) {
  run_lookup(integer_function(op, rounding, in[0]->type(), out.type()), *in[0], out);
}

template <>
QuantRule OpDef<Clamp>::quant_rule(const Clamp&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Clamp>::lower(const Clamp& op, Rounding rounding,
                                                       Operands in, const TensorType& out) {
  if (!same_params(*in[0].type, out) && out.dtype == DType::kS16)
    return std::vector{
        rescale_s16_request(*in[0].type, out, rounding, activation_range(op.act, out))};
  if (!same_params(*in[0].type, out))
    return std::vector{
        lookup_request(integer_function(op, rounding, *in[0].type, out), *in[0].type)};
  ClampRange range = activation_range(op.act, out);
  KernelRequest request;
  request.family = family_of("clamp", out);
  request.fields = {{"len", elem_count(out.shape)}, {"act_min", range.min}, {"act_max", range.max}};
  request.in_place = true;
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Clamp>::macs(const Clamp&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
