// Cross-layer equalization; prepare.h has the equation.
#include <cmath>

#include "quantize/methods/prepare.h"
#include "quantize/methods/scale_groups.h"

namespace nibble {
namespace {

// The ranges of a chain of layers settle like a relaxation: tens of rounds for the deepest chains.
constexpr int kMostRounds = 100;
constexpr double kSettled = 1e-3;
// Deviations that a normal value can be from its mean (Nagel et al. 2019, section 5).
constexpr double kReach = 6;

bool has_bounded_activation(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (const Bounds* act = activation_of(node.op); act && std::isfinite(act->max)) return true;
  return false;
}

// The largest values as batch norms have them, where they say something.
void believe(const LayerStatistics& statistics, const Graph& graph,
             std::vector<std::vector<ChannelStats>>& stats) {
  for (size_t v = 0; v < stats.size(); ++v) {
    const auto found = statistics.find(graph.values[v].name);
    if (found == statistics.end()) continue;
    const auto& [mean, deviation] = found->second;
    for (size_t c = 0; c < mean.size(); ++c)
      stats[v][c].max = static_cast<float>(mean[c] + kReach * deviation[c]);
  }
}

}  // namespace

Status equalize(Graph& graph, const PrepareContext& context) {
  std::vector<std::vector<ChannelStats>> stats;
  const bool bounded = has_bounded_activation(graph);
  if (bounded) {
    NIBBLE_ASSIGN(stats, channel_stats(graph, context.data, context.options.samples));
    if (context.data.synthetic && context.statistics) believe(*context.statistics, graph, stats);
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
    rescale(graph, layers, groups, scales, context.statistics);
    if (farthest < kSettled) break;
  }
  return {};
}

}  // namespace nibble
