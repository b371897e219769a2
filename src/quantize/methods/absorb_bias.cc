// High-bias absorption; prepare.h has the equation.
#include <algorithm>
#include <cmath>
#include <optional>

#include "quantize/methods/prepare.h"
#include "quantize/methods/real_layer.h"

namespace nibble {
namespace {

// Deviations below its mean where a normal value is taken to end (equation 14).
constexpr double kReach = 3;

ChannelStatistics* statistics_of(const std::string& value, LayerStatistics* statistics) {
  if (!statistics) return nullptr;
  const auto found = statistics->find(value);
  return found == statistics->end() ? nullptr : &found->second;
}

bool padded(const Node& node) {
  auto any = [](const Window& window) {
    return window.pad_top + window.pad_left + window.pad_bottom + window.pad_right > 0;
  };
  if (const auto* conv = std::get_if<Conv2d>(&node.op)) return any(conv->window);
  if (const auto* conv = std::get_if<DepthwiseConv2d>(&node.op)) return any(conv->window);
  return false;
}

// The layers that read the value, directly or flattened; nothing if anything else does.
std::optional<std::vector<int>> reading_layers(const Graph& graph,
                                               const std::vector<std::vector<int>>& readers,
                                               ValueId id) {
  std::vector<int> layers;
  for (int reader : readers[static_cast<size_t>(id)]) {
    if (reader < 0) return std::nullopt;
    const Node& node = graph.nodes[static_cast<size_t>(reader)];
    if (std::holds_alternative<Reshape>(node.op)) {
      auto behind = reading_layers(graph, readers, node.outputs[0]);
      if (!behind) return std::nullopt;
      layers.insert(layers.end(), behind->begin(), behind->end());
      continue;
    }
    if (!real_layer(graph, reader) || padded(node)) return std::nullopt;
    layers.push_back(reader);
  }
  return layers;
}

}  // namespace

Status absorb_bias(Graph& graph, const PrepareContext& context) {
  NIBBLE_ASSIGN(auto stats, channel_stats(graph, context.data, context.options.samples));
  const bool believed = context.data.synthetic && context.statistics;
  const std::vector<std::vector<int>> readers = consumers(graph);
  for (RealLayer& layer : real_layers(graph)) {
    const Node& node = graph.nodes[static_cast<size_t>(layer.node)];
    const Bounds act = *activation_of(node.op);
    if (act.min != 0 || !std::isinf(act.max)) continue;
    const ValueId dst = node.outputs[0];
    const auto behind = reading_layers(graph, readers, dst);
    if (!behind || behind->empty()) continue;
    ChannelStatistics* found = statistics_of(graph.value(dst).name, context.statistics);
    const ChannelStatistics* known = believed ? found : nullptr;
    std::vector<float> bias = bias_of(graph, layer), always;
    for (size_t c = 0; c < bias.size(); ++c) {
      float least = stats[static_cast<size_t>(dst)][c].min;
      if (known) least = static_cast<float>(known->mean[c] - kReach * known->deviation[c]);
      always.push_back(std::max(0.0f, least));
      bias[c] -= always[c];
    }
    if (std::ranges::all_of(always, [](float c) { return c == 0; })) continue;
    set_bias(graph, layer, bias);
    for (size_t c = 0; found && c < always.size(); ++c)
      found->mean[c] -= static_cast<double>(always[c]);
    for (int reader : *behind) {
      RealLayer next = *real_layer(graph, reader);
      std::vector<float> sums = bias_of(graph, next);
      auto weights = graph.value(next.weight).constant->data<float>();
      for (int64_t i = 0; i < next.elems(); ++i)
        sums[static_cast<size_t>(next.out_channel(i))] +=
            weights[static_cast<size_t>(i)] *
            always[static_cast<size_t>(next.in_channel(i) % layer.out_channels)];
      set_bias(graph, next, sums);
    }
  }
  return {};
}

}  // namespace nibble
