// transpose: axis i of the output is axis perm[i] of src.
#include "base/text.h"
#include "ops/checks.h"
#include "ops/move.h"

namespace nibble {
namespace {

StridedCopy transpose_copy(const Transpose& op, const Shape& src) {
  std::vector<int64_t> strides = dense_strides(src);
  StridedCopy copy;
  for (int64_t axis : op.perm)
    copy.axes.push_back({src[static_cast<size_t>(axis)], strides[static_cast<size_t>(axis)]});
  return copy;
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Transpose>::infer(const Transpose& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  auto rank = static_cast<int64_t>(src.shape.size());
  std::vector<bool> seen(src.shape.size(), false);
  bool valid = op.perm.size() == src.shape.size();
  for (int64_t axis : op.perm) {
    valid = valid && axis >= 0 && axis < rank && !seen[static_cast<size_t>(axis)];
    if (valid) seen[static_cast<size_t>(axis)] = true;
  }
  if (!valid)
    return input_error(fmt::format("perm [{}] must name each of the {} axes of src {} once",
                                   fmt::join(op.perm, ", "), rank, format_shape(src.shape)));
  Shape shape;
  for (int64_t axis : op.perm) shape.push_back(src.shape[static_cast<size_t>(axis)]);
  return std::vector<TensorType>{{std::move(shape), src.dtype, std::nullopt}};
}

template <>
void OpDef<Transpose>::run_float(const Transpose& op, Inputs in, Tensor& out) {
  run_strided_copy(transpose_copy(op, in[0]->shape()), *in[0], out);
}

template <>
Result<std::vector<KernelRequest>> OpDef<Transpose>::lower(const Transpose& op, Rounding,
                                                           Operands in, const TensorType&) {
  return strided_copy_requests(transpose_copy(op, in[0].type->shape), *in[0].type);
}

template <>
Status OpDef<Transpose>::verify_integer(const Transpose&, Rounding, Operands in,
                                        const TensorType& out) {
  return verify_move(in, out);
}

template <>
void OpDef<Transpose>::run_integer(const Transpose& op, Rounding, Inputs in, Tensor& out) {
  run_float(op, in, out);
}

template <>
QuantRule OpDef<Transpose>::quant_rule(const Transpose&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
int64_t OpDef<Transpose>::macs(const Transpose&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
