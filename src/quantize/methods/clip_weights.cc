// Weight clipping search; refine.h has the equation.
#include <cmath>

#include "base/parallel.h"
#include "ops/ops.h"
#include "quantize/methods/element_grid.h"
#include "quantize/methods/gram.h"
#include "quantize/methods/refine.h"

namespace nibble {
namespace {

constexpr int kLeastShare = 30;  // percent
constexpr int kStep = 5;

}  // namespace

Status clip_weights(LayerContext& context) {
  // A share of a codebook's or a group's scale would be another codebook, or other factors.
  const QuantParams before = *context.weight().type().quant;
  if (!before.codebook.empty() || before.group > 0) return {};
  const LayerRows rows(context.layer);
  const std::vector<Matrix> grams = input_grams(context.real, context.layer, context.inputs);
  auto weights = context.real_weight().data<float>();
  // By scale: all output channels at once where they share it.
  const size_t scales = before.scale.size();
  std::vector<double> least(scales, INFINITY);
  QuantParams params = before;
  std::vector<double> by_channel(static_cast<size_t>(context.layer.out_channels));
  for (int share = 100; share >= kLeastShare; share -= kStep) {
    TensorType type = context.weight().type();
    type.quant = context.narrowed(before, share / 100.0);
    const ElementGrid grid(type);
    parallel_for(context.layer.out_channels, [&](int64_t begin, int64_t end, int) {
      std::vector<double> difference(static_cast<size_t>(rows.width()));
      for (int64_t out = begin; out < end; ++out) {
        for (int64_t j = 0; j < rows.width(); ++j) {
          const int64_t elem = rows.elem(out, j);
          const auto weight = static_cast<double>(weights[static_cast<size_t>(elem)]);
          difference[static_cast<size_t>(j)] = weight - grid.real(grid.nearest(weight, elem), elem);
        }
        by_channel[static_cast<size_t>(out)] =
            quadratic_form(grams[static_cast<size_t>(out / rows.outs_per_group())], difference);
      }
    });
    std::vector<double> errors(scales, 0);
    for (size_t out = 0; out < by_channel.size(); ++out)
      errors[scales == 1 ? 0 : out] += by_channel[out];
    for (size_t c = 0; c < scales; ++c)
      if (errors[c] < least[c]) {
        least[c] = errors[c];
        params.scale[c] = type.quant->scale[c];
      }
  }
  context.set_weight(
      quantize_weights(context.real_weight(), params, context.settings, context.seed));
  return {};
}

}  // namespace nibble
