// A network made to break naive quantization: the same function, with channels whose ranges are far
// apart. What writes a channel is multiplied by a factor, what reads it divided, through whatever
// commutes with a positive factor.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "ops/ops.h"

namespace nibble {

// A layer with constant weights and bias, and an activation that a positive factor goes through.
inline bool can_spread(const Graph& graph, const Node& node) {
  const QuantRule rule = quant_rule(node.op);
  if (rule.weight < 0 || !graph.is_constant(node.inputs[1])) return false;
  const Bounds act = *activation_of(node.op);
  return act.none() || (act.min == 0 && std::isinf(act.max));
}

// Whether channel c of the output is channel c of the input, times the same positive factor.
inline bool commutes(const Graph& graph, const Node& node) {
  if (const auto* clamp = std::get_if<Clamp>(&node.op))
    return clamp->act.min == 0 && std::isinf(clamp->act.max);
  if (const auto* pad = std::get_if<Pad>(&node.op))
    return pad->value == 0 && pad->after.back() == 0;
  if (const auto* mean = std::get_if<Mean>(&node.op))
    return mean->axes.back() + 1 < static_cast<int64_t>(graph.type(node.inputs[0]).shape.size());
  return std::holds_alternative<MaxPool2d>(node.op) || std::holds_alternative<AvgPool2d>(node.op) ||
         std::holds_alternative<Reshape>(node.op);  // in order: element e is of channel e mod C
}

// The only layer that reads the value, behind nodes that commute; -1: none, or others read it too.
inline int sole_reader(const Graph& graph, ValueId id) {
  const auto readers = consumers(graph);
  for (;;) {
    const auto& reading = readers[static_cast<size_t>(id)];
    if (reading.size() != 1 || reading[0] < 0) return -1;
    const Node& node = graph.nodes[static_cast<size_t>(reading[0])];
    if (quant_rule(node.op).weight >= 0)
      return node.inputs[0] == id && graph.is_constant(node.inputs[1]) ? reading[0] : -1;
    if (!commutes(graph, node)) return -1;
    id = node.outputs[0];
  }
}

// Multiplies element i of an operand by factor(i).
template <class Factor>
void scale_operand(Graph& graph, ValueId id, Factor&& factor) {
  auto values = graph.value(id).constant->mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] =
        static_cast<float>(static_cast<double>(values[i]) * factor(static_cast<int64_t>(i)));
}

// Factors between 1 and `largest`, log-uniform; returns how many layers' outputs were spread.
inline int spread_channels(Graph& graph, double largest, uint64_t seed) {
  Rng rng(seed);
  int spread = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& writer = graph.nodes[i];
    if (!can_spread(graph, writer)) continue;
    const int found = sole_reader(graph, writer.outputs[0]);
    if (found < 0) continue;
    const Node& reader = graph.nodes[static_cast<size_t>(found)];
    const int64_t channels = graph.type(writer.outputs[0]).shape.back();
    std::vector<double> factors;
    for (int64_t c = 0; c < channels; ++c)
      factors.push_back(std::exp(rng.uniform(0, std::log(largest))));
    auto factor = [&](int64_t c) { return factors[static_cast<size_t>(c % channels)]; };
    // The output channel is the last axis of a depthwise filter, the first of the others.
    const int64_t per_out = graph.value(writer.inputs[1]).constant->size() / channels;
    const bool by_last = std::holds_alternative<DepthwiseConv2d>(writer.op);
    scale_operand(graph, writer.inputs[1],
                  [&](int64_t e) { return factor(by_last ? e : e / per_out); });
    if (writer.inputs.size() > 2 && writer.inputs[2] != kNoValue)
      scale_operand(graph, writer.inputs[2], factor);
    const Shape filter = graph.type(reader.inputs[1]).shape;
    const int64_t inner = filter.back(), outs = filter[0];
    const auto* conv = std::get_if<Conv2d>(&reader.op);
    const int64_t groups = conv ? conv->groups : 1;
    const int64_t elems = elem_count(filter);
    const bool depthwise = std::holds_alternative<DepthwiseConv2d>(reader.op);
    scale_operand(graph, reader.inputs[1], [&](int64_t e) {
      if (depthwise) return 1 / factor(e % inner / (inner / channels));
      const int64_t group = e / (elems / outs) / (outs / groups);
      return 1 / factor(group * inner + e % inner);
    });
    ++spread;
  }
  return spread;
}

}  // namespace nibble
