// Operators that only move elements (transpose, slice, pad, concat, reshape, resize): a walk over
// strides for elements of any type, and the copy kernels that do the same on the target. Inside
// ops/ only.
#pragma once

#include <functional>
#include <vector>

#include "ops/ops.h"

namespace nibble {

// Elements that one step along each axis of a dense tensor moves.
std::vector<int64_t> dense_strides(const Shape& shape);

// An axis of the destination, and the step it makes in the source (may be negative).
struct MoveAxis {
  int64_t extent = 1;
  int64_t stride = 0;
};
// A dense destination read from strides: dst[i0][i1]... = src[offset + sum of i_k * stride_k].
// Outermost axis first.
struct StridedCopy {
  int64_t offset = 0;
  std::vector<MoveAxis> axes;
};
// Axes of extent 1 dropped, neighbours merged where they are one run; never empty.
StridedCopy merge_axes(StridedCopy copy);
// The destination is the source, byte for byte. `copy` is merged.
bool is_whole(const StridedCopy& copy, int64_t src_elems);

void run_strided_copy(const StridedCopy& copy, const Tensor& src, Tensor& dst);
// The kernel calls of a strided copy of s8 or s16; none if it changes nothing. Error: more axes
// than the kernel has.
Result<std::vector<KernelRequest>> strided_copy_requests(const StridedCopy& copy,
                                                         const TensorType& src);

// What integer execution asks of an operator that only moves elements: src per tensor, output
// parameters the same.
Status verify_move(Operands in, const TensorType& out);
// Kernels exist for s8 and s16 only. Error: what the type is.
Status check_movable(const TensorType& type);

}  // namespace nibble
