// sigmoid: out = 1 / (1 + exp(-src)). With the output parameters that TensorFlow Lite prescribes
// (scale 1/256, zero point -128) the integer form is its fixed-point evaluation, bit for bit; with
// others it is the nearest value.
#include "common/fixed_point.h"
#include "ops/fixed_activation.h"

namespace nibble {
namespace {

constexpr float kScale = 1.0f / 256;
constexpr int32_t kZeroPoint = -128;

// A number in Q4.27 to s8 of scale 1/256 and zero point -128.
int32_t sigmoid_of_q4(int32_t x) {
  int32_t result = int32_t{1} << 30;
  if (x != 0) {
    int32_t positive = nibble_one_over_one_plus(nibble_exp_of_negative(x > 0 ? -x : x, 4));
    result = x > 0 ? positive : INT32_MAX - positive;
  }
  return nibble_clamp(nibble_rounding_shift_right(result, 23) - 128, -128, 127);
}

ScalarFunction integer_function(const Sigmoid&, Rounding, const TensorType& in,
                                const TensorType& out) {
  if (has_params(out, kScale, kZeroPoint)) return saturating_q4_function(in, sigmoid_of_q4);
  return nearest_function([](double x) { return 1 / (1 + std::exp(-x)); }, in, out);
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Sigmoid>::infer(const Sigmoid&, Operands in) {
  return infer_unary(in);
}

template <>
Status OpDef<Sigmoid>::verify_integer(const Sigmoid&, Rounding, Operands in,
                                      const TensorType& out) {
  return verify_unary_s8(in, out);
}

template <>
void OpDef<Sigmoid>::run_float(const Sigmoid&, Inputs in, Tensor& out) {
  run_unary_float(*in[0], out, [](float x) { return 1 / (1 + std::exp(-x)); });
}

template <>
void OpDef<Sigmoid>::run_integer(const Sigmoid& op, Rounding rounding, Inputs in, Tensor& out) {
  run_lookup(integer_function(op, rounding, in[0]->type(), out.type()), *in[0], out);
}

template <>
QuantRule OpDef<Sigmoid>::quant_rule(const Sigmoid&) {
  return {QuantRule::Output::kFixed, kScale, kZeroPoint};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Sigmoid>::lower(const Sigmoid& op, Rounding rounding,
                                                         Operands in, const TensorType& out) {
  return std::vector{lookup_request(integer_function(op, rounding, *in[0].type, out), *in[0].type)};
}

template <>
int64_t OpDef<Sigmoid>::macs(const Sigmoid&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
