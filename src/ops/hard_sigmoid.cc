// hard_sigmoid: out = clamp(alpha src + beta, 0, 1). The integer form is the nearest value of the
// real function.
#include <algorithm>

#include "base/text.h"
#include "ops/lookup.h"

namespace nibble {
namespace {

ScalarFunction integer_function(const HardSigmoid& op, Rounding, const TensorType& in,
                                const TensorType& out) {
  double alpha = op.alpha, beta = op.beta;
  return nearest_function([=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); }, in,
                          out);
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<HardSigmoid>::infer(const HardSigmoid& op, Operands in) {
  if (!std::isfinite(op.alpha) || !std::isfinite(op.beta))
    return input_error(fmt::format("alpha is {} and beta {}; both must be finite",
                                   format_float(op.alpha), format_float(op.beta)));
  return infer_unary(in);
}

template <>
Status OpDef<HardSigmoid>::verify_integer(const HardSigmoid&, Rounding, Operands in,
                                          const TensorType& out) {
  return verify_unary_s8(in, out);
}

template <>
void OpDef<HardSigmoid>::run_float(const HardSigmoid& op, Inputs in, Tensor& out) {
  run_unary_float(*in[0], out,
                  [&](float x) { return std::min(std::max(op.alpha * x + op.beta, 0.0f), 1.0f); });
}

template <>
void OpDef<HardSigmoid>::run_integer(const HardSigmoid& op, Rounding rounding, Inputs in,
                                     Tensor& out) {
  run_lookup(integer_function(op, rounding, in[0]->type(), out.type()), *in[0], out);
}

// Unlike sigmoid it reaches 1, which 1/256 could not express: gates that are open stay open.
template <>
QuantRule OpDef<HardSigmoid>::quant_rule(const HardSigmoid&) {
  return {QuantRule::Output::kFixed, 1.0f / 255, -128};
}

template <>
Result<std::vector<KernelRequest>> OpDef<HardSigmoid>::lower(const HardSigmoid& op,
                                                             Rounding rounding, Operands in,
                                                             const TensorType& out) {
  return std::vector{lookup_request(integer_function(op, rounding, *in[0].type, out), *in[0].type)};
}

template <>
int64_t OpDef<HardSigmoid>::macs(const HardSigmoid&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
