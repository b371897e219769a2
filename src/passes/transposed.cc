// Permutations of axes of shapes, types and constants.
#include "passes/transposed.h"

#include <algorithm>
#include <cstring>

namespace nibble {

Perm inverse(const Perm& perm) {
  Perm result(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    result[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return result;
}

Perm composed(const Perm& first, const Perm& second) { return permuted(first, second); }

bool is_identity(const Perm& perm) {
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<int64_t>(i)) return false;
  return true;
}

bool moves_only_unit_axes(const Perm& perm, const Shape& src) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (src[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

std::vector<AxisBlock> reshape_blocks(const Shape& before, const Shape& after) {
  std::vector<AxisBlock> blocks;
  size_t from = 0, to = 0;
  auto skip_units = [](const Shape& shape, size_t& axis) {
    while (axis < shape.size() && shape[axis] == 1) ++axis;
    return axis < shape.size();
  };
  while (skip_units(before, from) && skip_units(after, to)) {
    AxisBlock block;
    int64_t left = 1, right = 1;
    do {
      // The smaller product takes the next axis; both are under 2^31, so products do not overflow.
      bool take_before = left <= right;
      const Shape& shape = take_before ? before : after;
      size_t& axis = take_before ? from : to;
      if (!skip_units(shape, axis)) return {};
      (take_before ? left : right) *= shape[axis];
      (take_before ? block.before : block.after).push_back(static_cast<int64_t>(axis++));
    } while (left != right);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

TensorType transposed(TensorType type, const Perm& perm) {
  type.shape = permuted(type.shape, perm);
  if (type.quant && type.quant->axis >= 0)
    type.quant->axis =
        static_cast<int>(std::find(perm.begin(), perm.end(), type.quant->axis) - perm.begin());
  return type;
}

Tensor transposed(const Tensor& tensor, const Perm& perm) {
  Tensor result(transposed(tensor.type(), perm));
  const Shape& shape = result.shape();
  std::vector<int64_t> strides(perm.size(), 1);  // of the source, in the order of the result's axes
  for (size_t i = 0; i < perm.size(); ++i)
    for (size_t axis = static_cast<size_t>(perm[i]) + 1; axis < perm.size(); ++axis)
      strides[i] *= tensor.shape()[axis];
  const auto bytes = static_cast<size_t>(dtype_bytes(tensor.dtype()));
  auto src = tensor.bytes();
  auto dst = result.mutable_bytes();
  std::vector<int64_t> at(perm.size(), 0);
  size_t from = 0;  // in elements
  for (size_t to = 0; to < dst.size(); to += bytes) {
    std::memcpy(dst.data() + to, src.data() + from * bytes, bytes);
    for (size_t axis = perm.size(); axis-- > 0;) {
      from += static_cast<size_t>(strides[axis]);
      if (++at[axis] < shape[axis]) break;
      from -= static_cast<size_t>(strides[axis] * shape[axis]);
      at[axis] = 0;
    }
  }
  return result;
}

}  // namespace nibble
