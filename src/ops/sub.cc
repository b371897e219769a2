// sub: out = clamp(lhs - rhs), broadcast as in NumPy.
#include "ops/add_sub.h"

namespace nibble {

template <>
Result<std::vector<TensorType>> OpDef<Sub>::infer(const Sub& op, Operands in) {
  return infer_binary(in, op.act);
}

template <>
Status OpDef<Sub>::verify_integer(const Sub&, Rounding, Operands in, const TensorType& out) {
  return verify_add(AddKind::kSub, in, out);
}

template <>
void OpDef<Sub>::run_float(const Sub& op, Inputs in, Tensor& out) {
  combine_broadcast<float>(*in[0], *in[1], out,
                           [&](float lhs, float rhs) { return bounded(lhs - rhs, op.act); });
}

template <>
void OpDef<Sub>::run_integer(const Sub& op, Rounding rounding, Inputs in, Tensor& out) {
  if (!out.type().quant) {
    combine_plain_integers(*in[0], *in[1], out,
                           [](uint64_t lhs, uint64_t rhs) { return lhs - rhs; });
    return;
  }
  run_add(add_scaling(AddKind::kSub, op.act, rounding, in[0]->type(), in[1]->type(), out.type()),
          in, out);
}

template <>
QuantRule OpDef<Sub>::quant_rule(const Sub&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Sub>::lower(const Sub& op, Rounding rounding, Operands in,
                                                     const TensorType& out) {
  return lower_add(AddKind::kSub, op.act, rounding, in, out);
}

template <>
int64_t OpDef<Sub>::macs(const Sub&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
