// add: out = clamp(lhs + rhs), broadcast as in NumPy.
#include "ops/add_sub.h"

namespace nibble {

template <>
Result<std::vector<TensorType>> OpDef<Add>::infer(const Add& op, Operands in) {
  return infer_binary(in, op.act);
}

template <>
Status OpDef<Add>::verify_integer(const Add&, Rounding, Operands in, const TensorType& out) {
  return verify_add(AddKind::kAdd, in, out);
}

template <>
void OpDef<Add>::run_float(const Add& op, Inputs in, Tensor& out) {
  combine_broadcast<float>(*in[0], *in[1], out,
                           [&](float lhs, float rhs) { return bounded(lhs + rhs, op.act); });
}

template <>
void OpDef<Add>::run_integer(const Add& op, Rounding rounding, Inputs in, Tensor& out) {
  if (!out.type().quant) {
    combine_plain_integers(*in[0], *in[1], out,
                           [](uint64_t lhs, uint64_t rhs) { return lhs + rhs; });
    return;
  }
  run_add(add_scaling(AddKind::kAdd, op.act, rounding, in[0]->type(), in[1]->type(), out.type()),
          in, out);
}

template <>
QuantRule OpDef<Add>::quant_rule(const Add&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Add>::lower(const Add& op, Rounding rounding, Operands in,
                                                     const TensorType& out) {
  return lower_add(AddKind::kAdd, op.act, rounding, in, out);
}

template <>
int64_t OpDef<Add>::macs(const Add&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
