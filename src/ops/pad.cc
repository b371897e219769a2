// pad: every axis widened by before[i] and after[i] elements of real value `value`. On integers the
// fill is that value on the output's scale (the zero point for 0), clamped to its range.
#include <algorithm>

#include "base/text.h"
#include "ops/arithmetic.h"
#include "ops/checks.h"
#include "ops/move.h"

namespace nibble {
namespace {

constexpr int64_t kMaxPadding = int64_t{1} << 24;
constexpr size_t kKernelAxes = 4;

struct PadAxis {
  int64_t extent = 1, before = 0, after = 0;
  bool padded() const { return before != 0 || after != 0; }
};

// An axis without padding is part of its outer neighbour's elements; one of extent 1 at the front
// is nothing.
std::vector<PadAxis> pad_axes(const Pad& op, const Shape& src) {
  std::vector<PadAxis> axes;
  for (size_t i = 0; i < src.size(); ++i) {
    PadAxis axis{src[i], op.before[i], op.after[i]};
    if (!axis.padded() && !axes.empty()) {
      PadAxis& outer = axes.back();
      outer = {outer.extent * axis.extent, outer.before * axis.extent, outer.after * axis.extent};
    } else if (axis.padded() || axis.extent != 1) {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.push_back({});
  return axes;
}

int32_t fill_value(const Pad& op, const TensorType& out) {
  if (!out.quant) return static_cast<int32_t>(std::clamp(op.value, -0x1p30f, 0x1p30f));
  int32_t q = quantize_unclamped(op.value, tensor_scale(out), tensor_zero_point(out));
  return std::clamp(q, out.quant->q_min, out.quant->q_max);
}

// `out` already holds the fill everywhere.
void place_in_margins(const Pad& op, const Tensor& src, Tensor& out) {
  std::vector<PadAxis> axes = pad_axes(op, src.shape());
  auto elem = static_cast<int64_t>(dtype_bytes(src.dtype()));
  Shape padded;
  for (const PadAxis& axis : axes) padded.push_back(axis.before + axis.extent + axis.after);
  std::vector<int64_t> strides = dense_strides(padded);
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < axes.size(); ++i) rows *= axes[i].extent;
  int64_t row_bytes = axes.back().extent * elem;
  const uint8_t* from = src.bytes().data();
  uint8_t* to = out.mutable_bytes().data();
  for (int64_t row = 0; row < rows; ++row) {
    int64_t at = axes.back().before, rest = row;
    for (size_t i = axes.size() - 1; i-- > 0;) {
      at += (axes[i].before + rest % axes[i].extent) * strides[i];
      rest /= axes[i].extent;
    }
    std::memcpy(to + at * elem, from + row * row_bytes, static_cast<size_t>(row_bytes));
  }
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Pad>::infer(const Pad& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  size_t rank = src.shape.size();
  if (op.before.size() != rank || op.after.size() != rank)
    return input_error(fmt::format(
        "before and after have {} and {} entries; src {} needs one for each of its {} axes",
        op.before.size(), op.after.size(), format_shape(src.shape), rank));
  if (std::isnan(op.value)) return input_error("pads with a value that is not a number");
  Shape shape = src.shape;
  for (size_t axis = 0; axis < rank; ++axis) {
    if (std::min(op.before[axis], op.after[axis]) < 0 ||
        std::max(op.before[axis], op.after[axis]) > kMaxPadding)
      return input_error(fmt::format("pads axis {} by {} and {}; both must be 0 to 2^24", axis,
                                     op.before[axis], op.after[axis]));
    shape[axis] += op.before[axis] + op.after[axis];
  }
  NIBBLE_TRY(check_extents(shape, "the output"));
  return std::vector<TensorType>{{std::move(shape), src.dtype, std::nullopt}};
}

template <>
Status OpDef<Pad>::verify_integer(const Pad&, Rounding, Operands in, const TensorType& out) {
  return verify_move(in, out);
}

template <>
void OpDef<Pad>::run_float(const Pad& op, Inputs in, Tensor& out) {
  auto dst = out.mutable_data<float>();
  std::fill(dst.begin(), dst.end(), op.value);
  place_in_margins(op, *in[0], out);
}

template <>
void OpDef<Pad>::run_integer(const Pad& op, Rounding, Inputs in, Tensor& out) {
  int32_t fill = fill_value(op, out.type());
  if (dtype_bytes(out.dtype()) == 1) {
    auto dst = out.mutable_bytes();
    std::fill(dst.begin(), dst.end(), static_cast<uint8_t>(fill));
  } else {
    for (int64_t i = 0; i < out.size(); ++i) out.set_integer_at(i, fill);
  }
  place_in_margins(op, *in[0], out);
}

template <>
QuantRule OpDef<Pad>::quant_rule(const Pad&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Pad>::lower(const Pad& op, Rounding, Operands in,
                                                     const TensorType& out) {
  NIBBLE_TRY(check_movable(out));
  std::vector<PadAxis> axes = pad_axes(op, in[0].type->shape);
  if (std::none_of(axes.begin(), axes.end(), [](const PadAxis& axis) { return axis.padded(); }))
    return std::vector<KernelRequest>();
  if (axes.size() > kKernelAxes)
    return input_error(
        fmt::format("pads {} separate axes of src {}, the kernel has {}; split it into two pads",
                    axes.size(), format_shape(in[0].type->shape), kKernelAxes));
  axes.insert(axes.begin(), kKernelAxes - axes.size(), PadAxis{});
  KernelRequest request;
  request.family = family_of("pad", out);
  for (size_t i = 0; i < kKernelAxes; ++i) {
    request.fields.emplace_back(fmt::format("extent_{}", i), axes[i].extent);
    request.fields.emplace_back(fmt::format("before_{}", i), axes[i].before);
    request.fields.emplace_back(fmt::format("after_{}", i), axes[i].after);
  }
  request.fields.emplace_back("value", fill_value(op, out));
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Pad>::macs(const Pad&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
