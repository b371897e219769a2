#include "quantize/value_statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/ops.h"

namespace nibble {
namespace {

double density(double z) {
  return std::isinf(z) ? 0 : std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
}
double distribution(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// Of `out` positions along one axis, the share for which tap `k` reads inside of `in`.
double share_inside(int64_t in, int64_t out, int64_t stride, int64_t pad, int64_t dilation,
                    int64_t k) {
  int64_t inside = 0;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t i = o * stride - pad + k * dilation;
    inside += i >= 0 && i < in;
  }
  return static_cast<double>(inside) / static_cast<double>(std::max<int64_t>(out, 1));
}

// Per tap of the layer's window.
std::vector<double> tap_shares(const Graph& graph, const RealLayer& layer) {
  const Node& node = graph.nodes[static_cast<size_t>(layer.node)];
  const Window* window = nullptr;
  if (const auto* conv = std::get_if<Conv2d>(&node.op)) window = &conv->window;
  if (const auto* conv = std::get_if<DepthwiseConv2d>(&node.op)) window = &conv->window;
  if (!window) return {1};
  const Shape &in = graph.type(node.inputs[0]).shape, &out = graph.type(node.outputs[0]).shape;
  const Shape& filter = graph.type(layer.weight).shape;
  std::vector<double> shares;
  for (int64_t ky = 0; ky < filter[1]; ++ky)
    for (int64_t kx = 0; kx < filter[2]; ++kx)
      shares.push_back(
          share_inside(in[1], out[1], window->stride_h, window->pad_top, window->dilation_h, ky) *
          share_inside(in[2], out[2], window->stride_w, window->pad_left, window->dilation_w, kx));
  return shares;
}

// One overload per operator: what its operands say of its output before the activation.
class Propagation {
 public:
  Propagation(const Graph& graph, const ValueStatistics& known) : graph_(graph), known_(known) {}

  std::optional<ChannelStatistics> at(int index) {
    index_ = index;
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    return std::visit([&](const auto& op) { return of(op, node); }, node.op);
  }

 private:
  using Found = std::optional<ChannelStatistics>;

  const Found& operand(const Node& node, size_t k) const {
    static const Found kNothing;
    const ValueId id = node.inputs[k];
    return id == kNoValue ? kNothing : known_[static_cast<size_t>(id)];
  }
  size_t channels(ValueId id) const {
    const Shape& shape = graph_.type(id).shape;
    return shape.empty() ? 1 : static_cast<size_t>(shape.back());
  }

  template <class T>
  Found of(const T&, const Node&) const {
    return std::nullopt;
  }
  Found layer(const Node& node) const {
    const auto found = real_layer(graph_, index_);
    const Found& src = operand(node, 0);
    if (!found || !src || src->mean.size() != static_cast<size_t>(found->in_channels))
      return std::nullopt;
    auto weights = graph_.value(found->weight).constant->data<float>();
    ChannelStatistics result;
    result.mean = expected_sums(graph_, *found, weights, src->mean);
    std::vector<float> squares(weights.begin(), weights.end());
    for (float& weight : squares) weight *= weight;
    std::vector<double> variances = src->deviation;
    for (double& variance : variances) variance *= variance;
    result.deviation = expected_sums(graph_, *found, squares, variances);
    for (double& deviation : result.deviation) deviation = std::sqrt(deviation);
    const std::vector<float> bias = bias_of(graph_, *found);
    for (size_t c = 0; c < bias.size(); ++c) result.mean[c] += static_cast<double>(bias[c]);
    return result;
  }
  Found of(const Conv2d&, const Node& node) const { return layer(node); }
  Found of(const DepthwiseConv2d&, const Node& node) const { return layer(node); }
  Found of(const Dense&, const Node& node) const { return layer(node); }

  // An operand of a sum or product: activation, or constant with an element per channel or one.
  Found side(const Node& node, size_t k) const {
    const ValueId id = node.inputs[k];
    if (!graph_.is_constant(id)) return operand(node, k);
    const Tensor& constant = *graph_.value(id).constant;
    const size_t wanted = channels(node.outputs[0]);
    const auto count = static_cast<size_t>(constant.size());
    if (constant.dtype() != DType::kF32 ||
        (count != 1 && (count != wanted || channels(id) != count)))
      return std::nullopt;
    auto values = constant.data<float>();
    ChannelStatistics result;
    for (size_t c = 0; c < wanted; ++c)
      result.mean.push_back(static_cast<double>(values[count == 1 ? 0 : c]));
    result.deviation.assign(wanted, 0);
    return result;
  }
  Found sum(const Node& node, double sign) const {
    Found a = side(node, 0), b = side(node, 1);
    if (!a || !b || a->mean.size() != b->mean.size()) return std::nullopt;
    for (size_t c = 0; c < a->mean.size(); ++c) {
      a->mean[c] += sign * b->mean[c];
      a->deviation[c] = std::hypot(a->deviation[c], b->deviation[c]);
    }
    return a;
  }
  Found of(const Add&, const Node& node) const { return sum(node, 1); }
  Found of(const Sub&, const Node& node) const { return sum(node, -1); }
  Found of(const Mul&, const Node& node) const {
    if (!graph_.is_constant(node.inputs[0]) && !graph_.is_constant(node.inputs[1]))
      return std::nullopt;  // of two activations, which may go together
    Found a = side(node, 0), b = side(node, 1);
    if (!a || !b || a->mean.size() != b->mean.size()) return std::nullopt;
    for (size_t c = 0; c < a->mean.size(); ++c) {
      a->deviation[c] = std::hypot(a->mean[c] * b->deviation[c], b->mean[c] * a->deviation[c]);
      a->mean[c] *= b->mean[c];
    }
    return a;
  }
  // Zeros that padding brings in count as positions: E[x] s, E[x^2] s with s the share of the
  // others.
  static Found diluted(Found found, double share) {
    if (!found) return found;
    for (size_t c = 0; c < found->mean.size(); ++c) {
      const double mean = found->mean[c], deviation = found->deviation[c];
      found->mean[c] = mean * share;
      found->deviation[c] = std::sqrt(std::max(
          0.0, (mean * mean + deviation * deviation) * share - found->mean[c] * found->mean[c]));
    }
    return found;
  }
  Found of(const AvgPool2d& op, const Node& node) const {
    const Found& src = operand(node, 0);
    if (!op.count_pad) return src;
    const Shape &in = graph_.type(node.inputs[0]).shape, &out = graph_.type(node.outputs[0]).shape;
    const Window& w = op.window;
    double share = 0;
    for (int64_t ky = 0; ky < op.k_h; ++ky)
      for (int64_t kx = 0; kx < op.k_w; ++kx)
        share += share_inside(in[1], out[1], w.stride_h, w.pad_top, w.dilation_h, ky) *
                 share_inside(in[2], out[2], w.stride_w, w.pad_left, w.dilation_w, kx);
    return diluted(src, share / static_cast<double>(op.k_h * op.k_w));
  }
  Found of(const Mean& op, const Node& node) const {
    const auto last = static_cast<int64_t>(graph_.type(node.inputs[0]).shape.size()) - 1;
    if (std::ranges::find(op.axes, last) != op.axes.end()) return std::nullopt;
    return operand(node, 0);
  }
  Found of(const Pad& op, const Node& node) const {
    if (op.value != 0 || op.before.back() != 0 || op.after.back() != 0) return std::nullopt;
    const auto elems = [&](ValueId id) {
      return static_cast<double>(elem_count(graph_.type(id).shape));
    };
    return diluted(operand(node, 0), elems(node.inputs[0]) / elems(node.outputs[0]));
  }
  Found of(const Clamp&, const Node& node) const { return operand(node, 0); }
  Found of(const ResizeNearest&, const Node& node) const { return operand(node, 0); }
  Found of(const Reshape&, const Node& node) const {
    const Found& src = operand(node, 0);
    const size_t wanted = channels(node.outputs[0]);
    if (!src || wanted % src->mean.size() != 0) return std::nullopt;
    ChannelStatistics result;
    for (size_t c = 0; c < wanted; ++c) {
      result.mean.push_back(src->mean[c % src->mean.size()]);
      result.deviation.push_back(src->deviation[c % src->mean.size()]);
    }
    return result;
  }
  Found of(const Slice& op, const Node& node) const {
    const Found& src = operand(node, 0);
    if (!src || op.begin.empty()) return std::nullopt;
    ChannelStatistics result;
    for (int64_t c = 0; c < op.extent.back(); ++c) {
      const auto from = static_cast<size_t>(op.begin.back() + c * op.step.back());
      result.mean.push_back(src->mean[from]);
      result.deviation.push_back(src->deviation[from]);
    }
    return result;
  }
  Found of(const Concat& op, const Node& node) const {
    const auto rank = static_cast<int64_t>(graph_.type(node.outputs[0]).shape.size());
    if (op.axis != rank - 1) return std::nullopt;
    ChannelStatistics result;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const Found& part = operand(node, k);
      if (!part) return std::nullopt;
      result.mean.insert(result.mean.end(), part->mean.begin(), part->mean.end());
      result.deviation.insert(result.deviation.end(), part->deviation.begin(),
                              part->deviation.end());
    }
    return result;
  }

  const Graph& graph_;
  const ValueStatistics& known_;
  int index_ = 0;
};

}  // namespace

Moments clipped_normal(const Moments& normal, const Bounds& bounds) {
  const double low = static_cast<double>(bounds.min), high = static_cast<double>(bounds.max);
  const double m = normal.mean, s = normal.deviation;
  if (bounds.none()) return normal;
  if (!(s > 0)) return {std::clamp(m, low, high), 0};
  const double a = (low - m) / s, b = (high - m) / s;
  const double below = distribution(a), above = distribution(-b);
  const double inside = std::max(0.0, 1 - below - above);
  double mean = m * inside + s * (density(a) - density(b));
  double square = (m * m + s * s) * inside;
  if (std::isfinite(low)) {
    mean += low * below;
    square += low * low * below + s * (m + low) * density(a);
  }
  if (std::isfinite(high)) {
    mean += high * above;
    square += high * high * above - s * (m + high) * density(b);
  }
  return {mean, std::sqrt(std::max(0.0, square - mean * mean))};
}

std::vector<double> expected_sums(const Graph& graph, const RealLayer& layer,
                                  std::span<const float> weights, std::span<const double> means) {
  const std::vector<double> shares = tap_shares(graph, layer);
  const int64_t behind_tap = layer.depthwise ? layer.out_channels : layer.inner;
  std::vector<double> sums(static_cast<size_t>(layer.out_channels), 0);
  for (int64_t i = 0; i < layer.elems(); ++i) {
    const auto tap = static_cast<size_t>(i / behind_tap) % shares.size();
    sums[static_cast<size_t>(layer.out_channel(i))] +=
        static_cast<double>(weights[static_cast<size_t>(i)]) * shares[tap] *
        means[static_cast<size_t>(layer.in_channel(i))];
  }
  return sums;
}

ValueStatistics value_statistics(const Graph& graph, const LayerStatistics& layers) {
  ValueStatistics result(graph.values.size());
  auto named = [&](ValueId id) -> std::optional<ChannelStatistics> {
    const auto found = layers.find(graph.value(id).name);
    if (found == layers.end()) return std::nullopt;
    return found->second;
  };
  for (const Port& port : graph.inputs) result[static_cast<size_t>(port.value)] = named(port.value);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const ValueId dst = node.outputs[0];
    auto found = named(dst);
    if (!found) found = Propagation(graph, result).at(static_cast<int>(i));
    const Bounds* act = activation_of(node.op);
    if (found && act)
      for (size_t c = 0; c < found->mean.size(); ++c) {
        const Moments clipped = clipped_normal({found->mean[c], found->deviation[c]}, *act);
        found->mean[c] = clipped.mean;
        found->deviation[c] = clipped.deviation;
      }
    result[static_cast<size_t>(dst)] = std::move(found);
  }
  return result;
}

}  // namespace nibble
