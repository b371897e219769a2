// SQuant: flips of the rounding so that errors cancel; refine.h says what it reaches. The steps are
// those of Guo et al. 2022, section 3.3: element (nearest), kernel, output channel.
#include <algorithm>
#include <cmath>

#include "quantize/methods/element_grid.h"
#include "quantize/methods/refine.h"

namespace nibble {
namespace {

// One weight: what rounding has left over, in steps of its scale, and its integer.
struct Rounded {
  int64_t elem = 0;
  double left = 0;
  int32_t q = 0;
};

// Moves q one step in the direction of the sign, if the range has room.
bool flip(Rounded& weight, int sign, const ElementGrid& grid) {
  if (weight.q + sign > grid.q_max() || weight.q + sign < grid.q_min()) return false;
  weight.q += sign;
  weight.left -= sign;
  return true;
}

double sum_left(std::span<const Rounded> weights) {
  double sum = 0;
  for (const Rounded& weight : weights) sum += weight.left;
  return sum;
}

// The elements that were rounded farthest against the sum, as many as it takes to have the sum
// within half a step.
void flip_kernel(std::span<Rounded> kernel, const ElementGrid& grid) {
  const double sum = sum_left(kernel);
  const int sign = sum > 0 ? 1 : -1;
  auto wanted = static_cast<int64_t>(std::round(std::abs(sum)));
  std::vector<size_t> order(kernel.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(
      order, [&](size_t a, size_t b) { return sign * kernel[a].left > sign * kernel[b].left; });
  for (size_t i : order) {
    if (wanted == 0) break;
    if (flip(kernel[i], sign, grid)) --wanted;
  }
}

// One flip in each of the kernels whose sums are farthest, until that of all is within half a step.
void flip_channel(std::vector<std::vector<Rounded>>& kernels, const ElementGrid& grid) {
  double sum = 0;
  std::vector<double> sums;
  for (const auto& kernel : kernels) {
    sums.push_back(sum_left(kernel));
    sum += sums.back();
  }
  const int sign = sum > 0 ? 1 : -1;
  auto wanted = static_cast<int64_t>(std::round(std::abs(sum)));
  std::vector<size_t> order(kernels.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order,
                           [&](size_t a, size_t b) { return sign * sums[a] > sign * sums[b]; });
  for (size_t k : order) {
    if (wanted == 0) break;
    auto best = std::ranges::max_element(kernels[k], {},
                                         [&](const Rounded& weight) { return sign * weight.left; });
    if (flip(*best, sign, grid)) --wanted;
  }
}

}  // namespace

Status squant(LayerContext& context) {
  const ElementGrid grid(context.weight().type());
  if (!grid.uniform()) return {};  // a codebook has no next step
  const RealLayer& layer = context.layer;
  auto weights = context.real_weight().data<float>();
  Tensor result = context.weight();
  // Per output channel, the kernels that read one input channel each.
  std::vector<std::vector<std::vector<Rounded>>> channels(static_cast<size_t>(layer.out_channels));
  const int64_t per_out = layer.groups == 1 ? layer.in_channels : layer.inner;
  for (auto& channel : channels) channel.resize(static_cast<size_t>(per_out));
  for (int64_t i = 0; i < layer.elems(); ++i) {
    const double steps = grid.steps(static_cast<double>(weights[static_cast<size_t>(i)]), i);
    const int32_t q = grid.allowed(steps);
    // What was clipped cannot be made up for by flips.
    const double left = std::clamp(steps - q, -0.5, 0.5);
    channels[static_cast<size_t>(layer.out_channel(i))]
            [static_cast<size_t>(layer.in_channel(i) % per_out)]
                .push_back({i, left, q});
  }
  for (auto& kernels : channels) {
    for (auto& kernel : kernels)
      if (kernel.size() > 1) flip_kernel(kernel, grid);
    std::erase_if(kernels, [](const auto& kernel) { return kernel.empty(); });
    flip_channel(kernels, grid);
    for (const auto& kernel : kernels)
      for (const Rounded& weight : kernel) result.set_integer_at(weight.elem, weight.q);
  }
  context.set_weight(std::move(result));
  return {};
}

}  // namespace nibble
