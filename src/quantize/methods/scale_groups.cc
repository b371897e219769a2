#include "quantize/methods/scale_groups.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nibble {
namespace {

// Weights below this part of the bias vanish beside it in float32: the channel is its bias.
constexpr double kNothing = 0x1p-24;

// Union-find over all channels of all activations, with what is known of each set.
class Ties {
 public:
  Ties(const Graph& graph, const std::vector<std::vector<ChannelStats>>* stats)
      : graph_(graph), stats_(stats) {
    size_t total = 0;
    for (const Value& value : graph.values) {
      first_.push_back(total);
      if (!value.constant) total += channels_of(value.type);
    }
    parent_.resize(total);
    std::iota(parent_.begin(), parent_.end(), size_t{0});
    fixed_.assign(total, false);
    least_.assign(total, 0);
    for (const Port& port : graph.inputs) fix(port.value);
    for (const Port& port : graph.outputs) fix(port.value);
    for (size_t i = 0; i < graph.nodes.size(); ++i) add_node(static_cast<int>(i));
  }

  size_t find(size_t index) {
    while (parent_[index] != index) index = parent_[index] = parent_[parent_[index]];
    return index;
  }
  const std::vector<size_t>& first() const { return first_; }
  size_t size() const { return parent_.size(); }
  bool fixed(size_t root) const { return fixed_[root]; }
  double least(size_t root) const { return least_[root]; }

 private:
  static size_t channels_of(const TensorType& type) {
    return type.shape.empty() ? 1 : static_cast<size_t>(type.shape.back());
  }
  size_t channels(ValueId id) const { return channels_of(graph_.type(id)); }
  size_t at(ValueId id, size_t channel) const { return first_[static_cast<size_t>(id)] + channel; }

  void tie(size_t a, size_t b) {
    a = find(a), b = find(b);
    if (a == b) return;
    parent_[b] = a;
    fixed_[a] = fixed_[a] || fixed_[b];
    least_[a] = std::max(least_[a], least_[b]);
  }
  void tie(ValueId a, ValueId b) {
    if (channels(a) != channels(b)) return fix(a), fix(b);
    for (size_t c = 0; c < channels(a); ++c) tie(at(a, c), at(b, c));
  }
  void fix(ValueId id) {
    for (size_t c = 0; c < channels(id); ++c) fixed_[find(at(id, c))] = true;
  }
  bool is_activation(ValueId id) const { return id != kNoValue && !graph_.is_constant(id); }

  // The output of a node with this fused activation.
  void bound(ValueId id, const Op& op) {
    const Bounds* fused = activation_of(op);
    const Bounds act = fused ? *fused : Bounds{};
    if (act.none() || (act.min == 0 && std::isinf(act.max))) return;
    const bool known = stats_ && act.min == 0 && act.max > 0;
    if (!known) return fix(id);
    for (size_t c = 0; c < channels(id); ++c) {
      const size_t root = find(at(id, c));
      const auto most = static_cast<double>((*stats_)[static_cast<size_t>(id)][c].max);
      const auto limit = static_cast<double>(act.max);
      if (most >= limit)
        fixed_[root] = true;
      else
        least_[root] = std::max(least_[root], most / limit);
    }
  }

  void add_node(int index) {
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    const ValueId dst = node.outputs[0];
    if (real_layer(graph_, index)) return bound(dst, node.op);
    if (!std::visit([&](const auto& op) { return add(op, node, dst); }, node.op)) {
      for (ValueId id : node.inputs)
        if (is_activation(id)) fix(id);
      fix(dst);
      return;
    }
    bound(dst, node.op);
  }

  // False: the operator does not commute with a scale per channel.
  template <class T>
  bool add(const T&, const Node&, ValueId) {
    return false;
  }
  bool pass(const Node& node, ValueId dst) {
    tie(node.inputs[0], dst);
    return true;
  }
  bool add(const Clamp&, const Node& node, ValueId dst) { return pass(node, dst); }
  bool add(const LeakyRelu&, const Node& node, ValueId dst) { return pass(node, dst); }
  bool add(const MaxPool2d&, const Node& node, ValueId dst) { return pass(node, dst); }
  bool add(const AvgPool2d&, const Node& node, ValueId dst) { return pass(node, dst); }
  bool add(const ResizeNearest&, const Node& node, ValueId dst) { return pass(node, dst); }
  bool add(const Mean& op, const Node& node, ValueId dst) {
    const auto last = static_cast<int64_t>(graph_.type(node.inputs[0]).shape.size()) - 1;
    return std::ranges::find(op.axes, last) == op.axes.end() && pass(node, dst);
  }
  bool add(const Pad& op, const Node& node, ValueId dst) {
    return op.value == 0 && pass(node, dst);  // tie() fixes both where channels are added
  }
  bool add(const Transpose& op, const Node& node, ValueId dst) {
    return !op.perm.empty() && op.perm.back() == static_cast<int64_t>(op.perm.size()) - 1 &&
           pass(node, dst);
  }
  bool add(const Reshape&, const Node& node, ValueId dst) {
    const size_t in = channels(node.inputs[0]), out = channels(dst);
    if (in == 0 || out == 0) return false;
    const auto elems = static_cast<size_t>(elem_count(graph_.type(dst).shape));
    for (size_t i = 0; i < std::min(elems, std::lcm(in, out)); ++i)
      tie(at(node.inputs[0], i % in), at(dst, i % out));
    return true;
  }
  bool add(const Concat& op, const Node& node, ValueId dst) {
    const bool by_channel = op.axis == static_cast<int64_t>(graph_.type(dst).shape.size()) - 1;
    if (!std::ranges::all_of(node.inputs, [&](ValueId id) { return is_activation(id); }))
      return false;
    size_t start = 0;
    for (ValueId id : node.inputs) {
      for (size_t c = 0; c < channels(id); ++c) tie(at(id, c), at(dst, start + c));
      if (by_channel) start += channels(id);
    }
    return true;
  }
  bool add(const Slice& op, const Node& node, ValueId dst) {
    for (size_t c = 0; c < channels(dst); ++c)
      tie(at(node.inputs[0],
             static_cast<size_t>(op.begin.back() + static_cast<int64_t>(c) * op.step.back())),
          at(dst, c));
    return !op.begin.empty();
  }
  bool sum(const Node& node, ValueId dst) {
    if (!is_activation(node.inputs[0]) || !is_activation(node.inputs[1])) return false;
    tie(node.inputs[0], dst);
    tie(node.inputs[1], dst);
    return true;
  }
  bool add(const Add&, const Node& node, ValueId dst) { return sum(node, dst); }
  bool add(const Sub&, const Node& node, ValueId dst) { return sum(node, dst); }
  bool add(const Mul&, const Node& node, ValueId dst) {
    const bool first = is_activation(node.inputs[0]);
    if (first == is_activation(node.inputs[1])) return false;
    tie(node.inputs[first ? 0 : 1], dst);
    return true;
  }

  const Graph& graph_;
  const std::vector<std::vector<ChannelStats>>* stats_;
  std::vector<size_t> first_, parent_;
  std::vector<bool> fixed_;
  std::vector<double> least_;
};

}  // namespace

ScaleGroups::ScaleGroups(const Graph& graph, const std::vector<std::vector<ChannelStats>>* stats) {
  Ties ties(graph, stats);
  first_ = ties.first();
  std::vector<size_t> number(ties.size(), SIZE_MAX);
  for (size_t i = 0; i < ties.size(); ++i) {
    const size_t root = ties.find(i);
    if (number[root] == SIZE_MAX) {
      number[root] = free_.size();
      free_.push_back(!ties.fixed(root));
      least_.push_back(ties.least(root));
    }
    group_.push_back(number[root]);
  }
}

void rescale(Graph& graph, std::vector<RealLayer>& layers, const ScaleGroups& groups,
             const std::vector<double>& scales, LayerStatistics* statistics) {
  for (size_t v = 0; statistics && v < graph.values.size(); ++v) {
    const auto found = statistics->find(graph.values[v].name);
    if (found == statistics->end() || graph.values[v].constant) continue;
    auto& [mean, deviation] = found->second;
    for (size_t c = 0; c < mean.size(); ++c) {
      const double scale = scales[groups.group(static_cast<ValueId>(v), static_cast<int64_t>(c))];
      mean[c] /= scale;
      deviation[c] /= scale;
    }
  }
  for (RealLayer& layer : layers) {
    const Node& node = graph.nodes[static_cast<size_t>(layer.node)];
    const ValueId src = node.inputs[0], dst = node.outputs[0];
    auto in_scale = [&](int64_t c) { return scales[groups.group(src, c)]; };
    auto out_scale = [&](int64_t c) { return scales[groups.group(dst, c)]; };
    std::span<float> weights = own_weights(graph, layer);
    for (int64_t i = 0; i < layer.elems(); ++i)
      weights[static_cast<size_t>(i)] =
          static_cast<float>(static_cast<double>(weights[static_cast<size_t>(i)]) *
                             in_scale(layer.in_channel(i)) / out_scale(layer.out_channel(i)));
    if (layer.bias == kNoValue) continue;
    std::vector<float> bias = bias_of(graph, layer);
    for (size_t c = 0; c < bias.size(); ++c)
      bias[c] =
          static_cast<float>(static_cast<double>(bias[c]) / out_scale(static_cast<int64_t>(c)));
    set_bias(graph, layer, bias);
  }
}

GroupRanges weight_ranges(const Graph& graph, const std::vector<RealLayer>& layers,
                          const ScaleGroups& groups) {
  GroupRanges ranges{std::vector<double>(groups.count(), 0),
                     std::vector<double>(groups.count(), 0)};
  for (const RealLayer& layer : layers) {
    const Node& node = graph.nodes[static_cast<size_t>(layer.node)];
    auto weights = graph.value(layer.weight).constant->data<float>();
    std::vector<double> outs(static_cast<size_t>(layer.out_channels), 0);
    for (int64_t i = 0; i < layer.elems(); ++i) {
      const auto magnitude = static_cast<double>(std::abs(weights[static_cast<size_t>(i)]));
      double& out = outs[static_cast<size_t>(layer.out_channel(i))];
      double& read = ranges.read[groups.group(node.inputs[0], layer.in_channel(i))];
      out = std::max(out, magnitude);
      read = std::max(read, magnitude);
    }
    const std::vector<float> bias = bias_of(graph, layer);
    for (size_t c = 0; c < outs.size(); ++c) {
      if (outs[c] < kNothing * static_cast<double>(std::abs(bias[c]))) continue;
      double& written = ranges.written[groups.group(node.outputs[0], static_cast<int64_t>(c))];
      written = std::max(written, outs[c]);
    }
  }
  return ranges;
}

}  // namespace nibble
