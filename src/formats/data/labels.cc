#include "formats/data/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "formats/data/layout.h"

namespace nibble {
namespace {

// As real numbers, each checked to be one.
Result<Tensor> real_labels(const Tensor& labels, int64_t per_sample, const std::string& file) {
  Tensor real(TensorType{labels.shape(), DType::kF32, std::nullopt});
  std::span<float> dst = real.mutable_data<float>();
  bool is_float = labels.dtype() == DType::kF32;
  for (size_t i = 0; i < dst.size(); ++i) {
    dst[i] = is_float ? labels.data<float>()[i]
                      : static_cast<float>(labels.integer_at(static_cast<int64_t>(i)));
    if (!std::isfinite(dst[i]))
      return input_error(
          fmt::format("{}: sample {} has the label {}; every label must be a finite "
                      "number",
                      file, static_cast<int64_t>(i) / per_sample, format_float(dst[i])));
  }
  return real;
}

// The position of the one in each sample's row of zeros; empty if any row is something else.
std::vector<int64_t> one_hot_classes(const Tensor& real, int64_t per_sample) {
  std::vector<int64_t> classes;
  std::span<const float> all = real.data<float>();
  auto width = static_cast<size_t>(per_sample);
  for (size_t begin = 0; begin < all.size(); begin += width) {
    std::span<const float> row = all.subspan(begin, width);
    if (std::ranges::count(row, 1.0f) != 1 ||
        static_cast<size_t>(std::ranges::count(row, 0.0f)) != width - 1)
      return {};
    classes.push_back(std::ranges::find(row, 1.0f) - row.begin());
  }
  return classes;
}

// One number per sample: empty if some of them is a fraction. `one_output`: real numbers could be
// targets, had they been stored as such.
Result<std::vector<int64_t>> class_indices(const Tensor& labels, bool one_output,
                                           const std::string& file) {
  std::vector<int64_t> classes;
  if (labels.dtype() == DType::kF32 &&
      std::ranges::any_of(labels.data<float>(), [](float x) { return x != std::floor(x); }))
    return classes;
  for (int64_t i = 0; i < labels.size(); ++i) {
    double real = labels.dtype() == DType::kF32
                      ? static_cast<double>(labels.data<float>()[static_cast<size_t>(i)])
                      : static_cast<double>(labels.integer_at(i));
    if (!(real >= 0 && real < 0x1p53))
      return input_error(
          fmt::format("{}: sample {} has the label {}; labels are class indices from 0 on{}", file,
                      i, format_double(real),
                      one_output ? "; values that the output is to equal are stored as real "
                                   "numbers (-1.0 in a CSV, float32 in .npz and .npy)"
                                 : ""));
    classes.push_back(static_cast<int64_t>(real));
  }
  return classes;
}

bool only_zero_and_one(const Tensor& real) {
  return std::ranges::all_of(real.data<float>(), [](float x) { return x == 0 || x == 1; });
}

}  // namespace

Result<Labels> convert_labels(const Tensor& labels, int64_t samples, const Graph& graph,
                              const std::string& file) {
  int64_t found = labels.shape().empty() ? 1 : labels.shape()[0];
  if (found != samples)
    return input_error(fmt::format("{}: {} labels for {} samples; both must be equally many", file,
                                   found, samples));
  const int64_t per_sample = labels.size() / samples;
  Shape output;
  int64_t output_elems = 0;
  std::vector<int64_t> perm;
  if (!graph.outputs.empty()) {
    output = graph.type(graph.outputs[0].value).shape;
    output_elems = elem_count(output);
    perm = graph.outputs[0].source_perm;
  }
  Labels result;
  if (per_sample == 0) {
    result.not_scored = "the labels hold no values";
    return result;
  }
  NIBBLE_ASSIGN(Tensor real, real_labels(labels, per_sample, file));
  bool one_number = per_sample == 1;
  bool one_target = output_elems == 1 && labels.dtype() == DType::kF32 && !only_zero_and_one(real);
  if (one_number && !one_target) {
    NIBBLE_ASSIGN(result.classes, class_indices(labels, output_elems == 1, file));
    if (result.classes.empty())
      result.not_scored = fmt::format(
          "the labels are no class indices (some are fractions), and the output has {} values",
          output_elems);
    return result;
  }
  std::span<const int64_t> extents(labels.shape());
  Result<Order> order = one_number ? Result<Order>(Order::kGraph)
                                   : find_order(extents.subspan(1), output, perm, file);
  if (!order.ok()) {
    result.not_scored = fmt::format(
        "labels of {} per sample are neither class indices nor of the output's shape {}",
        format_shape(Shape(extents.begin() + 1, extents.end())), format_shape(output));
    return result;
  }
  if (*order == Order::kFile && !perm.empty())
    real = permute_samples(std::move(real), output, perm);
  if (!one_number) result.classes = one_hot_classes(real, per_sample);
  if (!result.classes.empty()) return result;
  real.reshape({samples, per_sample});
  result.targets = std::move(real);
  return result;
}

}  // namespace nibble
