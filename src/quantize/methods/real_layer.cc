#include "quantize/methods/real_layer.h"

#include <algorithm>

#include "ops/ops.h"

namespace nibble {
namespace {

// How often anything reads the value.
int64_t reads(const Graph& graph, ValueId id) {
  int64_t count = 0;
  for (const Node& node : graph.nodes) count += std::ranges::count(node.inputs, id);
  return count;
}

}  // namespace

std::optional<RealLayer> real_layer(const Graph& graph, int node_index) {
  const Node& node = graph.nodes[static_cast<size_t>(node_index)];
  const QuantRule rule = quant_rule(node.op);
  if (rule.weight < 0) return std::nullopt;
  RealLayer layer;
  layer.node = node_index;
  layer.weight = node.inputs[static_cast<size_t>(rule.weight)];
  if (!graph.is_constant(layer.weight) || graph.type(layer.weight).dtype != DType::kF32)
    return std::nullopt;
  if (rule.bias >= 0 && static_cast<size_t>(rule.bias) < node.inputs.size())
    layer.bias = node.inputs[static_cast<size_t>(rule.bias)];
  if (layer.bias != kNoValue && !graph.is_constant(layer.bias)) return std::nullopt;
  const Shape& filter = graph.type(layer.weight).shape;
  layer.elems_ = elem_count(filter);
  layer.out_channels = filter[static_cast<size_t>(rule.weight_channel_axis)];
  layer.in_channels = graph.type(node.inputs[0]).shape.back();
  if (layer.elems_ == 0) return std::nullopt;
  layer.depthwise = std::holds_alternative<DepthwiseConv2d>(node.op);
  layer.inner = layer.depthwise ? 1 : filter.back();
  layer.groups = layer.depthwise ? layer.in_channels : layer.in_channels / layer.inner;
  return layer;
}

std::vector<RealLayer> real_layers(const Graph& graph) {
  std::vector<RealLayer> layers;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (auto layer = real_layer(graph, static_cast<int>(i))) layers.push_back(*layer);
  return layers;
}

std::vector<float> bias_of(const Graph& graph, const RealLayer& layer) {
  if (layer.bias == kNoValue) return std::vector<float>(static_cast<size_t>(layer.out_channels));
  auto values = graph.value(layer.bias).constant->data<float>();
  return {values.begin(), values.end()};
}

void set_bias(Graph& graph, RealLayer& layer, const std::vector<float>& bias) {
  Node& node = graph.nodes[static_cast<size_t>(layer.node)];
  const auto operand = static_cast<size_t>(quant_rule(node.op).bias);
  if (node.inputs.size() <= operand) node.inputs.resize(operand + 1, kNoValue);
  const std::string name = node.name + "_bias";
  layer.bias = append_constant(graph, name, Tensor::of_floats({layer.out_channels}, bias));
  graph.nodes[static_cast<size_t>(layer.node)].inputs[operand] = layer.bias;
}

std::span<float> own_weights(Graph& graph, RealLayer& layer) {
  if (reads(graph, layer.weight) > 1) {
    Node& node = graph.nodes[static_cast<size_t>(layer.node)];
    const auto operand = static_cast<size_t>(quant_rule(node.op).weight);
    Tensor copy = *graph.value(layer.weight).constant;
    layer.weight = append_constant(graph, graph.value(layer.weight).name, std::move(copy));
    graph.nodes[static_cast<size_t>(layer.node)].inputs[operand] = layer.weight;
  }
  return graph.value(layer.weight).constant->mutable_data<float>();
}

}  // namespace nibble
