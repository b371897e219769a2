// GPTQ towards the outputs of the float network; refine.h has the equation.
#include "base/parallel.h"
#include "quantize/methods/gptq.h"

namespace nibble {
namespace {

std::vector<Tensor> differences(const std::vector<Tensor>& first,
                                const std::vector<Tensor>& second) {
  std::vector<Tensor> result = first;
  for (size_t s = 0; s < result.size(); ++s) {
    auto values = result[s].mutable_data<float>();
    auto taken = second[s].data<float>();
    for (size_t i = 0; i < values.size(); ++i) values[i] -= taken[i];
  }
  return result;
}

// row * D * (U^T U), D in the order of the inputs, U in the group's.
std::vector<double> shift(const std::vector<double>& row, const Matrix& d,
                          const GroupInputs& group) {
  const auto width = static_cast<size_t>(d.order);
  std::vector<double> moved(width, 0), half(width, 0), ordered(width, 0), result(width, 0);
  for (size_t i = 0; i < width; ++i) {
    const double* line = &d.elems[i * width];
    for (size_t j = 0; j < width; ++j) moved[j] += row[i] * line[j];
  }
  for (size_t k = 0; k < width; ++k) {
    const double* line = &group.upper.elems[k * width];
    for (size_t j = k; j < width; ++j)
      half[k] += line[j] * moved[static_cast<size_t>(group.order[j])];
    for (size_t j = k; j < width; ++j) ordered[j] += line[j] * half[k];
  }
  for (size_t j = 0; j < width; ++j) result[static_cast<size_t>(group.order[j])] = ordered[j];
  return result;
}

}  // namespace

Status gptaq(LayerContext& context) {
  const LayerRows rows(context.layer);
  const std::vector<GroupInputs> groups = group_inputs(context);
  const std::vector<Matrix> moved =
      cross_moments(context.real, context.layer, differences(context.real_inputs, context.inputs),
                    context.inputs);
  auto real = context.real_weight().data<float>();
  std::vector<float> wanted(real.begin(), real.end());
  parallel_for(context.layer.out_channels, [&](int64_t begin, int64_t end, int) {
    std::vector<double> row(static_cast<size_t>(rows.width()));
    for (int64_t out = begin; out < end; ++out) {
      const auto group = static_cast<size_t>(out / rows.outs_per_group());
      for (int64_t j = 0; j < rows.width(); ++j)
        row[static_cast<size_t>(j)] =
            static_cast<double>(real[static_cast<size_t>(rows.elem(out, j))]);
      const std::vector<double> added = shift(row, moved[group], groups[group]);
      for (int64_t j = 0; j < rows.width(); ++j)
        wanted[static_cast<size_t>(rows.elem(out, j))] +=
            static_cast<float>(added[static_cast<size_t>(j)]);
    }
  });
  round_with_compensation(context, groups, wanted);
  return {};
}

}  // namespace nibble
