// What max_pool2d and avg_pool2d share: shapes, checks, and the walk over windows. Inside ops/
// only.
#pragma once

#include "ops/checks.h"
#include "ops/window.h"

namespace nibble {

Result<std::vector<TensorType>> infer_pool(Operands in, int64_t k_h, int64_t k_w,
                                           const Window& window);
// src and output of the same type, scale and zero point.
Status verify_pool(Operands in, const TensorType& out);
// For BASE_s8 or BASE_s16: extents, window and clamp of the pool kernels' argument structs.
KernelRequest pool_request(std::string_view base, Operands in, const TensorType& out, int64_t k_h,
                           int64_t k_w, const Window& window, const Bounds& act);

// Calls visit(taps, out_index) for every output element: the span `taps` holds the inputs inside
// its window.
template <class T, class Visit>
void for_each_window(const Tensor& src, const Shape& out, int64_t k_h, int64_t k_w,
                     const Window& window, Visit&& visit) {
  const Shape& in = src.shape();
  const T* elems = src.data<T>().data();
  int64_t out_index = 0;
  std::vector<T> taps(static_cast<size_t>(std::min(k_h, in[1]) * std::min(k_w, in[2])));
  for (int64_t n = 0; n < out[0]; ++n)
    for (int64_t oy = 0; oy < out[1]; ++oy)
      for (int64_t ox = 0; ox < out[2]; ++ox) {
        int64_t y = oy * window.stride_h - window.pad_top;
        int64_t x = ox * window.stride_w - window.pad_left;
        TapRange rows = taps_inside(y, in[1], k_h, window.dilation_h);
        TapRange columns = taps_inside(x, in[2], k_w, window.dilation_w);
        for (int64_t c = 0; c < in[3]; ++c) {
          size_t count = 0;
          for (int64_t ky = rows.first; ky < rows.end; ++ky)
            for (int64_t kx = columns.first; kx < columns.end; ++kx)
              taps[count++] = elems[((n * in[1] + y + ky * window.dilation_h) * in[2] + x +
                                     kx * window.dilation_w) *
                                        in[3] +
                                    c];
          visit(std::span<const T>(taps.data(), count), out_index++);
        }
      }
}

// The references of a pool `op`: dst = act(reduce(taps)), `reduce` giving the float, or the integer
// on the scale of src.
template <class Op, class Reduce>
void run_pool_float(const Op& op, const Tensor& src, Tensor& out, Reduce&& reduce) {
  auto dst = out.mutable_data<float>();
  for_each_window<float>(
      src, out.shape(), op.k_h, op.k_w, op.window, [&](std::span<const float> taps, int64_t index) {
        dst[static_cast<size_t>(index)] = std::min(std::max(reduce(taps), op.act.min), op.act.max);
      });
}

template <class T, class Op, class Reduce>
void run_pool_of(const Op& op, const Tensor& src, Tensor& out, Reduce&& reduce) {
  ClampRange range = activation_range(op.act, out.type());
  auto dst = out.mutable_data<T>();
  for_each_window<T>(src, out.shape(), op.k_h, op.k_w, op.window,
                     [&](std::span<const T> taps, int64_t index) {
                       dst[static_cast<size_t>(index)] =
                           static_cast<T>(nibble_clamp(reduce(taps), range.min, range.max));
                     });
}

// `reduce` takes spans of either element type.
template <class Op, class Reduce>
void run_pool_integer(const Op& op, const Tensor& src, Tensor& out, Reduce&& reduce) {
  if (out.dtype() == DType::kS16)
    run_pool_of<int16_t>(op, src, out, reduce);
  else
    run_pool_of<int8_t>(op, src, out, reduce);
}

}  // namespace nibble
