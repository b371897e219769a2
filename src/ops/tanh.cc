// tanh. With the output parameters that TensorFlow Lite prescribes (scale 1/128, zero point 0) the
// integer form is its fixed-point evaluation, bit for bit; with others it is the nearest value.
#include "common/fixed_point.h"
#include "ops/fixed_activation.h"

namespace nibble {
namespace {

constexpr float kScale = 1.0f / 128;
constexpr int32_t kZeroPoint = 0;

// tanh(|x|) = (1 - exp(-2|x|)) / (1 + exp(-2|x|)); a number in Q4.27 is twice itself in Q5.26.
int32_t tanh_of_q4(int32_t x) {
  int32_t result = 0;
  if (x != 0) {
    int32_t magnitude = nibble_one_minus_over_one_plus(nibble_exp_of_negative(x > 0 ? -x : x, 5));
    result = x > 0 ? magnitude : -magnitude;
  }
  return nibble_clamp(nibble_rounding_shift_right(result, 24), -128, 127);
}

ScalarFunction integer_function(const Tanh&, Rounding, const TensorType& in,
                                const TensorType& out) {
  if (has_params(out, kScale, kZeroPoint)) return saturating_q4_function(in, tanh_of_q4);
  return nearest_function([](double x) { return std::tanh(x); }, in, out);
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Tanh>::infer(const Tanh&, Operands in) {
  return infer_unary(in);
}

template <>
Status OpDef<Tanh>::verify_integer(const Tanh&, Rounding, Operands in, const TensorType& out) {
  return verify_unary_s8(in, out);
}

template <>
void OpDef<Tanh>::run_float(const Tanh&, Inputs in, Tensor& out) {
  run_unary_float(*in[0], out, [](float x) { return std::tanh(x); });
}

template <>
void OpDef<Tanh>::run_integer(const Tanh& op, Rounding rounding, Inputs in, Tensor& out) {
  run_lookup(integer_function(op, rounding, in[0]->type(), out.type()), *in[0], out);
}

template <>
QuantRule OpDef<Tanh>::quant_rule(const Tanh&) {
  return {QuantRule::Output::kFixed, kScale, kZeroPoint};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Tanh>::lower(const Tanh& op, Rounding rounding,
                                                      Operands in, const TensorType& out) {
  return std::vector{lookup_request(integer_function(op, rounding, *in[0].type, out), *in[0].type)};
}

template <>
int64_t OpDef<Tanh>::macs(const Tanh&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
