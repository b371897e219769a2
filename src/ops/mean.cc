// mean: the arithmetic mean over some axes. On integers the sum of q - zero_point is rescaled once
// by src scale / (output scale * count), formed as TensorFlow Lite Micro forms it.
#include <algorithm>
#include <bit>

#include "ops/checks.h"

namespace nibble {
namespace {

bool reduced(const Mean& op, size_t axis) {
  return std::find(op.axes.begin(), op.axes.end(), static_cast<int64_t>(axis)) != op.axes.end();
}

int64_t reduced_count(const Mean& op, const Shape& src) {
  int64_t count = 1;
  for (int64_t axis : op.axes) count *= src[static_cast<size_t>(axis)];
  return count;
}

// TensorFlow Lite first makes the fixed-point factor of the scales, then divides its mantissa by
// the count.
Requant mean_requant(const TensorType& src, const TensorType& out, int64_t count,
                     Rounding rounding) {
  double factor = static_cast<double>(tensor_scale(src)) / static_cast<double>(tensor_scale(out));
  if (rounding == Rounding::kSingle) return make_requant(factor / static_cast<double>(count));
  Requant requant = make_requant(factor);
  int shift = std::bit_width(static_cast<uint64_t>(count)) - 1;
  shift = std::min({shift, 32, 31 + requant.exponent});
  requant.multiplier = static_cast<int32_t>((int64_t{requant.multiplier} << shift) / count);
  requant.exponent = static_cast<int8_t>(requant.exponent - shift);
  return requant;
}

// sums[output index] += elem for every element of src.
template <class T, class Sum>
void add_up(const Mean& op, const Tensor& src, std::vector<Sum>& sums) {
  const Shape& shape = src.shape();
  std::vector<int64_t> stride(shape.size(), 0);  // in the output; 0 along reduced axes
  int64_t next = 1;
  for (size_t axis = shape.size(); axis-- > 0;)
    if (!reduced(op, axis)) {
      stride[axis] = next;
      next *= shape[axis];
    }
  sums.assign(static_cast<size_t>(next), Sum{0});
  std::vector<int64_t> position(shape.size(), 0);
  int64_t index = 0;
  for (T elem : src.data<T>()) {
    sums[static_cast<size_t>(index)] += elem;
    for (size_t axis = shape.size(); axis-- > 0;) {
      index += stride[axis];
      if (++position[axis] < shape[axis]) break;
      index -= stride[axis] * shape[axis];
      position[axis] = 0;
    }
  }
}

// The shape seen as outer, axis_a, middle, axis_b, inner: two blocks of reduced axes between kept
// ones.
Result<std::vector<int64_t>> loop_extents(const Mean& op, const Shape& src) {
  std::vector<int64_t> extents(5, 1);
  size_t level = 0;
  for (size_t axis = 0; axis < src.size(); ++axis) {
    if (src[axis] == 1) continue;
    if (reduced(op, axis) != (level % 2 == 1)) ++level;
    if (level >= extents.size())
      return input_error(fmt::format(
          "reduces axes of src {} in more than two separate blocks; transpose src first",
          format_shape(src)));
    extents[level] *= src[axis];
  }
  return extents;
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Mean>::infer(const Mean& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  for (size_t i = 0; i < op.axes.size(); ++i) {
    int64_t axis = op.axes[i];
    if (axis < 0 || axis >= static_cast<int64_t>(src.shape.size()) ||
        (i > 0 && axis <= op.axes[i - 1]))
      return input_error(
          fmt::format("axis {} is not allowed; axes of src {} are ascending, from 0 to {}", axis,
                      format_shape(src.shape), static_cast<int64_t>(src.shape.size()) - 1));
  }
  Shape shape;
  for (size_t axis = 0; axis < src.shape.size(); ++axis) {
    if (!reduced(op, axis))
      shape.push_back(src.shape[axis]);
    else if (op.keep_dims)
      shape.push_back(1);
  }
  return std::vector{TensorType{std::move(shape), src.dtype, std::nullopt}};
}

template <>
Status OpDef<Mean>::verify_integer(const Mean& op, Rounding rounding, Operands in,
                                   const TensorType& out) {
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_activations(src, out));
  NIBBLE_TRY(check_factor(static_cast<double>(tensor_scale(src)) / tensor_scale(out),
                          "src scale / output scale"));
  int64_t count = reduced_count(op, src.shape);
  return check_accumulator(count * max_abs_centred(src), mean_requant(src, out, count, rounding),
                           rounding, "");
}

template <>
void OpDef<Mean>::run_float(const Mean& op, Inputs in, Tensor& out) {
  std::vector<double> sums;
  add_up<float>(op, *in[0], sums);
  auto count = static_cast<double>(reduced_count(op, in[0]->shape()));
  auto dst = out.mutable_data<float>();
  for (size_t i = 0; i < sums.size(); ++i) dst[i] = static_cast<float>(sums[i] / count);
}

template <>
void OpDef<Mean>::run_integer(const Mean& op, Rounding rounding, Inputs in, Tensor& out) {
  std::vector<int32_t> sums;
  if (out.dtype() == DType::kS16)
    add_up<int16_t>(op, *in[0], sums);
  else
    add_up<int8_t>(op, *in[0], sums);
  auto count = static_cast<int32_t>(reduced_count(op, in[0]->shape()));
  int32_t in_zero = tensor_zero_point(in[0]->type()), out_zero = tensor_zero_point(out.type());
  Requant requant = mean_requant(in[0]->type(), out.type(), count, rounding);
  ClampRange range = activation_range({}, out.type());
  for (size_t i = 0; i < sums.size(); ++i)
    out.set_integer_at(static_cast<int64_t>(i),
                       rescale(sums[i] - in_zero * count, requant, rounding, out_zero, range));
}

template <>
QuantRule OpDef<Mean>::quant_rule(const Mean&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Mean>::lower(const Mean& op, Rounding rounding,
                                                      Operands in, const TensorType& out) {
  const TensorType& src = *in[0].type;
  NIBBLE_ASSIGN(auto extents, loop_extents(op, src.shape));
  Requant requant = mean_requant(src, out, reduced_count(op, src.shape), rounding);
  KernelRequest request;
  request.family = family_of("mean", src);
  request.fields = {{"outer", extents[0]},         {"axis_a", extents[1]},
                    {"middle", extents[2]},        {"axis_b", extents[3]},
                    {"inner", extents[4]},         {"multiplier", requant.multiplier},
                    {"exponent", requant.exponent}};
  if (out.dtype == DType::kS16)
    add_symmetric_output_fields(request, out, {}, rounding_code(rounding));
  else
    add_output_fields(request, src, out, {}, rounding);
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Mean>::macs(const Mean&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
