// Outlier channel splitting; prepare.h says what it does. A weight w that is read in n parts
// becomes
//   w / n + step * ((j + 1/2) / n - 1/2),  j = 0 .. n-1,
// whose sum is w, and whose roundings to multiples of step sum to that of w (the
// quantization-aware split of Zhao et al., section 3.3, for n = 2).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "ops/ops.h"
#include "quantize/methods/prepare.h"
#include "quantize/methods/real_layer.h"

namespace nibble {
namespace {

// Two layers, and the nodes between them that treat every channel alike.
struct Pair {
  RealLayer writer, reader;
  std::vector<int> between;
};

bool treats_channels_alike(const Graph& graph, const Node& node) {
  const size_t rank = graph.type(node.inputs[0]).shape.size();
  if (const auto* mean = std::get_if<Mean>(&node.op))
    return std::ranges::find(mean->axes, static_cast<int64_t>(rank) - 1) == mean->axes.end();
  if (const auto* pad = std::get_if<Pad>(&node.op))
    return pad->before.back() == 0 && pad->after.back() == 0;
  if (std::holds_alternative<Reshape>(node.op))
    return graph.type(node.inputs[0]).shape.back() == graph.type(node.outputs[0]).shape.back();
  return std::holds_alternative<Clamp>(node.op) || std::holds_alternative<LeakyRelu>(node.op) ||
         std::holds_alternative<MaxPool2d>(node.op) || std::holds_alternative<AvgPool2d>(node.op) ||
         std::holds_alternative<ResizeNearest>(node.op);
}

// A layer without groups, so that it can have one channel more.
bool can_grow(const RealLayer& layer) { return !layer.depthwise && layer.groups == 1; }

std::optional<Pair> pair_before(const Graph& graph, const RealLayer& reader,
                                const std::vector<int>& writers,
                                const std::vector<std::vector<int>>& readers) {
  if (!can_grow(reader)) return std::nullopt;
  Pair pair{{}, reader, {}};
  for (ValueId id = graph.nodes[static_cast<size_t>(reader.node)].inputs[0];;) {
    if (readers[static_cast<size_t>(id)].size() != 1) return std::nullopt;
    const int writer = writers[static_cast<size_t>(id)];
    if (writer < 0) return std::nullopt;
    if (auto layer = real_layer(graph, writer)) {
      if (!can_grow(*layer) || layer->out_channels != reader.in_channels) return std::nullopt;
      pair.writer = *layer;
      return pair;
    }
    const Node& node = graph.nodes[static_cast<size_t>(writer)];
    if (!treats_channels_alike(graph, node)) return std::nullopt;
    pair.between.push_back(writer);
    id = node.inputs[0];
  }
}

// In how many parts each input channel is read: greedily, the largest weight of all first.
std::vector<int> parts_of(const Graph& graph, const RealLayer& layer, int64_t extra) {
  std::vector<double> largest(static_cast<size_t>(layer.in_channels), 0);
  auto weights = graph.value(layer.weight).constant->data<float>();
  for (int64_t i = 0; i < layer.elems(); ++i) {
    double& most = largest[static_cast<size_t>(layer.in_channel(i))];
    most = std::max(most, static_cast<double>(std::abs(weights[static_cast<size_t>(i)])));
  }
  std::vector<int> parts(largest.size(), 1);
  for (; extra > 0; --extra) {
    size_t worst = 0;
    for (size_t c = 1; c < parts.size(); ++c)
      if (largest[c] / parts[c] > largest[worst] / parts[worst]) worst = c;
    ++parts[worst];
  }
  return parts;
}

// `tensor` with its slices along `axis` in the order of `sources`.
Tensor gather(const Tensor& tensor, size_t axis, const std::vector<int64_t>& sources) {
  Shape shape = tensor.shape();
  const int64_t extent = shape[axis];
  const int64_t inner = std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                                        shape.end(), int64_t{1}, std::multiplies<>());
  const int64_t outer = tensor.size() / std::max<int64_t>(extent * inner, 1);
  shape[axis] = static_cast<int64_t>(sources.size());
  std::vector<float> elems;
  auto values = tensor.data<float>();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t source : sources) {
      const auto start = values.begin() + (o * extent + source) * inner;
      elems.insert(elems.end(), start, start + inner);
    }
  return Tensor::of_floats(std::move(shape), elems);
}

ChannelStatistics gather(const ChannelStatistics& all, const std::vector<int64_t>& sources) {
  ChannelStatistics result;
  for (int64_t source : sources) {
    result.mean.push_back(all.mean[static_cast<size_t>(source)]);
    result.deviation.push_back(all.deviation[static_cast<size_t>(source)]);
  }
  return result;
}

void split(Graph& graph, Pair& pair, const std::vector<int>& parts, double steps,
           LayerStatistics* statistics) {
  std::vector<int64_t> sources(parts.size());
  std::iota(sources.begin(), sources.end(), int64_t{0});
  std::vector<int> part_number(parts.size(), 0);
  for (size_t c = 0; c < parts.size(); ++c)
    for (int part = 1; part < parts[c]; ++part) {
      sources.push_back(static_cast<int64_t>(c));
      part_number.push_back(part);
    }
  // Whoever else reads these constants keeps them: the layers get their own.
  auto replace = [&](int node, size_t operand, Tensor tensor) {
    const ValueId old = graph.nodes[static_cast<size_t>(node)].inputs[operand];
    const ValueId id = append_constant(graph, graph.value(old).name, std::move(tensor));
    graph.nodes[static_cast<size_t>(node)].inputs[operand] = id;
  };
  replace(pair.writer.node, 1, gather(*graph.value(pair.writer.weight).constant, 0, sources));
  if (pair.writer.bias != kNoValue)
    replace(pair.writer.node, 2, gather(*graph.value(pair.writer.bias).constant, 0, sources));
  const Shape filter = graph.type(pair.reader.weight).shape;
  Tensor weight = gather(*graph.value(pair.reader.weight).constant, filter.size() - 1, sources);
  auto values = weight.mutable_data<float>();
  const size_t columns = sources.size(), per_out = values.size() / static_cast<size_t>(filter[0]);
  for (size_t out = 0; out < values.size(); out += per_out) {
    double largest = 0;
    for (size_t i = out; i < out + per_out; ++i)
      largest = std::max(largest, static_cast<double>(std::abs(values[i])) /
                                      parts[static_cast<size_t>(sources[i % columns])]);
    const double step = largest / steps;
    for (size_t i = out; i < out + per_out; ++i) {
      const int n = parts[static_cast<size_t>(sources[i % columns])];
      if (n == 1) continue;
      values[i] = static_cast<float>(static_cast<double>(values[i]) / n +
                                     step * ((part_number[i % columns] + 0.5) / n - 0.5));
    }
  }
  replace(pair.reader.node, 1, std::move(weight));
  auto widen = [&](ValueId id) {
    graph.value(id).type.shape.back() = static_cast<int64_t>(columns);
    if (!statistics) return;
    const auto found = statistics->find(graph.value(id).name);
    if (found != statistics->end()) found->second = gather(found->second, sources);
  };
  widen(graph.nodes[static_cast<size_t>(pair.writer.node)].outputs[0]);
  for (int index : pair.between) {
    Node& node = graph.nodes[static_cast<size_t>(index)];
    widen(node.outputs[0]);
    if (auto* reshape = std::get_if<Reshape>(&node.op))
      reshape->shape.back() = static_cast<int64_t>(columns);
  }
}

}  // namespace

Status split_channels(Graph& graph, const PrepareContext& context) {
  for (const RealLayer& found : real_layers(graph)) {
    const auto layer = real_layer(graph, found.node);  // as the splits before have left it
    auto pair = pair_before(graph, *layer, producers(graph), consumers(graph));
    if (!pair) continue;
    const auto extra = static_cast<int64_t>(
        std::ceil(context.options.split_share * static_cast<double>(layer->in_channels)));
    const Node& node = graph.nodes[static_cast<size_t>(layer->node)];
    const LayerSettings settings =
        settings_of(context.all, context.rules, node.name, op_name(node.op));
    split(graph, *pair, parts_of(graph, *layer, extra),
          std::max(1, (1 << (settings.weights.bits - 1)) - 1), context.statistics);
  }
  drop_unused_values(graph);
  return {};
}

}  // namespace nibble
