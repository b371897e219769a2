// Integer layers with weights, and cuts along an axis.
#include "passes/channels.h"

#include <algorithm>

namespace nibble {
namespace {

template <class T>
std::vector<T> marked(const std::vector<T>& list, const ChannelMarks& marks) {
  std::vector<T> result;
  for (size_t i = 0; i < list.size(); ++i)
    if (marks[i]) result.push_back(list[i]);
  return result;
}

bool is_integer_activation(const TensorType& type) {
  return type.dtype == DType::kS8 && type.quant && type.quant->per_tensor();
}

// Extents and attributes; false for operators without weights.
bool describe(const Op& op, const Shape& filter, const Shape& src, WeightedLayer& layer) {
  if (const auto* conv = std::get_if<Conv2d>(&op)) {
    layer.groups = conv->groups;
    layer.window = conv->window;
  } else if (const auto* depthwise = std::get_if<DepthwiseConv2d>(&op)) {
    layer.depthwise = true;
    layer.window = depthwise->window;
  } else if (!std::holds_alternative<Dense>(op)) {
    return false;
  }
  layer.in_channels = src.back();
  layer.out_channels = layer.depthwise ? filter.back() : filter.front();
  if (filter.size() == 4) {
    layer.k_h = filter[1];
    layer.k_w = filter[2];
  }
  return true;
}

}  // namespace

int64_t count(const ChannelMarks& marks) { return std::count(marks.begin(), marks.end(), true); }

std::optional<WeightedLayer> weighted_layer(const View& view, int index) {
  const Node& node = view.node(index);
  if (node.inputs.size() < 2 || node.outputs.size() != 1) return std::nullopt;
  const Tensor* filter = view.constant(node.inputs[1]);
  if (!filter || filter->dtype() != DType::kS8 || !filter->type().quant ||
      !filter->type().quant->is_plain() || view.constant(node.inputs[0]))
    return std::nullopt;
  const TensorType &src = view.type(node.inputs[0]), &out = view.type(node.outputs[0]);
  if (!is_integer_activation(src) || !is_integer_activation(out)) return std::nullopt;
  WeightedLayer layer;
  layer.node = index;
  if (!describe(node.op, filter->shape(), src.shape, layer)) return std::nullopt;
  layer.filter = *filter;
  if (node.inputs.size() > 2)
    if (const Tensor* bias = view.constant(node.inputs[2])) layer.bias = *bias;
  return layer;
}

bool replace_weights(const View& view, const WeightedLayer& layer, Patch& patch) {
  const Node node = view.node(layer.node);
  const Tensor* old_bias = node.inputs.size() > 2 ? view.constant(node.inputs[2]) : nullptr;
  const bool new_filter = layer.filter != *view.constant(node.inputs[1]);
  const bool new_bias = layer.bias && (!old_bias || *layer.bias != *old_bias);
  if (!new_filter && !new_bias) return false;
  std::vector<OperandInfo> operands{{&view.type(node.inputs[0]), nullptr},
                                    {&layer.filter.type(), &layer.filter}};
  if (layer.bias) operands.push_back({&layer.bias->type(), &*layer.bias});
  if (!integer_ok(node.op, view.graph().rounding, operands, view.type(node.outputs[0])))
    return false;
  std::vector<ValueId> inputs = node.inputs;
  auto name_of = [&](ValueId id) { return view.graph().value(id).name; };
  if (new_filter) inputs[1] = patch.add_constant(name_of(inputs[1]), layer.filter);
  if (new_bias) {
    const std::string name = old_bias ? name_of(inputs[2]) : node.name + "_bias";
    inputs.resize(3, kNoValue);
    inputs[2] = patch.add_constant(name, *layer.bias);
  }
  patch.replace_node(layer.node, node.op, std::move(inputs));
  return true;
}

Tensor zero_bias(const View& view, const WeightedLayer& layer) {
  QuantParams quant = *layer.filter.type().quant;
  const float src_scale = view.type(view.node(layer.node).inputs[0]).quant->scale[0];
  for (float& scale : quant.scale) scale *= src_scale;
  if (!quant.per_tensor()) quant.axis = 0;
  quant.bits = 32;
  quant.q_min = INT32_MIN;
  quant.q_max = INT32_MAX;
  return Tensor(TensorType{{layer.out_channels}, DType::kS32, std::move(quant)});
}

bool add_weights(WeightedLayer& layer, int64_t from, int64_t to) {
  const int64_t per_group = layer.out_channels / layer.groups, read = layer.read_channels();
  const int64_t first = from / read * per_group;
  auto weights = layer.filter.mutable_data<int8_t>();
  // Some kernels rely on weights without -128.
  const int low = std::max(layer.filter.type().quant->q_min, -127);
  const int high = layer.filter.type().quant->q_max;
  auto for_each_pair = [&](auto&& visit) {
    for (int64_t o = first; o < first + per_group; ++o)
      for (int64_t tap = 0; tap < layer.taps(); ++tap)
        visit(weights[layer.index(o, tap, from % read)], weights[layer.index(o, tap, to % read)]);
  };
  bool fits = true, any = false;
  for_each_pair([&](int8_t added, int8_t kept) {
    const int sum = added + kept;
    fits = fits && sum >= low && sum <= high;
    any = any || added != 0;
  });
  if (!fits || !any) return false;
  for_each_pair([](int8_t& added, int8_t& kept) {
    kept = static_cast<int8_t>(kept + added);
    added = 0;
  });
  return true;
}

Tensor keep_along(const Tensor& tensor, size_t axis, const ChannelMarks& marks) {
  TensorType type = tensor.type();
  const int64_t extent = type.shape[axis];
  NIBBLE_CHECK(extent == static_cast<int64_t>(marks.size()), "{} marks for {}", marks.size(),
               extent);
  type.shape[axis] = count(marks);
  if (type.quant && type.quant->axis == static_cast<int>(axis)) {
    type.quant->scale = marked(type.quant->scale, marks);
    type.quant->zero_point = marked(type.quant->zero_point, marks);
  }
  int64_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= type.shape[i];
  Tensor result(type);
  const auto run = tensor.bytes().size() / static_cast<size_t>(outer * extent);
  const uint8_t* from = tensor.bytes().data();
  uint8_t* to = result.mutable_bytes().data();
  for (int64_t i = 0; i < outer; ++i)
    for (size_t k = 0; k < marks.size(); ++k, from += run) {
      if (!marks[k]) continue;
      std::memcpy(to, from, run);
      to += run;
    }
  return result;
}

}  // namespace nibble
