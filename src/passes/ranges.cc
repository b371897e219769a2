// Interval analysis: each rule runs the operator itself on the ends of its operands' intervals.
#include "passes/ranges.h"

#include <algorithm>
#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// The operator on given operands, as it stands in no graph.
Tensor evaluate(const Op& op, Rounding rounding, Inputs in, const TensorType& out) {
  Graph graph;
  graph.rounding = rounding;
  graph.values.push_back({"out", out, std::nullopt});
  return std::move(run_node(graph, Node{"node", op, {}, {0}}, in)[0]);
}

ElementRange whole_range(const TensorType& type, int64_t min, int64_t max) {
  ElementRange range{Tensor(type), Tensor(type)};
  for (int64_t i = 0; i < range.min.size(); ++i) {
    range.min.set_integer_at(i, min);
    range.max.set_integer_at(i, max);
  }
  return range;
}

ElementRange type_range(const TensorType& type) {
  return whole_range(type, dtype_min(type.dtype), dtype_max(type.dtype));
}

template <class T, class... List>
constexpr bool is_one_of = (std::is_same_v<T, List> || ...);

// No element of the result falls when an element of the operands rises.
template <class T>
constexpr bool kMonotone = is_one_of<T, MaxPool2d, AvgPool2d, Mean, Pad, Concat, Reshape, Transpose,
                                     Slice, ResizeNearest, Quantize, Add>;
template <class T>
constexpr bool kWeighted = is_one_of<T, Conv2d, DepthwiseConv2d, Dense>;
template <class T>
constexpr bool kUnary = is_one_of<T, Clamp, LeakyRelu, Sigmoid, Tanh, HardSwish, HardSigmoid>;

// first[0], second[0], first[1], second[1], ... along the last axis.
Tensor interleave(const Tensor& first, const Tensor& second) {
  TensorType type = first.type();
  type.shape.back() *= 2;
  Tensor result(type);
  const auto elem = static_cast<size_t>(dtype_bytes(type.dtype));
  const uint8_t *a = first.bytes().data(), *b = second.bytes().data();
  uint8_t* to = result.mutable_bytes().data();
  for (size_t at = 0; at < first.bytes().size(); at += elem, to += 2 * elem) {
    std::memcpy(to, a + at, elem);
    std::memcpy(to + elem, b + at, elem);
  }
  return result;
}

// The positive and the negative part of each weight.
std::pair<Tensor, Tensor> split_signs(const Tensor& filter) {
  Tensor positive = filter, negative = filter;
  for (int8_t& weight : positive.mutable_data<int8_t>()) weight = std::max<int8_t>(weight, 0);
  for (int8_t& weight : negative.mutable_data<int8_t>()) weight = std::min<int8_t>(weight, 0);
  return {positive, negative};
}

// Rows of two tensors [N,H,W,C] in turn: first row 0, second row 0, first row 1, ...
Tensor interleave_rows(const Tensor& first, const Tensor& second) {
  TensorType type = first.type();
  const auto row = static_cast<size_t>(type.shape[2] * type.shape[3] * dtype_bytes(type.dtype));
  type.shape[1] *= 2;
  Tensor result(type);
  const uint8_t *a = first.bytes().data(), *b = second.bytes().data();
  uint8_t* to = result.mutable_bytes().data();
  for (size_t at = 0; at < first.bytes().size(); at += row, to += 2 * row) {
    std::memcpy(to, a + at, row);
    std::memcpy(to + row, b + at, row);
  }
  return result;
}

// The rows of a filter [1,KH,KW,C] `dilation` apart, zeros between them.
Tensor dilate_rows(const Tensor& filter, int64_t dilation) {
  if (dilation == 1) return filter;
  TensorType type = filter.type();
  const auto row = static_cast<size_t>(type.shape[2] * type.shape[3]);
  const int64_t rows = type.shape[1];
  type.shape[1] = (rows - 1) * dilation + 1;
  Tensor result(type);
  uint8_t* to = result.mutable_bytes().data();
  for (int64_t y = 0; y < rows; ++y)
    std::memcpy(to + static_cast<size_t>(y * dilation) * row,
                filter.bytes().data() + static_cast<size_t>(y) * row, row);
  return result;
}

// A window over interleaved rows.
Window doubled_rows(Window window) {
  window.stride_h *= 2;
  window.pad_top *= 2;
  window.pad_bottom *= 2;
  window.dilation_h = 1;
  return window;
}

// Beyond a microcontroller's models; a file of any sizes is still read in a moment.
constexpr int64_t kMaxAnalysedElems = int64_t{1} << 26;
constexpr int64_t kMaxAnalysedMacs = int64_t{1} << 30;

// The ranges of one graph, node by node.
class Analysis {
 public:
  explicit Analysis(const Graph& graph) : graph_(graph), ranges_(graph.values.size()) {}

  std::vector<std::optional<ElementRange>> run() {
    for (size_t i = 0; i < graph_.values.size(); ++i)
      if (const auto& constant = graph_.values[i].constant; constant && constant->type().quant)
        ranges_[i] = ElementRange{*constant, *constant};
    for (const Port& port : graph_.inputs) set(port.value, std::nullopt);
    for (const Node& node : graph_.nodes)
      for (ValueId id : node.outputs) set(id, node_range(node));
    return std::move(ranges_);
  }

 private:
  void set(ValueId id, std::optional<ElementRange> range) {
    const TensorType& type = graph_.type(id);
    if (!type.quant || !type.quant->per_tensor() || !is_integer(type.dtype)) return;
    if (elem_count(type.shape) > kMaxAnalysedElems) return;
    ranges_[static_cast<size_t>(id)] = range ? std::move(*range) : type_range(type);
  }

  const ElementRange& range(ValueId id) const { return *ranges_[static_cast<size_t>(id)]; }

  bool has_plain_weights(const Node& node) const {
    const TensorType& filter =
        graph_.type(node.inputs[static_cast<size_t>(quant_rule(node.op).weight)]);
    return filter.dtype == DType::kS8 && filter.quant && filter.quant->is_plain();
  }

  std::optional<ElementRange> node_range(const Node& node) const {
    const TensorType& out = graph_.type(node.outputs[0]);
    if (node.outputs.size() != 1 || !out.quant || !out.quant->per_tensor()) return std::nullopt;
    if (elem_count(out.shape) > kMaxAnalysedElems || node_macs(graph_, node) > kMaxAnalysedMacs)
      return std::nullopt;
    // Of constants only a bias may be without quantization.
    const bool weighted = quant_rule(node.op).weight >= 0;
    for (ValueId id : node.inputs)
      if (id != kNoValue && !ranges_[static_cast<size_t>(id)] &&
          !(weighted && graph_.is_constant(id)))
        return std::nullopt;
    if (!integer_ok(node.op, graph_.rounding, operand_info(graph_, node), out)) return std::nullopt;
    // split_signs is about weights without zero points.
    if (weighted && !has_plain_weights(node)) return std::nullopt;
    return std::visit([&](const auto& op) { return bound(op, node, out); }, node.op);
  }

  template <class T>
  std::optional<ElementRange> bound(const T& op, const Node& node, const TensorType& out) const {
    if constexpr (kWeighted<T>) {
      return bound_weighted(op, node, out);
    } else if constexpr (kMonotone<T>) {
      return ElementRange{at_ends(node, out, false), at_ends(node, out, true)};
    } else if constexpr (kUnary<T>) {
      return bound_unary(node, out);
    } else if constexpr (std::is_same_v<T, Sub>) {
      const ElementRange &lhs = range(node.inputs[0]), &rhs = range(node.inputs[1]);
      return ElementRange{run(node.op, {&lhs.min, &rhs.max}, out),
                          run(node.op, {&lhs.max, &rhs.min}, out)};
    } else if constexpr (std::is_same_v<T, Mul>) {
      return bound_product(node, out);
    } else {
      return std::nullopt;
    }
  }

  Tensor run(const Op& op, std::initializer_list<const Tensor*> in, const TensorType& out) const {
    return evaluate(op, graph_.rounding, Inputs(in.begin(), in.size()), out);
  }

  Tensor at_ends(const Node& node, const TensorType& out, bool upper) const {
    std::vector<const Tensor*> in;
    for (ValueId id : node.inputs) in.push_back(upper ? &range(id).max : &range(id).min);
    return evaluate(node.op, graph_.rounding, in, out);
  }

  // A product is largest and smallest at corners of the rectangle of its factors, and rescaling is
  // monotone.
  ElementRange bound_product(const Node& node, const TensorType& out) const {
    const ElementRange &lhs = range(node.inputs[0]), &rhs = range(node.inputs[1]);
    std::optional<ElementRange> hull;
    for (const Tensor* a : {&lhs.min, &lhs.max})
      for (const Tensor* b : {&rhs.min, &rhs.max}) {
        Tensor corner = run(node.op, {a, b}, out);
        if (!hull) {
          hull = ElementRange{corner, corner};
          continue;
        }
        for (int64_t i = 0; i < corner.size(); ++i) {
          hull->min.set_integer_at(i, std::min(hull->min.integer_at(i), corner.integer_at(i)));
          hull->max.set_integer_at(i, std::max(hull->max.integer_at(i), corner.integer_at(i)));
        }
      }
    return *hull;
  }

  // The operator on all 256 values, then the extremes over each interval.
  std::optional<ElementRange> bound_unary(const Node& node, const TensorType& out) const {
    const ElementRange& src = range(node.inputs[0]);
    if (src.min.dtype() != DType::kS8 || out.dtype != DType::kS8) return std::nullopt;
    TensorType all = with_shape(src.min.type(), {256});
    Tensor every(all);
    for (int i = 0; i < 256; ++i) every.set_integer_at(i, i - 128);
    Tensor mapped = run(node.op, {&every}, with_shape(out, {256}));
    auto map = mapped.data<int8_t>();
    using Ends = std::optional<std::pair<int8_t, int8_t>>;
    std::vector<Ends> known(size_t{1} << 16);
    ElementRange result{Tensor(out), Tensor(out)};
    auto low = src.min.data<int8_t>(), high = src.max.data<int8_t>();
    auto min = result.min.mutable_data<int8_t>(), max = result.max.mutable_data<int8_t>();
    for (size_t i = 0; i < low.size(); ++i) {
      const int first = low[i] + 128, last = high[i] + 128;
      Ends& ends = known[static_cast<size_t>(first * 256 + last)];
      if (!ends) {
        auto [smallest, largest] = std::minmax_element(map.begin() + first, map.begin() + last + 1);
        ends = {*smallest, *largest};
      }
      min[i] = ends->first;
      max[i] = ends->second;
    }
    return result;
  }

  // A sum of products is smallest where every positive weight meets the lower end and every
  // negative one the upper end of its element. As one layer: the two ends in turn, and a filter of
  // positive and negative parts in turn, along the channels, or along the rows where each channel
  // has its own filter.
  template <class T>
  ElementRange bound_weighted(const T& op, const Node& node, const TensorType& out) const {
    const ElementRange& src = range(node.inputs[0]);
    const Tensor& filter = *graph_.value(node.inputs[1]).constant;
    const Tensor* bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue
                             ? &*graph_.value(node.inputs[2]).constant
                             : nullptr;
    T layer = op;
    auto join = interleave;
    auto [positive, negative] = split_signs(filter);
    if constexpr (std::is_same_v<T, DepthwiseConv2d>) {
      join = interleave_rows;
      positive = dilate_rows(positive, op.window.dilation_h);
      negative = dilate_rows(negative, op.window.dilation_h);
      layer.window = doubled_rows(op.window);
    }
    const Tensor parts = join(positive, negative);
    const Tensor low_first = join(src.min, src.max), high_first = join(src.max, src.min);
    return {run(layer, {&low_first, &parts, bias}, out),
            run(layer, {&high_first, &parts, bias}, out)};
  }

  const Graph& graph_;
  std::vector<std::optional<ElementRange>> ranges_;
};

}  // namespace

std::vector<std::optional<ElementRange>> element_ranges(const Graph& graph) {
  return Analysis(graph).run();
}

std::vector<ConstantChannels> constant_channels(const Graph& graph) {
  const auto ranges = element_ranges(graph);
  std::vector<ConstantChannels> result;
  for (const Node& node : graph.nodes) {
    const auto& range = ranges[static_cast<size_t>(node.outputs[0])];
    if (!range || range->min.shape().empty()) continue;
    const auto channels = static_cast<size_t>(range->min.shape().back());
    std::vector<bool> constant(channels, true);
    for (int64_t i = 0; i < range->min.size(); ++i)
      if (range->min.integer_at(i) != range->max.integer_at(i))
        constant[static_cast<size_t>(i) % channels] = false;
    result.push_back({node.name, static_cast<int64_t>(channels),
                      std::count(constant.begin(), constant.end(), true)});
  }
  return result;
}

}  // namespace nibble
