// Shapes and strides of broadcast operands.
#include "ops/broadcast.h"

#include <algorithm>

#include "ops/checks.h"

namespace nibble {
namespace {

constexpr size_t kKernelAxes = 4;

// Extent of an axis counted from the last; axes that a shape lacks have extent 1.
int64_t extent_from_end(const Shape& shape, size_t from_end) {
  return from_end < shape.size() ? shape[shape.size() - 1 - from_end] : 1;
}

}  // namespace

Result<Shape> broadcast_shape(const Shape& lhs, const Shape& rhs) {
  size_t rank = std::max(lhs.size(), rhs.size());
  Shape result(rank);
  for (size_t from_end = 0; from_end < rank; ++from_end) {
    int64_t a = extent_from_end(lhs, from_end), b = extent_from_end(rhs, from_end);
    if (a != b && a != 1 && b != 1)
      return input_error(
          fmt::format("lhs {} and rhs {} do not broadcast: extents {} and {} on axis {} from the "
                      "end must be equal, or "
                      "one of them 1",
                      format_shape(lhs), format_shape(rhs), a, b, from_end + 1));
    result[rank - 1 - from_end] = std::max(a, b);
  }
  return result;
}

std::vector<BroadcastAxis> broadcast_axes(const Shape& lhs, const Shape& rhs) {
  std::vector<BroadcastAxis> axes;  // innermost first, turned round at the end
  int64_t lhs_stride = 1, rhs_stride = 1;
  for (size_t from_end = 0; from_end < std::max(lhs.size(), rhs.size()); ++from_end) {
    int64_t a = extent_from_end(lhs, from_end), b = extent_from_end(rhs, from_end);
    BroadcastAxis axis{std::max(a, b), a == 1 ? 0 : lhs_stride, b == 1 ? 0 : rhs_stride};
    lhs_stride *= a;
    rhs_stride *= b;
    if (axis.extent == 1) continue;
    if (!axes.empty()) {
      BroadcastAxis& inner = axes.back();
      if (axis.lhs_stride == inner.lhs_stride * inner.extent &&
          axis.rhs_stride == inner.rhs_stride * inner.extent) {
        inner.extent *= axis.extent;
        continue;
      }
    }
    axes.push_back(axis);
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  std::reverse(axes.begin(), axes.end());
  return axes;
}

Result<std::vector<TensorType>> infer_binary(Operands in, const Bounds& act) {
  NIBBLE_TRY(check_operands(in, {"lhs", "rhs"}));
  NIBBLE_TRY(check_bounds(act));
  const TensorType &lhs = *in[0].type, &rhs = *in[1].type;
  if (lhs.dtype != rhs.dtype)
    return input_error(fmt::format("lhs is {} and rhs is {}; both must have one element type",
                                   dtype_name(lhs.dtype), dtype_name(rhs.dtype)));
  NIBBLE_ASSIGN(Shape shape, broadcast_shape(lhs.shape, rhs.shape));
  NIBBLE_TRY(check_extents(shape, "the output"));
  return std::vector<TensorType>{{std::move(shape), lhs.dtype, std::nullopt}};
}

Status verify_binary(Operands in, const TensorType& out) {
  NIBBLE_TRY(check_activation(*in[0].type, "lhs"));
  NIBBLE_TRY(check_activation(*in[1].type, "rhs"));
  NIBBLE_TRY(check_activation(out, "the output"));
  // infer_binary has compared lhs and rhs.
  if (out.dtype == in[0].type->dtype) return {};
  return input_error(
      fmt::format("its operands are {} and its output {}; they must be the same, put a quantize "
                  "behind it",
                  dtype_name(in[0].type->dtype), dtype_name(out.dtype)));
}

Result<KernelRequest> binary_request(const std::string& family, Operands in, bool commutative,
                                     bool* swapped) {
  const Shape *lhs = &in[0].type->shape, *rhs = &in[1].type->shape;
  KernelRequest request;
  request.src = {0, 1};
  // In place the output takes the first operand's bytes: it must be as large, and not a constant.
  bool lhs_fits = !in[0].constant && elem_count(*lhs) >= elem_count(*rhs);
  bool rhs_fits = !in[1].constant && elem_count(*rhs) >= elem_count(*lhs);
  *swapped = commutative && !lhs_fits && rhs_fits;
  if (*swapped) {
    std::swap(lhs, rhs);
    request.src = {1, 0};
  }
  std::vector<BroadcastAxis> axes = broadcast_axes(*lhs, *rhs);
  int64_t count = 1;
  bool lhs_whole = true;  // not repeated along any axis
  for (const BroadcastAxis& axis : axes) {
    count *= axis.extent;
    lhs_whole = lhs_whole && axis.lhs_stride != 0;
  }
  request.in_place = lhs_whole && !in[static_cast<size_t>(request.src[0])].constant;
  if (axes.size() == 1 && axes[0].lhs_stride == 1 && axes[0].rhs_stride == 1) {
    request.family = family_of(family, *in[0].type);
    request.fields = {{"len", count}};
    return request;
  }
  if (axes.size() > kKernelAxes)
    return input_error(
        fmt::format("lhs {} and rhs {} repeat in turn along {} groups of axes, the kernel has {}; "
                    "reshape them, or "
                    "repeat one of them beforehand",
                    format_shape(in[0].type->shape), format_shape(in[1].type->shape), axes.size(),
                    kKernelAxes));
  request.family = family_of(family + "_broadcast", *in[0].type);
  axes.insert(axes.begin(), kKernelAxes - axes.size(), BroadcastAxis{});
  for (size_t i = 0; i < kKernelAxes; ++i) {
    request.fields.emplace_back(fmt::format("extent_{}", i), axes[i].extent);
    request.fields.emplace_back(fmt::format("lhs_stride_{}", i), axes[i].lhs_stride);
    request.fields.emplace_back(fmt::format("rhs_stride_{}", i), axes[i].rhs_stride);
  }
  return request;
}

}  // namespace nibble
