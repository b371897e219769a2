// slice: extent[i] elements along axis i, from begin[i] in steps of step[i], which may be negative.
#include "base/text.h"
#include "ops/checks.h"
#include "ops/move.h"

namespace nibble {
namespace {

StridedCopy slice_copy(const Slice& op, const Shape& src) {
  std::vector<int64_t> strides = dense_strides(src);
  StridedCopy copy;
  for (size_t axis = 0; axis < src.size(); ++axis) {
    copy.offset += op.begin[axis] * strides[axis];
    copy.axes.push_back({op.extent[axis], op.step[axis] * strides[axis]});
  }
  return copy;
}

// The last position is begin + (extent - 1) * step; extents and steps come from a file.
bool inside(int64_t begin, int64_t extent, int64_t step, int64_t src) {
  if (step == 0 || begin < 0 || begin >= src || extent < 1 || extent > src) return false;
  if (step < -src || step > src) return extent == 1;
  int64_t last = begin + (extent - 1) * step;
  return last >= 0 && last < src;
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Slice>::infer(const Slice& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  size_t rank = src.shape.size();
  if (op.begin.size() != rank || op.extent.size() != rank || op.step.size() != rank)
    return input_error(fmt::format(
        "begin, extent and step have {}, {} and {} entries; src {} needs one for each of its {} "
        "axes",
        op.begin.size(), op.extent.size(), op.step.size(), format_shape(src.shape), rank));
  for (size_t axis = 0; axis < rank; ++axis)
    if (!inside(op.begin[axis], op.extent[axis], op.step[axis], src.shape[axis]))
      return input_error(fmt::format(
          "axis {}: {} elements from {} in steps of {} do not lie within 0 to {} (src {})", axis,
          op.extent[axis], op.begin[axis], op.step[axis], src.shape[axis] - 1,
          format_shape(src.shape)));
  return std::vector<TensorType>{{op.extent, src.dtype, std::nullopt}};
}

template <>
void OpDef<Slice>::run_float(const Slice& op, Inputs in, Tensor& out) {
  run_strided_copy(slice_copy(op, in[0]->shape()), *in[0], out);
}

template <>
Result<std::vector<KernelRequest>> OpDef<Slice>::lower(const Slice& op, Rounding, Operands in,
                                                       const TensorType&) {
  return strided_copy_requests(slice_copy(op, in[0].type->shape), *in[0].type);
}

template <>
Status OpDef<Slice>::verify_integer(const Slice&, Rounding, Operands in, const TensorType& out) {
  return verify_move(in, out);
}

template <>
void OpDef<Slice>::run_integer(const Slice& op, Rounding, Inputs in, Tensor& out) {
  run_float(op, in, out);
}

template <>
QuantRule OpDef<Slice>::quant_rule(const Slice&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
int64_t OpDef<Slice>::macs(const Slice&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
