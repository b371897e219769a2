// leaky_relu: out = src where src >= 0, else alpha * src. On integers one factor for each half, as
// in TensorFlow Lite:
//   out = (q - z_in) s_in / s_out + z_out  or  (q - z_in) alpha s_in / s_out + z_out, clamped
#include "base/text.h"
#include "ops/checks.h"
#include "ops/lookup.h"

namespace nibble {
namespace {

// Both factors come out of float arithmetic, in this order of operations.
double identity_factor(const TensorType& in, const TensorType& out) {
  return static_cast<double>(tensor_scale(in) / tensor_scale(out));
}
double alpha_factor(const LeakyRelu& op, const TensorType& in, const TensorType& out) {
  return static_cast<double>(tensor_scale(in) * op.alpha / tensor_scale(out));
}

// A negative alpha gives a negative multiplier.
Requant signed_requant(double factor) {
  Requant requant = make_requant(std::abs(factor));
  if (factor < 0) requant.multiplier = -requant.multiplier;
  return requant;
}

ScalarFunction integer_function(const LeakyRelu& op, Rounding rounding, const TensorType& in,
                                const TensorType& out) {
  Requant identity = make_requant(identity_factor(in, out));
  Requant alpha = signed_requant(alpha_factor(op, in, out));
  int32_t in_zero = tensor_zero_point(in), out_zero = tensor_zero_point(out);
  ClampRange range{out.quant->q_min, out.quant->q_max};
  return [=](int32_t q) -> int32_t {
    int32_t centred = q - in_zero;
    return rescale(centred, centred >= 0 ? identity : alpha, rounding, out_zero, range);
  };
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<LeakyRelu>::infer(const LeakyRelu& op, Operands in) {
  if (!std::isfinite(op.alpha))
    return input_error(fmt::format("alpha is {}, must be finite", format_float(op.alpha)));
  return infer_unary(in);
}

template <>
Status OpDef<LeakyRelu>::verify_integer(const LeakyRelu& op, Rounding rounding, Operands in,
                                        const TensorType& out) {
  NIBBLE_TRY(check_activations(*in[0].type, out));
  int64_t reach = out.dtype == DType::kS8 ? 255 : max_abs_centred(*in[0].type);
  double identity = identity_factor(*in[0].type, out);
  double alpha = std::abs(alpha_factor(op, *in[0].type, out));
  NIBBLE_TRY(check_factor(identity, "input scale / output scale"));
  NIBBLE_TRY(check_factor(alpha, "alpha * input scale / output scale"));
  NIBBLE_TRY(check_accumulator(reach, make_requant(identity), rounding, ""));
  return check_accumulator(reach, make_requant(alpha), rounding, "");
}

template <>
void OpDef<LeakyRelu>::run_float(const LeakyRelu& op, Inputs in, Tensor& out) {
  run_unary_float(*in[0], out, [&](float x) { return x >= 0 ? x : op.alpha * x; });
}

template <>
void OpDef<LeakyRelu>::run_integer(const LeakyRelu& op, Rounding rounding, Inputs in, Tensor& out) {
  run_lookup(integer_function(op, rounding, in[0]->type(), out.type()), *in[0], out);
}

template <>
QuantRule OpDef<LeakyRelu>::quant_rule(const LeakyRelu&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<LeakyRelu>::lower(const LeakyRelu& op, Rounding rounding,
                                                           Operands in, const TensorType& out) {
  const TensorType& src = *in[0].type;
  if (out.dtype == DType::kS8)
    return std::vector{lookup_request(integer_function(op, rounding, src, out), src)};
  Requant identity = make_requant(identity_factor(src, out));
  Requant alpha = signed_requant(alpha_factor(op, src, out));
  KernelRequest request;
  request.family = "leaky_relu_s16";
  request.fields = {{"len", elem_count(out.shape)},
                    {"multiplier", identity.multiplier},
                    {"exponent", identity.exponent},
                    {"alpha_multiplier", alpha.multiplier},
                    {"alpha_exponent", alpha.exponent}};
  add_symmetric_output_fields(request, out, {}, rounding_code(rounding));
  request.in_place = true;
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<LeakyRelu>::macs(const LeakyRelu&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
