#include "graph/permutation.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace nibble {

Perm identity_perm(size_t rank) {
  Perm perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  return perm;
}

Perm inverse(const Perm& perm) {
  Perm result(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    result[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return result;
}

Perm composed(const Perm& first, const Perm& second) { return permuted(first, second); }

bool is_identity(const Perm& perm) { return perm == identity_perm(perm.size()); }

bool moves_only_unit_axes(const Perm& perm, const Shape& src) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (src[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
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
