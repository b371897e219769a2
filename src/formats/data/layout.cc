#include "formats/data/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace nibble {
namespace {

// Whether one of two shapes of equally many elements merges neighbouring extents of the other; then
// both number the elements in the same order and mean the same axes.
bool is_grouping(const Shape& a, const Shape& b) {
  auto products = [](const Shape& shape) {
    std::vector<int64_t> result;
    int64_t product = 1;
    for (size_t i = shape.size(); i-- > 0;) result.push_back(product *= shape[i]);
    return result;
  };
  auto left = products(a), right = products(b);
  if (left.size() < right.size()) std::swap(left, right);
  return std::includes(left.begin(), left.end(), right.begin(), right.end());
}

Shape source_shape(const Shape& shape, const std::vector<int64_t>& perm) {
  if (perm.empty()) return shape;
  Shape source(shape.size());
  for (size_t i = 0; i < perm.size(); ++i) source[static_cast<size_t>(perm[i])] = shape[i];
  return source;
}

// Whether the permutation only moves extents of one, so that the elements keep their order.
bool keeps_order(const Shape& source, const std::vector<int64_t>& perm) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (source[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace

Result<Order> find_order(std::span<const int64_t> sample, const Shape& graph,
                         const std::vector<int64_t>& perm, const std::string& file) {
  Shape found = without_ones(sample);
  Shape source = source_shape(graph, perm);
  Shape file_extents = without_ones(source), graph_extents = without_ones(graph);
  Order own = perm.empty() ? Order::kGraph : Order::kFile;
  if (found == file_extents) return own;
  if (found == graph_extents) return Order::kGraph;

  std::string takes = fmt::format("the model takes {}", format_shape(source));
  if (source != graph) takes += fmt::format(" (or {}, channels last)", format_shape(graph));
  std::string has = format_shape(Shape(sample.begin(), sample.end()));
  int64_t count = 1;
  for (int64_t extent : sample) count *= extent;
  if (count != elem_count(graph))
    return input_error(fmt::format("{}: each sample is {} ({} values), but {} ({} values)", file,
                                   has, count, takes, elem_count(graph)));
  if (is_grouping(found, file_extents) && keeps_order(source, perm)) return own;
  return input_error(
      fmt::format("{}: each sample is {}, but {}; the order of the values cannot be told, "
                  "reshape the samples to that",
                  file, has, takes));
}

Tensor permute_samples(const Tensor& samples, const Shape& graph,
                       const std::vector<int64_t>& perm) {
  Tensor result(TensorType{samples.shape(), samples.dtype(), std::nullopt});
  Shape source = source_shape(graph, perm);
  size_t rank = graph.size();
  Shape stride(rank, 1);
  for (size_t i = rank - 1; i-- > 0;) stride[i] = stride[i + 1] * source[i + 1];
  auto width = static_cast<size_t>(dtype_bytes(samples.dtype()));
  int64_t per_sample = elem_count(graph);
  std::vector<int64_t> from(static_cast<size_t>(per_sample));
  Shape index(rank, 0);
  for (int64_t& position : from) {
    position = 0;
    for (size_t i = 0; i < rank; ++i) position += index[i] * stride[static_cast<size_t>(perm[i])];
    for (size_t i = rank; i-- > 0;) {
      if (++index[i] < graph[i]) break;
      index[i] = 0;
    }
  }
  auto src = samples.bytes();
  auto dst = result.mutable_bytes();
  for (size_t done = 0; done < src.size(); done += from.size() * width)
    for (size_t i = 0; i < from.size(); ++i)
      std::memcpy(&dst[done + i * width], &src[done + static_cast<size_t>(from[i]) * width], width);
  return result;
}

}  // namespace nibble
