// Channels that always hold the same values (equal filters, biases and factors over equal inputs)
// are read as one: the weights of the second go to the first, where every sum fits the filter:
//   w1 x + w2 x = (w1 + w2) x
// remove_channels then removes the second. Channels get numbers, equal ones the same: a value
// numbering by channel, with the operator and the numbers of its operands as key.
#include <bit>
#include <map>

#include "passes/channels.h"
#include "passes/list.h"

namespace nibble {
namespace {

// What makes a channel; equal keys, equal values.
using Key = std::vector<int64_t>;

class Numbering {
 public:
  explicit Numbering(const View& view) : view_(view), numbers_(view.graph().values.size()) {
    for (const Port& port : view.graph().inputs) all_new(port.value);
    for (int i = 0; i < view.node_count(); ++i) number_node(i);
  }

  // One number per channel (position along the last axis).
  const std::vector<int64_t>& of(ValueId id) const { return numbers_[static_cast<size_t>(id)]; }

 private:
  std::vector<int64_t>& of(ValueId id) { return numbers_[static_cast<size_t>(id)]; }
  size_t channels(ValueId id) const {
    const Shape& shape = view_.shape(id);
    return shape.empty() ? 1 : static_cast<size_t>(shape.back());
  }
  int64_t number(Key key) {
    return known_.try_emplace(std::move(key), static_cast<int64_t>(known_.size())).first->second;
  }
  void all_new(ValueId id) {
    for (size_t c = 0; c < channels(id); ++c)
      of(id).push_back(number({-1, id, static_cast<int64_t>(c)}));
  }

  void number_node(int index) {
    const Node& node = view_.node(index);
    if (auto layer = weighted_layer(view_, index)) {
      number_layer(*layer, node);
    } else if (std::holds_alternative<Concat>(node.op)) {
      number_concat(index, node);
    } else if (each_channel_alone(node)) {
      number_each(index, node);
    } else {
      for (ValueId id : node.outputs) all_new(id);
    }
  }

  // Operators that treat all channels alike and each by itself; operands of one channel broadcast.
  bool each_channel_alone(const Node& node) const {
    if (node.outputs.size() != 1) return false;
    const Shape& out = view_.shape(node.outputs[0]);
    if (out.empty()) return false;
    bool binary = std::holds_alternative<Add>(node.op) || std::holds_alternative<Sub>(node.op) ||
                  std::holds_alternative<Mul>(node.op);
    for (ValueId id : node.inputs) {
      if (id == kNoValue || view_.shape(id).empty()) return false;
      if (view_.constant(id) ? !binary : of(id).empty()) return false;
      const int64_t extent = view_.shape(id).back();
      if (extent != out.back() && !(binary && extent == 1)) return false;
    }
    if (binary || std::holds_alternative<MaxPool2d>(node.op) ||
        std::holds_alternative<AvgPool2d>(node.op) ||
        std::holds_alternative<ResizeNearest>(node.op) || is_elementwise(view_, node))
      return true;
    const auto* reshape = std::get_if<Reshape>(&node.op);
    const auto* mean = std::get_if<Mean>(&node.op);
    const auto last = static_cast<int64_t>(view_.shape(node.inputs[0]).size()) - 1;
    if (mean) return mean->axes.empty() || mean->axes.back() != last;
    if (const auto* pad = std::get_if<Pad>(&node.op))
      return pad->before.back() == 0 && pad->after.back() == 0;
    return reshape != nullptr;
  }

  // The elements of channel c of a constant.
  void append_constant(const Tensor& tensor, size_t c, Key& key) const {
    const auto step = static_cast<size_t>(tensor.shape().back());
    for (size_t i = c % step; i < static_cast<size_t>(tensor.size()); i += step)
      key.push_back(tensor.dtype() == DType::kF32 ? std::bit_cast<int32_t>(tensor.data<float>()[i])
                                                  : tensor.integer_at(static_cast<int64_t>(i)));
  }

  void number_each(int index, const Node& node) {
    const ValueId out = node.outputs[0];
    for (size_t c = 0; c < channels(out); ++c) {
      Key key{index};
      for (ValueId id : node.inputs)
        if (const Tensor* constant = view_.constant(id))
          append_constant(*constant, c, key);
        else
          key.push_back(of(id)[c % of(id).size()]);
      of(out).push_back(number(std::move(key)));
    }
  }

  // Operands with the output's parameters are copied: their channels keep their numbers.
  void number_concat(int index, const Node& node) {
    const ValueId out = node.outputs[0];
    const auto& op = std::get<Concat>(node.op);
    if (op.axis + 1 != static_cast<int64_t>(view_.shape(out).size())) return all_new(out);
    for (ValueId id : node.inputs)
      for (size_t c = 0; c < channels(id); ++c) {
        const bool copied = view_.type(id).quant == view_.type(out).quant;
        const int64_t self = static_cast<int64_t>(of(out).size());
        of(out).push_back(view_.constant(id) ? number({-1, out, self})
                          : copied           ? of(id)[c]
                                             : number({index, id, of(id)[c]}));
      }
  }

  // Weights of equal inputs count together: they are added up by place among the distinct numbers.
  void number_layer(const WeightedLayer& layer, const Node& node) {
    const std::vector<int64_t>& src = of(node.inputs[0]);
    std::map<int64_t, size_t> places;
    std::vector<size_t> place;
    for (int64_t number : src)
      place.push_back(places.try_emplace(number, places.size()).first->second);
    auto weights = layer.filter.data<int8_t>();
    const auto& scale = layer.filter.type().quant->scale;
    std::map<std::vector<int32_t>, int64_t> rows;
    for (int64_t o = 0; o < layer.out_channels; ++o) {
      const auto at = static_cast<size_t>(o);
      const auto taps = static_cast<size_t>(layer.taps());
      const auto first = static_cast<size_t>(layer.first_read(o));
      const auto read = static_cast<size_t>(layer.read_channels());
      // A depthwise filter reads one channel, named in front; others have a column for each number.
      const size_t columns = layer.depthwise ? 1 : places.size();
      std::vector<int32_t> row(3 + taps * columns, 0);
      row[0] = layer.bias ? layer.bias->data<int32_t>()[at] : 0;
      row[1] = std::bit_cast<int32_t>(scale[scale.size() == 1 ? 0 : at]);
      row[2] = layer.depthwise ? static_cast<int32_t>(place[first]) : 0;
      for (size_t tap = 0; tap < taps; ++tap)
        for (size_t c = 0; c < read; ++c)
          row[3 + tap * columns + (layer.depthwise ? 0 : place[first + c])] +=
              weights[layer.index(o, static_cast<int64_t>(tap), static_cast<int64_t>(c))];
      const auto equal = rows.try_emplace(std::move(row), o).first->second;
      of(node.outputs[0]).push_back(number({layer.node, equal}));
    }
  }

  const View& view_;
  std::vector<std::vector<int64_t>> numbers_;
  std::map<Key, int64_t> known_;
};

bool merge(const View& view, WeightedLayer layer, const std::vector<int64_t>& src, Patch& patch) {
  if (layer.depthwise) return false;  // its own output channels are equal then, or differ
  const int64_t read = layer.read_channels();
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> equal;  // by group and number
  for (int64_t c = 0; c < layer.in_channels; ++c)
    equal[{c / read, src[static_cast<size_t>(c)]}].push_back(c);
  auto is_read = [&](int64_t c) {
    auto weights = layer.filter.data<int8_t>();
    const int64_t per_group = layer.out_channels / layer.groups, first = c / read * per_group;
    for (int64_t o = first; o < first + per_group; ++o)
      for (int64_t tap = 0; tap < layer.taps(); ++tap)
        if (weights[layer.index(o, tap, c % read)] != 0) return true;
    return false;
  };
  for (const auto& [number, channels] : equal)
    for (size_t i = 0; i < channels.size(); ++i)
      for (size_t k = i + 1; k < channels.size() && is_read(channels[i]); ++k)
        add_weights(layer, channels[k], channels[i]);
  return replace_weights(view, layer, patch);
}

}  // namespace

int merge_channels(Graph& graph) {
  View view(graph);
  std::vector<WeightedLayer> layers;
  for (int i = 0; i < view.node_count(); ++i)
    if (auto layer = weighted_layer(view, i)) layers.push_back(std::move(*layer));
  if (layers.empty()) return 0;
  const Numbering numbering(view);
  Patch patch(graph);
  int changes = 0;
  for (WeightedLayer& layer : layers) {
    const ValueId src = view.node(layer.node).inputs[0];
    if (merge(view, layer, numbering.of(src), patch)) ++changes;
  }
  if (changes > 0) patch.apply();
  return changes;
}

}  // namespace nibble
