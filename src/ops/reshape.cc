// reshape: the same elements in the same order under another shape; costs nothing at run time.
#include "base/text.h"
#include "ops/checks.h"
#include "ops/move.h"

namespace nibble {

template <>
Result<std::vector<TensorType>> OpDef<Reshape>::infer(const Reshape& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_extents(op.shape, "shape"));
  if (elem_count(op.shape) != elem_count(src.shape))
    return input_error(fmt::format("src {} has {} elements, shape {} has {}",
                                   format_shape(src.shape), elem_count(src.shape),
                                   format_shape(op.shape), elem_count(op.shape)));
  return std::vector<TensorType>{{op.shape, src.dtype, std::nullopt}};
}

template <>
void OpDef<Reshape>::run_float(const Reshape&, Inputs in, Tensor& out) {
  auto src = in[0]->bytes();
  std::memcpy(out.mutable_bytes().data(), src.data(), src.size());
}

template <>
Result<std::vector<KernelRequest>> OpDef<Reshape>::lower(const Reshape&, Rounding, Operands,
                                                         const TensorType&) {
  return std::vector<KernelRequest>();
}

template <>
Status OpDef<Reshape>::verify_integer(const Reshape&, Rounding, Operands in,
                                      const TensorType& out) {
  return verify_move(in, out);
}

template <>
void OpDef<Reshape>::run_integer(const Reshape& op, Rounding, Inputs in, Tensor& out) {
  run_float(op, in, out);
}

template <>
QuantRule OpDef<Reshape>::quant_rule(const Reshape&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
int64_t OpDef<Reshape>::macs(const Reshape&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
