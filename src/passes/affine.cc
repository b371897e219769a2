// Scaling and shifting moved into the weights of the layer before or behind. Computed in double
// precision.
#include "passes/affine.h"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

// Where the operands of conv2d, depthwise_conv2d and dense stand, and what their filters' axes
// mean.
struct Layer {
  const Op* op = nullptr;
  int64_t channels = 0;  // of the output
  int64_t inner = 0;     // filter elements behind the output channel's axis
  bool depthwise = false;
  int64_t groups = 1;
  bool padded = false;
};

std::optional<Layer> layer_of(const View& view, int index) {
  if (index < 0) return std::nullopt;
  const Node& node = view.node(index);
  Layer layer;
  layer.op = &node.op;
  const Window* window = nullptr;
  if (const auto* conv = view.op_as<Conv2d>(index)) {
    window = &conv->window;
    layer.groups = conv->groups;
  } else if (const auto* depthwise = view.op_as<DepthwiseConv2d>(index)) {
    window = &depthwise->window;
    layer.depthwise = true;
  } else if (!view.op_as<Dense>(index)) {
    return std::nullopt;
  }
  if (window)
    layer.padded = window->pad_top != 0 || window->pad_left != 0 || window->pad_bottom != 0 ||
                   window->pad_right != 0;
  if (!is_float(view.type(node.inputs[0])) || !is_float(view.type(node.inputs[1])))
    return std::nullopt;
  const Shape& filter = view.shape(node.inputs[1]);
  layer.channels = layer.depthwise ? filter.back() : filter.front();
  layer.inner = layer.depthwise ? 1 : elem_count(filter) / layer.channels;
  return layer;
}

ValueId bias_of(const Node& node) { return node.inputs.size() > 2 ? node.inputs[2] : kNoValue; }

// The bias as doubles, zeros where there is none.
std::vector<double> bias_values(const View& view, const Node& node, int64_t channels) {
  const Tensor* bias = view.constant(bias_of(node));
  if (!bias) return std::vector<double>(static_cast<size_t>(channels), 0.0);
  auto elems = bias->data<float>();
  return {elems.begin(), elems.end()};
}

ValueId add_bias(const std::vector<double>& bias, const std::string& name, Patch& patch) {
  std::vector<float> rounded(bias.begin(), bias.end());
  return patch.add_constant(name,
                            Tensor::of_floats({static_cast<int64_t>(rounded.size())}, rounded));
}

std::string operand_name(const View& view, const Node& node, ValueId id, const char* role) {
  return id != kNoValue ? view.graph().value(id).name : node.name + "_" + role;
}

// One element per channel of x, or nothing if the constant varies along other axes or widens x.
std::optional<std::vector<double>> per_channel(const View& view, ValueId id, const Shape& x,
                                               const Shape& out) {
  const Tensor* constant = view.constant(id);
  if (!constant || !is_float(constant->type()) || x != out || x.empty()) return std::nullopt;
  const Shape& shape = constant->shape();
  if (shape.size() > x.size()) return std::nullopt;
  if (constant->size() != 1 && (constant->size() != shape.back() || shape.back() != x.back()))
    return std::nullopt;
  auto elems = constant->data<float>();
  std::vector<double> values(elems.begin(), elems.end());
  values.resize(static_cast<size_t>(x.back()), values[0]);
  return values;
}

}  // namespace

std::optional<ChannelAffine> batch_norm_affine(const View& view, int index) {
  const auto* op = view.op_as<BatchNorm>(index);
  if (!op) return std::nullopt;
  const Node& node = view.node(index);
  if (!is_float(view.type(node.inputs[0]))) return std::nullopt;
  for (size_t i = 1; i < 5; ++i)
    if (!view.constant(node.inputs[i])) return std::nullopt;
  auto elems = [&](size_t i) { return view.constant(node.inputs[i])->data<float>(); };
  auto gamma = elems(1), beta = elems(2), mean = elems(3), variance = elems(4);
  ChannelAffine affine;
  affine.src = node.inputs[0];
  for (size_t c = 0; c < gamma.size(); ++c) {
    double scale = static_cast<double>(gamma[c]) /
                   std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(op->epsilon));
    affine.scale.push_back(scale);
    affine.shift.push_back(static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * scale);
  }
  return affine;
}

std::optional<ChannelAffine> arithmetic_affine(const View& view, int index) {
  if (!view.op_as<Add>(index) && !view.op_as<Sub>(index) && !view.op_as<Mul>(index))
    return std::nullopt;
  const Node& node = view.node(index);
  bool constant_first = view.constant(node.inputs[0]) != nullptr;
  ChannelAffine affine;
  affine.src = node.inputs[constant_first ? 1 : 0];
  if (view.constant(affine.src) || !is_float(view.type(affine.src))) return std::nullopt;
  affine.act = *activation_of(node.op);
  auto values = per_channel(view, node.inputs[constant_first ? 0 : 1], view.shape(affine.src),
                            view.shape(node.outputs[0]));
  if (!values) return std::nullopt;
  if (view.op_as<Mul>(index)) {
    affine.scale = std::move(*values);
    affine.shift.assign(affine.scale.size(), 0.0);
    return affine;
  }
  bool subtracted = view.op_as<Sub>(index) && !constant_first;
  affine.shift = std::move(*values);
  if (subtracted)
    for (double& value : affine.shift) value = -value;
  // constant - x turns the sign of x.
  affine.scale.assign(affine.shift.size(), view.op_as<Sub>(index) && constant_first ? -1.0 : 1.0);
  return affine;
}

bool fold_into_writer(const View& view, int index, const ChannelAffine& affine, Patch& patch) {
  const int writer = view.writer(affine.src);
  auto layer = layer_of(view, writer);
  if (!layer || view.only_reader(affine.src) != index) return false;
  const Node& node = view.node(writer);
  if (!activation_of(node.op)->none()) return false;
  if (bias_of(node) != kNoValue && !view.constant(bias_of(node))) return false;
  bool scales = std::any_of(affine.scale.begin(), affine.scale.end(),
                            [](double scale) { return scale != 1; });
  if (scales && !view.constant(node.inputs[1])) return false;
  NIBBLE_CHECK(static_cast<int64_t>(affine.scale.size()) == layer->channels, "{}", node.name);

  std::vector<double> bias = bias_values(view, node, layer->channels);
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * affine.scale[c] + affine.shift[c];
  Op op = node.op;
  *activation_of(op) = affine.act;
  std::vector<ValueId> inputs = {node.inputs[0], node.inputs[1], kNoValue};
  const std::string filter_name = operand_name(view, node, node.inputs[1], "filter");
  const std::string bias_name = operand_name(view, node, bias_of(node), "bias");
  if (scales) {
    Tensor filter = *view.constant(node.inputs[1]);
    auto weights = filter.mutable_data<float>();
    for (size_t i = 0; i < weights.size(); ++i) {
      auto channel = static_cast<size_t>(static_cast<int64_t>(i) / layer->inner % layer->channels);
      weights[i] = static_cast<float>(static_cast<double>(weights[i]) * affine.scale[channel]);
    }
    inputs[1] = patch.add_constant(filter_name, std::move(filter));
  }
  inputs[2] = add_bias(bias, bias_name, patch);
  const ValueId dst = view.node(index).outputs[0];
  patch.replace_node(writer, std::move(op), std::move(inputs));
  patch.remove_node(index);
  patch.replace_uses(dst, node.outputs[0]);
  return true;
}

namespace {

bool may_fold_into(const View& view, const Layer& layer, const Node& node, ValueId value,
                   bool shifts) {
  if (node.inputs[0] != value || node.inputs[1] == value || bias_of(node) == value) return false;
  if (!view.constant(node.inputs[1]) || (shifts && layer.padded)) return false;
  return bias_of(node) == kNoValue || view.constant(bias_of(node));
}

// The channel of the source that filter element i multiplies.
size_t source_channel(const Layer& layer, const Shape& filter, int64_t source_channels, int64_t i) {
  if (layer.depthwise)
    return static_cast<size_t>(i % layer.channels / (layer.channels / source_channels));
  int64_t group = i / layer.inner / (layer.channels / layer.groups);
  return static_cast<size_t>(group * filter.back() + i % filter.back());
}

void fold_into_reader(const View& view, int reader, const Layer& layer, const ChannelAffine& affine,
                      Patch& patch) {
  const Node& node = view.node(reader);
  Tensor filter = *view.constant(node.inputs[1]);
  std::vector<double> bias = bias_values(view, node, layer.channels);
  const Shape filter_shape = filter.shape();
  auto weights = filter.mutable_data<float>();
  auto source_channels = static_cast<int64_t>(affine.scale.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    auto at = static_cast<int64_t>(i);
    size_t c = source_channel(layer, filter_shape, source_channels, at);
    auto weight = static_cast<double>(weights[i]);
    bias[static_cast<size_t>(at / layer.inner % layer.channels)] += weight * affine.shift[c];
    weights[i] = static_cast<float>(weight * affine.scale[c]);
  }
  const std::string filter_name = operand_name(view, node, node.inputs[1], "filter");
  const std::string bias_name = operand_name(view, node, bias_of(node), "bias");
  ValueId new_filter = patch.add_constant(filter_name, std::move(filter));
  ValueId new_bias = add_bias(bias, bias_name, patch);
  patch.replace_node(reader, node.op, {affine.src, new_filter, new_bias});
}

}  // namespace

bool fold_into_readers(const View& view, int index, const ChannelAffine& affine, Patch& patch) {
  const ValueId dst = view.node(index).outputs[0];
  if (!affine.act.none() || view.readers(dst).empty()) return false;
  bool shifts = std::any_of(affine.shift.begin(), affine.shift.end(),
                            [](double shift) { return shift != 0; });
  std::vector<std::pair<int, Layer>> layers;
  for (int reader : view.readers(dst)) {
    auto layer = layer_of(view, reader);
    if (!layer || !may_fold_into(view, *layer, view.node(reader), dst, shifts)) return false;
    layers.emplace_back(reader, *layer);
  }
  patch.remove_node(index);
  for (const auto& [reader, layer] : layers) fold_into_reader(view, reader, layer, affine, patch);
  return true;
}

}  // namespace nibble
