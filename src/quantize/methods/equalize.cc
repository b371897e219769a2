// Cross-layer equalization; prepare.h has the equation.
#include <cmath>

#include "quantize/methods/prepare.h"
#include "quantize/methods/scale_groups.h"

namespace nibble {
namespace {

// The ranges of a chain of layers settle like a relaxation: tens of rounds for the deepest chains.
constexpr int kMostRounds = 100;
constexpr double kSettled = 1e-3;

bool has_bounded_activation(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (const Bounds* act = activation_of(node.op); act && std::isfinite(act->max)) return true;
  return false;
}

}  // namespace

Status equalize(Graph& graph, const PrepareContext& context) {
  std::vector<std::vector<ChannelStats>> stats;
  const bool bounded = has_bounded_activation(graph);
  if (bounded) {
    NIBBLE_ASSIGN(stats, channel_stats(graph, context.data, context.options.samples));
  }
  const ScaleGroups groups(graph, bounded ? &stats : nullptr);
  std::vector<RealLayer> layers = real_layers(graph);
  // least_scale is of the graph as it came: what the rounds before have done counts.
  std::vector<double> done(groups.count(), 1);
  for (int round = 0; round < kMostRounds; ++round) {
    const GroupRanges ranges = weight_ranges(graph, layers, groups);
    std::vector<double> scales(groups.count(), 1);
    double farthest = 0;
    for (size_t g = 0; g < groups.count(); ++g) {
      if (!groups.free(g) || ranges.written[g] <= 0 || ranges.read[g] <= 0) continue;
      const double wanted = std::sqrt(ranges.written[g] / ranges.read[g]);
      scales[g] = std::max(wanted, groups.least_scale(g) / done[g]);
      done[g] *= scales[g];
      farthest = std::max(farthest, std::abs(std::log(scales[g])));
    }
    rescale(graph, layers, groups, scales);
    if (farthest < kSettled) break;
  }
  return {};
}

}  // namespace nibble
