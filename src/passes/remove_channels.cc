// Channels that nobody reads are removed: from the filters that write them, through every operator
// that treats each channel by itself (depthwise, pools, element-wise, concat, pad, a reshape before
// dense), and from the filters that read them with weights of zero. An addition needs the same
// channels of all its operands. The other channel passes make channels unread.
//
// keep is the smallest set of channels that holds
//   all channels of inputs, outputs and of what is not known to work channel by channel;
//   of what a layer with weights reads: those with a weight that is not zero for a kept output;
//   of what works channel by channel: those of the result, and of the result those of the operands.
#include <algorithm>
#include <numeric>

#include "passes/channels.h"
#include "passes/list.h"

namespace nibble {
namespace {

bool has_axis(const std::vector<int64_t>& axes, size_t axis) {
  return std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
}

template <class T, class... List>
constexpr bool is_one_of = (std::is_same_v<T, List> || ...);

// How the channels (the last axis) of an operator's result depend on those of its operands.
enum class Link {
  kOpaque,     // anything may depend on anything
  kEach,       // channel c on channel c of every operand that has as many; others broadcast
  kWeights,    // by the filter
  kDepthwise,  // c * M + m on c
  kConcat,     // one operand after the other
  kPad,        // channel before + c on c
  kFlatten,    // channel i * C + c on c: a reshape that moves outer axes into the last one
};

Link link_of(const Pad& op, const Shape& in, const Shape&) {
  auto negative = [](int64_t extent) { return extent < 0; };
  if (std::any_of(op.before.begin(), op.before.end(), negative) ||
      std::any_of(op.after.begin(), op.after.end(), negative))
    return Link::kOpaque;
  const size_t last = in.size() - 1;
  return op.before[last] == 0 && op.after[last] == 0 ? Link::kEach : Link::kPad;
}
Link link_of(const Concat& op, const Shape& in, const Shape&) {
  return op.axis + 1 == static_cast<int64_t>(in.size()) ? Link::kConcat : Link::kEach;
}
Link link_of(const Mean& op, const Shape& in, const Shape&) {
  return has_axis(op.axes, in.size() - 1) ? Link::kOpaque : Link::kEach;
}
Link link_of(const Transpose& op, const Shape& in, const Shape&) {
  const auto last = static_cast<int64_t>(in.size()) - 1;
  return op.perm.back() == last ? Link::kEach : Link::kOpaque;
}
Link link_of(const Slice& op, const Shape& in, const Shape&) {
  const size_t last = in.size() - 1;
  const bool whole = op.begin[last] == 0 && op.step[last] == 1 && op.extent[last] == in[last];
  return whole ? Link::kEach : Link::kOpaque;
}
Link link_of(const Reshape&, const Shape& in, const Shape& out) {
  if (in.back() == out.back()) return Link::kEach;
  return out.back() % in.back() == 0 ? Link::kFlatten : Link::kOpaque;
}
template <class T>
Link link_of(const T&, const Shape&, const Shape&) {
  if constexpr (is_one_of<T, Add, Sub, Mul, MaxPool2d, AvgPool2d, ResizeNearest, Clamp, LeakyRelu,
                          Sigmoid, Tanh, HardSwish, HardSigmoid, Quantize, Dequantize>)
    return Link::kEach;
  else
    return Link::kOpaque;
}

bool is_per_tensor(const TensorType& type) { return !type.quant || type.quant->per_tensor(); }

// Which channels of which value stay.
class Keeper {
 public:
  explicit Keeper(const View& view) : view_(view), keep_(view.graph().values.size()) {
    for (size_t i = 0; i < keep_.size(); ++i) {
      const Shape& shape = view.graph().values[i].type.shape;
      if (!view.graph().values[i].constant)
        keep_[i].assign(shape.empty() ? 1 : static_cast<size_t>(shape.back()), false);
    }
    for (int i = 0; i < view.node_count(); ++i) {
      layers_.push_back(weighted_layer(view, i));
      links_.push_back(find_link(i));
    }
    for (const auto* ports : {&view.graph().inputs, &view.graph().outputs})
      for (const Port& port : *ports) keep_all(port.value);
    settle();
  }

  const ChannelMarks& keep(ValueId id) const { return keep_[static_cast<size_t>(id)]; }
  bool shrinks(ValueId id) const {
    return !view_.constant(id) && count(keep(id)) < static_cast<int64_t>(keep(id).size());
  }
  bool is_empty(ValueId id) const { return !view_.constant(id) && count(keep(id)) == 0; }
  Link link(int node) const { return links_[static_cast<size_t>(node)]; }

 private:
  Link find_link(int index) const {
    const Node& node = view_.node(index);
    if (const auto& layer = layers_.back()) {
      if (layer->depthwise) return Link::kDepthwise;
      return layer->groups == 1 ? Link::kWeights : Link::kOpaque;
    }
    if (node.outputs.size() != 1) return Link::kOpaque;
    const Shape& out = view_.shape(node.outputs[0]);
    if (out.empty() || !is_per_tensor(view_.type(node.outputs[0]))) return Link::kOpaque;
    for (ValueId id : node.inputs) {
      if (id == kNoValue || !is_per_tensor(view_.type(id))) return Link::kOpaque;
      // Constants are cut for operators that have a rule for them.
      const bool binary = activation_of(node.op) && node.inputs.size() == 2;
      if (view_.constant(id) ? !binary : view_.shape(id).empty()) return Link::kOpaque;
    }
    return std::visit([&](const auto& op) { return link_of(op, view_.shape(node.inputs[0]), out); },
                      node.op);
  }

  ChannelMarks& marks(ValueId id) { return keep_[static_cast<size_t>(id)]; }
  void mark(ValueId id, size_t channel) {
    if (marks(id)[channel]) return;
    marks(id)[channel] = true;
    changed_ = true;
  }
  void keep_all(ValueId id) {
    for (size_t c = 0; c < marks(id).size(); ++c) mark(id, c);
  }
  // The two stay or go together.
  void tie(ValueId a, size_t a_channel, ValueId b, size_t b_channel) {
    if (marks(a)[a_channel]) mark(b, b_channel);
    if (marks(b)[b_channel]) mark(a, a_channel);
  }

  void settle() {
    do {
      do {
        changed_ = false;
        for (int i = view_.node_count(); i-- > 0;) spread(i);
      } while (changed_);
      for (int i = view_.node_count(); i-- > 0;) keep_some(i);
    } while (changed_);
  }

  void spread(int index) {
    const Node& node = view_.node(index);
    const ValueId out = node.outputs[0];
    switch (link(index)) {
      case Link::kOpaque:
        for (ValueId id : node.outputs) keep_all(id);
        for (ValueId id : node.inputs)
          if (id != kNoValue && !view_.constant(id)) keep_all(id);
        break;
      case Link::kEach:
        spread_each(node);
        break;
      case Link::kWeights:
        spread_weights(*layers_[static_cast<size_t>(index)], node);
        break;
      case Link::kDepthwise: {
        const size_t multiplier = marks(out).size() / marks(node.inputs[0]).size();
        for (size_t c = 0; c < marks(out).size(); ++c) tie(node.inputs[0], c / multiplier, out, c);
        break;
      }
      case Link::kConcat: {
        size_t first = 0;
        for (ValueId id : node.inputs) {
          for (size_t c = 0; c < marks(id).size(); ++c) tie(id, c, out, first + c);
          first += marks(id).size();
        }
        break;
      }
      case Link::kPad: {
        const auto before = static_cast<size_t>(std::get<Pad>(node.op).before.back());
        for (size_t c = 0; c < marks(node.inputs[0]).size(); ++c)
          tie(node.inputs[0], c, out, before + c);
        break;
      }
      case Link::kFlatten: {
        const size_t channels = marks(node.inputs[0]).size();
        for (size_t c = 0; c < marks(out).size(); ++c) tie(node.inputs[0], c % channels, out, c);
        break;
      }
    }
  }

  void spread_each(const Node& node) {
    const ValueId out = node.outputs[0];
    for (ValueId id : node.inputs) {
      if (view_.constant(id)) continue;
      const size_t channels = marks(id).size();
      for (size_t c = 0; c < marks(out).size(); ++c)
        if (channels == marks(out).size())
          tie(id, c, out, c);
        else if (marks(out)[c])
          keep_all(id);
    }
  }

  void spread_weights(const WeightedLayer& layer, const Node& node) {
    const ValueId src = node.inputs[0], out = node.outputs[0];
    auto weights = layer.filter.data<int8_t>();
    for (int64_t o = 0; o < layer.out_channels; ++o) {
      if (!marks(out)[static_cast<size_t>(o)]) continue;
      for (int64_t tap = 0; tap < layer.taps(); ++tap)
        for (int64_t c = 0; c < layer.in_channels; ++c)
          if (weights[layer.index(o, tap, c)] != 0) mark(src, static_cast<size_t>(c));
    }
  }

  // No value is empty but one that only concats read, which drop it. The scales of a dense layer
  // must not become one: TensorFlow Lite rounds the factor of such a layer differently.
  void keep_some(int index) {
    const Node& node = view_.node(index);
    const ValueId out = node.outputs[0];
    if (is_empty(out)) return;
    if (link(index) == Link::kWeights && std::holds_alternative<Dense>(node.op) &&
        layers_[static_cast<size_t>(index)]->filter.type().quant->scale.size() > 1)
      for (size_t c = 0; count(keep(out)) < 2; ++c) mark(out, c);
    if (link(index) == Link::kConcat) return;
    for (ValueId id : node.inputs)
      if (id != kNoValue && is_empty(id)) mark(id, 0);
  }

  const View& view_;
  std::vector<ChannelMarks> keep_;
  std::vector<std::optional<WeightedLayer>> layers_;  // by node
  std::vector<Link> links_;
  bool changed_ = false;
};

// The nodes rewritten for the channels that stay.
class Cutter {
 public:
  Cutter(const View& view, const Keeper& keeper, Patch& patch)
      : view_(view), keeper_(keeper), patch_(patch) {}

  int run() {
    int changes = 0;
    std::vector<std::pair<ValueId, TensorType>> types;
    const int nodes = view_.node_count();
    for (int i = 0; i < nodes; ++i) {
      const Node node = view_.node(i);
      const ValueId out = node.outputs[0];
      if (keeper_.is_empty(out)) {
        patch_.remove_node(i);
        ++changes;
        continue;
      }
      bool touched = false;
      for (ValueId id : node.outputs) touched = touched || keeper_.shrinks(id);
      for (ValueId id : node.inputs) touched = touched || (id != kNoValue && keeper_.shrinks(id));
      if (!touched) continue;
      cut(i, node);
      ++changes;
      if (!keeper_.shrinks(out)) continue;
      TensorType type = view_.type(out);
      type.shape.back() = count(keeper_.keep(out));
      types.emplace_back(out, std::move(type));
    }
    for (auto& [id, type] : types) patch_.set_type(id, std::move(type));
    return changes;
  }

 private:
  ValueId cut_constant(ValueId id, const std::vector<std::pair<size_t, ValueId>>& axes) {
    Tensor tensor = *view_.constant(id);
    for (const auto& [axis, value] : axes) tensor = keep_along(tensor, axis, keeper_.keep(value));
    if (tensor == *view_.constant(id)) return id;
    return patch_.add_constant(view_.graph().value(id).name, std::move(tensor));
  }

  void cut(int index, const Node& node) {
    Op op = node.op;
    std::vector<ValueId> inputs = node.inputs;
    const ValueId src = inputs[0], out = node.outputs[0];
    switch (keeper_.link(index)) {
      case Link::kOpaque:
        NIBBLE_UNREACHABLE("'{}' loses channels", node.name);
      case Link::kWeights:
        inputs[1] = cut_constant(inputs[1], {{0, out}, {view_.shape(inputs[1]).size() - 1, src}});
        if (inputs.size() > 2 && inputs[2] != kNoValue)
          inputs[2] = cut_constant(inputs[2], {{0, out}});
        break;
      case Link::kDepthwise:
        inputs[1] = cut_constant(inputs[1], {{3, out}});
        if (inputs.size() > 2 && inputs[2] != kNoValue)
          inputs[2] = cut_constant(inputs[2], {{0, out}});
        break;
      case Link::kConcat:
        std::erase_if(inputs, [&](ValueId id) { return keeper_.is_empty(id); });
        break;
      case Link::kPad:
        cut_pad(std::get<Pad>(op), keeper_.keep(out));
        break;
      case Link::kFlatten:
      case Link::kEach:
        if (auto* reshape = std::get_if<Reshape>(&op))
          reshape->shape.back() = count(keeper_.keep(out));
        if (auto* slice = std::get_if<Slice>(&op)) slice->extent.back() = count(keeper_.keep(out));
        for (ValueId& id : inputs) {
          const Shape& shape = view_.shape(id);
          if (view_.constant(id) && !shape.empty() && shape.back() == view_.shape(out).back())
            id = cut_constant(id, {{shape.size() - 1, out}});
        }
    }
    patch_.replace_node(index, std::move(op), std::move(inputs));
  }

  static void cut_pad(Pad& pad, const ChannelMarks& keep) {
    const auto before = static_cast<std::ptrdiff_t>(pad.before.back());
    const auto after = static_cast<std::ptrdiff_t>(pad.after.back());
    pad.before.back() = std::count(keep.begin(), keep.begin() + before, true);
    pad.after.back() = std::count(keep.end() - after, keep.end(), true);
  }

  const View& view_;
  const Keeper& keeper_;
  Patch& patch_;
};

}  // namespace

int remove_channels(Graph& graph) {
  View view(graph);
  Keeper keeper(view);
  Patch patch(graph);
  const int changes = Cutter(view, keeper, patch).run();
  if (changes == 0) return 0;
  patch.apply();
  drop_dead_nodes(graph);
  return changes;
}

}  // namespace nibble
