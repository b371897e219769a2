// Strided copies: merged for speed, executed on the host, lowered to copy_2d_s8 or copy_strided_s8.
#include "ops/move.h"

#include <cstdlib>

#include "ops/checks.h"

namespace nibble {
namespace {

constexpr size_t kKernelAxes = 6;

KernelRequest copy_2d_request(const StridedCopy& copy, const TensorType& src) {
  bool one_run = copy.axes.size() == 1;
  int64_t row_len = copy.axes.back().extent;
  KernelRequest request;
  request.family = family_of("copy_2d", src);
  request.fields = {{"rows", one_run ? 1 : copy.axes[0].extent},
                    {"row_len", row_len},
                    {"src_offset", copy.offset},
                    {"src_stride", one_run ? row_len : copy.axes[0].stride},
                    {"dst_stride", row_len}};
  return request;
}

}  // namespace

std::vector<int64_t> dense_strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

StridedCopy merge_axes(StridedCopy copy) {
  std::vector<MoveAxis> merged;
  for (const MoveAxis& axis : copy.axes) {
    if (axis.extent == 1) continue;
    if (!merged.empty() && merged.back().stride == axis.stride * axis.extent)
      merged.back() = {merged.back().extent * axis.extent, axis.stride};
    else
      merged.push_back(axis);
  }
  if (merged.empty()) merged.push_back({1, 1});
  copy.axes = std::move(merged);
  return copy;
}

bool is_whole(const StridedCopy& copy, int64_t src_elems) {
  return copy.offset == 0 && copy.axes.size() == 1 && copy.axes[0].stride == 1 &&
         copy.axes[0].extent == src_elems;
}

void run_strided_copy(const StridedCopy& whole, const Tensor& src, Tensor& dst) {
  StridedCopy copy = merge_axes(whole);
  auto elem = static_cast<size_t>(dtype_bytes(src.dtype()));
  const uint8_t* from = src.bytes().data();
  uint8_t* to = dst.mutable_bytes().data();
  const MoveAxis inner = copy.axes.back();
  std::vector<int64_t> index(copy.axes.size(), 0);
  int64_t at = copy.offset;
  for (;;) {
    if (inner.stride == 1) {
      size_t run = elem * static_cast<size_t>(inner.extent);
      std::memcpy(to, from + at * static_cast<int64_t>(elem), run);
      to += run;
    } else {
      for (int64_t i = 0; i < inner.extent; ++i, to += elem)
        std::memcpy(to, from + (at + i * inner.stride) * static_cast<int64_t>(elem), elem);
    }
    size_t axis = copy.axes.size() - 1;
    for (; axis-- > 0;) {
      const MoveAxis& outer = copy.axes[axis];
      at += outer.stride;
      if (++index[axis] < outer.extent) break;
      at -= outer.stride * outer.extent;
      index[axis] = 0;
    }
    if (axis == static_cast<size_t>(-1)) return;
  }
}

Result<std::vector<KernelRequest>> strided_copy_requests(const StridedCopy& whole,
                                                         const TensorType& src) {
  NIBBLE_TRY(check_movable(src));
  StridedCopy copy = merge_axes(whole);
  if (is_whole(copy, elem_count(src.shape))) return std::vector<KernelRequest>();
  if (copy.axes.back().stride == 1 && copy.axes.size() <= 2)
    return std::vector{copy_2d_request(copy, src)};
  if (copy.axes.size() > kKernelAxes)
    return input_error(fmt::format(
        "moves src {} along {} separate axes, the kernel has {}; split it into two steps",
        format_shape(src.shape), copy.axes.size(), kKernelAxes));
  copy.axes.insert(copy.axes.begin(), kKernelAxes - copy.axes.size(), MoveAxis{});
  KernelRequest request;
  request.family = family_of("copy_strided", src);
  for (size_t i = 0; i < kKernelAxes; ++i) {
    request.fields.emplace_back(fmt::format("extent_{}", i), copy.axes[i].extent);
    request.fields.emplace_back(fmt::format("src_stride_{}", i), copy.axes[i].stride);
  }
  request.fields.emplace_back("src_offset", copy.offset);
  return std::vector{std::move(request)};
}

Status verify_move(Operands in, const TensorType& out) {
  NIBBLE_TRY(check_per_tensor(*in[0].type, "src"));
  return check_same_quant(*in[0].type, out);
}

Status check_movable(const TensorType& type) {
  if (type.dtype == DType::kS8 || type.dtype == DType::kS16) return {};
  return input_error(
      fmt::format("src is {}; there are kernels for s8 and s16 only", dtype_name(type.dtype)));
}

}  // namespace nibble
