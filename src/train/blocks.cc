#include "train/blocks.h"

#include <algorithm>

#include "ops/ops.h"

namespace nibble {
namespace {

// Behind the last node that reads each value, 0: none does.
std::vector<size_t> last_readers(const Graph& graph) {
  std::vector<size_t> last(graph.values.size(), 0);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue) last[static_cast<size_t>(id)] = i + 1;
  return last;
}

// Positions p at which a single activation that nodes before p wrote (or the caller) is still read
// at p or later; the end.
std::vector<bool> cuts_of(const Graph& graph) {
  const size_t count = graph.nodes.size();
  const std::vector<size_t> last = last_readers(graph);
  std::vector<size_t> born(graph.values.size(), SIZE_MAX);
  for (const Port& port : graph.inputs) born[static_cast<size_t>(port.value)] = 0;
  for (size_t i = 0; i < count; ++i)
    for (ValueId id : graph.nodes[i].outputs) born[static_cast<size_t>(id)] = i + 1;
  std::vector<int> crossing(count + 2, 0);
  for (size_t v = 0; v < born.size(); ++v)
    for (size_t p = born[v]; p != SIZE_MAX && p < last[v]; ++p) ++crossing[p];
  std::vector<bool> cuts(count + 1, false);
  for (size_t p = 0; p <= count; ++p) cuts[p] = crossing[p] == 1;
  cuts[count] = true;
  return cuts;
}

// Of nodes [begin, end).
std::vector<ValueId> values_read_behind(const Graph& graph, size_t begin, size_t end) {
  const std::vector<size_t> last = last_readers(graph);
  std::vector<ValueId> values;
  for (size_t i = begin; i < end; ++i)
    for (ValueId id : graph.nodes[i].outputs)
      if (last[static_cast<size_t>(id)] > end ||
          std::ranges::find(graph.outputs, id, &Port::value) != graph.outputs.end())
        values.push_back(id);
  return values;
}

}  // namespace

bool has_weights(const Graph& graph, const Node& node) {
  const int weight = quant_rule(node.op).weight;
  if (weight < 0) return false;
  const ValueId id = node.inputs[static_cast<size_t>(weight)];
  return graph.is_constant(id) && is_integer(graph.type(id).dtype);
}

std::vector<Block> layer_blocks(const Graph& graph) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (has_weights(graph, graph.nodes[i]))
      blocks.push_back({i, i + 1, {i}, {graph.nodes[i].outputs[0]}});
  return blocks;
}

std::vector<Block> residual_blocks(const Graph& graph) {
  const std::vector<bool> cuts = cuts_of(graph);
  std::vector<Block> blocks;
  Block block;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (has_weights(graph, graph.nodes[i])) block.layers.push_back(i);
    if (!cuts[i + 1]) continue;
    const bool ends_depthwise = !block.layers.empty() && std::holds_alternative<DepthwiseConv2d>(
                                                             graph.nodes[block.layers.back()].op);
    const bool more =
        std::any_of(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i) + 1, graph.nodes.end(),
                    [&](const Node& node) { return has_weights(graph, node); });
    if (ends_depthwise && block.layers.size() == 1 && more) continue;
    block.end = i + 1;
    block.outputs = values_read_behind(graph, block.begin, block.end);
    if (!block.layers.empty() && !block.outputs.empty()) blocks.push_back(block);
    block = Block{i + 1, i + 1, {}, {}};
  }
  return blocks;
}

}  // namespace nibble
