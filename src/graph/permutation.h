// Permutations of the axes of shapes, types and tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/tensor.h"

namespace nibble {

using Perm = std::vector<int64_t>;  // axis i of the result is axis perm[i] of the source

// 0, 1, 2, ...
Perm identity_perm(size_t rank);
// The permutation that undoes `perm`.
Perm inverse(const Perm& perm);
// transpose(transpose(x, first), second) as one.
Perm composed(const Perm& first, const Perm& second);
bool is_identity(const Perm& perm);
// Whether axes of extent 1 are all that changes place, so that the elements stay in their order.
bool moves_only_unit_axes(const Perm& perm, const Shape& src);

// values[perm[0]], values[perm[1]], ...
template <class T>
std::vector<T> permuted(const std::vector<T>& values, const Perm& perm) {
  std::vector<T> result;
  result.reserve(perm.size());
  for (int64_t axis : perm) result.push_back(values[static_cast<size_t>(axis)]);
  return result;
}

// Shape and quantization axis permuted.
TensorType transposed(TensorType type, const Perm& perm);
// The elements as well, of any type.
Tensor transposed(const Tensor& tensor, const Perm& perm);

}  // namespace nibble
