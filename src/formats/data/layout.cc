#include "formats/data/layout.h"

#include <fmt/format.h>

#include <algorithm>

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

// The shape in the file, whose axis perm[i] is the graph's axis i.
Shape source_shape(const Shape& shape, const Perm& perm) {
  return perm.empty() ? shape : permuted(shape, inverse(perm));
}

}  // namespace

Result<Order> find_order(std::span<const int64_t> sample, const Shape& graph, const Perm& perm,
                         const std::string& file) {
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
  if (is_grouping(found, file_extents) && moves_only_unit_axes(perm, source)) return own;
  return input_error(
      fmt::format("{}: each sample is {}, but {}; the order of the values cannot be told, "
                  "reshape the samples to that",
                  file, has, takes));
}

Tensor permute_samples(Tensor samples, const Shape& graph, const Perm& perm) {
  const Shape given = samples.shape();
  Shape file = source_shape(graph, perm);
  file.insert(file.begin(), given[0]);
  samples.reshape(file);
  Perm behind_count = {0};
  for (int64_t axis : perm) behind_count.push_back(axis + 1);
  Tensor result = transposed(samples, behind_count);
  result.reshape(given);
  return result;
}

}  // namespace nibble
