// Two operands of different shape as one walk over the output: shared by add, sub and mul. Inside
// ops/ only.
#pragma once

#include <vector>

#include "ops/bounds.h"
#include "ops/ops.h"

namespace nibble {

// NumPy's rule: shapes aligned at the last axis; extents equal, or one of them 1.
Result<Shape> broadcast_shape(const Shape& lhs, const Shape& rhs);

// An axis of the output and how far a step along it moves in each operand (0: repeated).
struct BroadcastAxis {
  int64_t extent = 1;
  int64_t lhs_stride = 0;
  int64_t rhs_stride = 0;
};
// Axes of extent 1 dropped and neighbours merged where both operands allow it; outermost first,
// never empty.
std::vector<BroadcastAxis> broadcast_axes(const Shape& lhs, const Shape& rhs);

// Calls row(out, lhs, rhs, axis) with the position of the first element of every innermost row of
// the output.
template <class Row>
void for_each_row(const std::vector<BroadcastAxis>& axes, Row&& row) {
  std::vector<int64_t> index(axes.size(), 0);
  const BroadcastAxis& inner = axes.back();
  int64_t out = 0, lhs = 0, rhs = 0;
  for (;;) {
    row(out, lhs, rhs, inner);
    out += inner.extent;
    size_t axis = axes.size() - 1;
    for (; axis-- > 0;) {
      lhs += axes[axis].lhs_stride;
      rhs += axes[axis].rhs_stride;
      if (++index[axis] < axes[axis].extent) break;
      lhs -= axes[axis].lhs_stride * axes[axis].extent;
      rhs -= axes[axis].rhs_stride * axes[axis].extent;
      index[axis] = 0;
    }
    if (axis == static_cast<size_t>(-1)) return;
  }
}

// out[i] = combine(lhs[..], rhs[..]); T is the element type of all three.
template <class T, class Combine>
void combine_broadcast(const Tensor& lhs, const Tensor& rhs, Tensor& out, Combine&& combine) {
  const T* a = lhs.data<T>().data();
  const T* b = rhs.data<T>().data();
  T* c = out.mutable_data<T>().data();
  for_each_row(broadcast_axes(lhs.shape(), rhs.shape()),
               [&](int64_t at, int64_t a_at, int64_t b_at, const BroadcastAxis& axis) {
                 const T *a_row = a + a_at, *b_row = b + b_at;
                 T* c_row = c + at;
                 // Three loops, so that the compiler can vectorise each.
                 if (axis.lhs_stride == 0)
                   for (int64_t i = 0; i < axis.extent; ++i)
                     c_row[i] = combine(a_row[0], b_row[i * axis.rhs_stride]);
                 else if (axis.rhs_stride == 0)
                   for (int64_t i = 0; i < axis.extent; ++i) c_row[i] = combine(a_row[i], b_row[0]);
                 else
                   for (int64_t i = 0; i < axis.extent; ++i) c_row[i] = combine(a_row[i], b_row[i]);
               });
}

// As combine_broadcast for integers that do not stand for reals (shapes, indices), in 64 bits that
// wrap around.
template <class Combine>
void combine_plain_integers(const Tensor& lhs, const Tensor& rhs, Tensor& out, Combine&& combine) {
  for_each_row(broadcast_axes(lhs.shape(), rhs.shape()),
               [&](int64_t at, int64_t a_at, int64_t b_at, const BroadcastAxis& axis) {
                 for (int64_t i = 0; i < axis.extent; ++i) {
                   auto a = static_cast<uint64_t>(lhs.integer_at(a_at + i * axis.lhs_stride));
                   auto b = static_cast<uint64_t>(rhs.integer_at(b_at + i * axis.rhs_stride));
                   out.set_integer_at(at + i, static_cast<int64_t>(combine(a, b)));
                 }
               });
}

// infer of a binary operator: operands lhs and rhs of one element type.
Result<std::vector<TensorType>> infer_binary(Operands in, const Bounds& act);
// What add, sub and mul ask of integer operands alike: s8, or s16 of zero point 0, per tensor.
Status verify_binary(Operands in, const TensorType& out);

// A request for FAMILY_s8 (same shapes, field len) or FAMILY_broadcast_s8 (extents and strides),
// or the same for s16, e.g. "add"; src, in_place and these fields filled in. With `commutative`,
// the operands are swapped where that lets the output take the place of the larger one; *swapped
// tells. Error: a repetition pattern of more axes than the kernel has.
Result<KernelRequest> binary_request(const std::string& family, Operands in, bool commutative,
                                     bool* swapped);

}  // namespace nibble
