// SmoothQuant-style scaling; prepare.h has the equation.
#include <algorithm>
#include <cmath>

#include "quantize/methods/prepare.h"
#include "quantize/methods/scale_groups.h"

namespace nibble {

Status smooth(Graph& graph, const PrepareContext& context) {
  NIBBLE_ASSIGN(auto stats, channel_stats(graph, context.data, context.options.samples));
  const ScaleGroups groups(graph, &stats);
  std::vector<RealLayer> layers = real_layers(graph);
  const GroupRanges ranges = weight_ranges(graph, layers, groups);
  std::vector<double> activations(groups.count(), 0);
  for (const RealLayer& layer : layers) {
    const ValueId src = graph.nodes[static_cast<size_t>(layer.node)].inputs[0];
    for (int64_t c = 0; c < layer.in_channels; ++c) {
      double& largest = activations[groups.group(src, c)];
      largest =
          std::max(largest, stats[static_cast<size_t>(src)][static_cast<size_t>(c)].largest());
    }
  }
  const double share = context.options.smooth_share;
  std::vector<double> scales(groups.count(), 1);
  for (size_t g = 0; g < groups.count(); ++g) {
    if (!groups.free(g) || activations[g] <= 0 || ranges.read[g] <= 0) continue;
    const double wanted = std::pow(activations[g], share) / std::pow(ranges.read[g], 1 - share);
    scales[g] = std::max(wanted, groups.least_scale(g));
  }
  rescale(graph, layers, groups, scales, context.statistics);
  return {};
}

}  // namespace nibble
