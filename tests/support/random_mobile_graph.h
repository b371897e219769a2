// Random integer networks of the kind that runs on microcontrollers: convolutions of 3x3 and 1x1,
// depthwise ones, residual additions, concatenations of channels, pools, activations by table, a
// head of mean or flatten and dense; 1 to 12 channels, zero points and paddings of all sorts. Needs
// ops/.
#pragma once

#include "support/random_graph.h"

namespace nibble {

class RandomMobileGraph {
 public:
  explicit RandomMobileGraph(uint64_t seed) : rng_(seed) {
    graph_.name = "mobile_" + std::to_string(seed);
    if (rng_.integer(0, 1)) graph_.rounding = Rounding::kSingle;
  }

  Graph build(int blocks) {
    Shape shape{rng_.integer(1, 2), rng_.integer(1, 7), rng_.integer(1, 7), rng_.integer(1, 4)};
    ValueId last = append_input(graph_, "x", {shape, DType::kS8, quant()});
    for (int i = 0; i < blocks; ++i) last = block(last);
    if (rng_.integer(0, 3) == 0 && graph_.nodes.size() > 4)
      add_output(graph_.nodes[graph_.nodes.size() / 2].outputs[0]);
    add_output(rng_.integer(0, 3) == 0 ? last : head(last));
    return std::move(graph_);
  }

 private:
  void add_output(ValueId id) {
    for (const Port& port : graph_.outputs)
      if (port.value == id) return;
    graph_.outputs.push_back({id, {}});
  }
  const Shape& shape(ValueId id) const { return graph_.type(id).shape; }
  bool chance(int one_in) { return rng_.integer(1, one_in) == 1; }

  QuantParams quant() {
    // Zero points at both ends, as behind a relu, and between.
    const int64_t zero = chance(2) ? -128 : chance(4) ? 127 : rng_.integer(-128, 127);
    return {{static_cast<float>(rng_.uniform(0.02, 0.1))},
            {static_cast<int32_t>(zero)},
            -1,
            8,
            -128,
            127};
  }
  Bounds bounds() {
    if (chance(2)) return {0, 6};
    return chance(2) ? Bounds{0, INFINITY} : Bounds{};
  }
  ValueId append(Op op, std::vector<ValueId> inputs, std::optional<QuantParams> params) {
    std::string name(op_name(op));
    auto id = append_node(graph_, std::move(op), name, std::move(inputs), std::move(params));
    return id.ok() ? *id : kNoValue;
  }
  ValueId or_same(ValueId id, ValueId src) const { return id == kNoValue ? src : id; }

  ValueId layer(Op op, ValueId src, Shape filter_shape, int axis) {
    std::vector<int8_t> elems(static_cast<size_t>(elem_count(filter_shape)));
    for (int8_t& elem : elems) elem = static_cast<int8_t>(rng_.integer(-127, 127));
    const int64_t channels = filter_shape[static_cast<size_t>(axis)];
    Tensor filter = Tensor::of<int8_t>(std::move(filter_shape), DType::kS8, elems);
    QuantParams params{{}, {}, axis, 8, -127, 127};
    if (chance(2)) params.axis = -1;
    for (int64_t i = 0; i < (params.per_tensor() ? 1 : channels); ++i) {
      params.scale.push_back(static_cast<float>(rng_.uniform(0.002, 0.02)));
      params.zero_point.push_back(0);
    }
    filter.set_quant(params);
    ValueId filter_id = append_constant(graph_, "w", filter), bias_id = kNoValue;
    if (!chance(4)) {
      std::vector<int32_t> biases(static_cast<size_t>(channels));
      for (int32_t& bias : biases) bias = static_cast<int32_t>(rng_.integer(-4000, 4000));
      bias_id = append_constant(graph_, "b", Tensor::of<int32_t>({channels}, DType::kS32, biases));
    }
    return append(std::move(op), {src, filter_id, bias_id}, quant());
  }

  Window window(int64_t k) {
    Window result;
    result.stride_h = result.stride_w = chance(4) ? 2 : 1;
    if (chance(5)) result.dilation_h = result.dilation_w = 2;
    if (k > 1 && !chance(4)) {
      result.pad_top = result.pad_bottom = result.dilation_h;
      result.pad_left = result.pad_right = result.dilation_w;
      if (chance(4)) result.pad_top = 0;
      if (chance(4)) result.pad_right = 0;
    }
    return result;
  }
  ValueId conv(ValueId src, int64_t out, int64_t k) {
    Conv2d op;
    op.window = window(k);
    op.act = bounds();
    const int64_t channels = shape(src)[3];
    if (chance(6) && channels % 2 == 0 && out % 2 == 0) op.groups = 2;
    return or_same(layer(op, src, {out, k, k, channels / op.groups}, 0), src);
  }
  ValueId depthwise(ValueId src) {
    const int64_t k = chance(4) ? 1 : 3, multiplier = chance(5) && shape(src)[3] < 7 ? 2 : 1;
    DepthwiseConv2d op{window(k), bounds()};
    return or_same(layer(op, src, {1, k, k, shape(src)[3] * multiplier}, 3), src);
  }
  ValueId pointwise(ValueId src, int64_t out) {
    Conv2d op;
    op.act = bounds();
    return layer(op, src, {out, 1, 1, shape(src)[3]}, 0);
  }

  // A unary operator that keeps the shape.
  ValueId activation(ValueId src) {
    switch (rng_.integer(0, 4)) {
      case 0:
        return append(LeakyRelu{0.1f}, {src}, quant());
      case 1:
        return append(HardSwish{}, {src}, quant());
      case 2:
        return append(Quantize{}, {src}, quant());
      case 3:
        return append(Sigmoid{}, {src}, QuantParams{{1.0f / 256}, {-128}, -1, 8, -128, 127});
      default:
        return append(Clamp{bounds()}, {src}, graph_.type(src).quant);
    }
  }

  ValueId block(ValueId src) {
    const int64_t channels = shape(src)[3];
    switch (rng_.integer(0, 9)) {
      case 0:
      case 1:
        return conv(src, rng_.integer(1, 12), chance(2) ? 3 : 1);
      case 2:
      case 3:
        return pointwise(or_same(depthwise(src), src), rng_.integer(1, 12));
      case 4:
      case 5: {  // a residual block
        ValueId branch = pointwise(src, rng_.integer(1, 12));
        if (chance(2)) branch = activation(branch);
        branch = pointwise(branch, channels);
        if (chance(3)) return append(Mul{}, {branch, src}, quant());
        return chance(4) ? append(Sub{bounds()}, {src, branch}, quant())
                         : append(Add{bounds()}, {src, branch}, quant());
      }
      case 6: {
        std::vector<ValueId> inputs{pointwise(src, rng_.integer(1, 4)), src};
        if (chance(3)) inputs.push_back(src);
        return append(Concat{3}, inputs, chance(2) ? *graph_.type(src).quant : quant());
      }
      case 7: {
        const int64_t k = rng_.integer(1, 3);
        return or_same(
            chance(2)
                ? append(MaxPool2d{k, k, window(k), {}}, {src}, graph_.type(src).quant)
                : append(AvgPool2d{k, k, window(k), chance(2), {}}, {src}, graph_.type(src).quant),
            src);
      }
      case 8: {
        Pad pad{
            {0, 1, 0, chance(2) ? 1 : 0}, {0, 0, 1, chance(2) ? 2 : 0}, chance(3) ? 1.0f : 0.0f};
        return append(pad, {src}, graph_.type(src).quant);
      }
      default:
        return activation(src);
    }
  }

  ValueId head(ValueId src) {
    if (chance(2)) src = append(Mean{{1, 2}, chance(2)}, {src}, quant());
    const int64_t batch = shape(src)[0], count = elem_count(shape(src)) / batch;
    src = append(Reshape{{batch, count}}, {src}, graph_.type(src).quant);
    if (chance(2)) src = layer(Dense{bounds()}, src, {rng_.integer(1, 8), shape(src)[1]}, 0);
    return layer(Dense{}, src, {3, shape(src)[1]}, 0);
  }

  Rng rng_;
  Graph graph_;
};

// The same graph for the same seed; it has passed verify_graph.
inline Graph random_mobile_graph(uint64_t seed, int blocks) {
  for (uint64_t attempt = 0;; ++attempt) {
    Graph graph = RandomMobileGraph(seed + (attempt << 32)).build(blocks);
    if (verify_graph(graph, VerifyLevel::kImported).ok()) return graph;
    if (attempt < 100) continue;
    ADD_FAILURE() << "no valid graph for seed " << seed << ": "
                  << verify_graph(graph, VerifyLevel::kImported).error().message;
    return graph;
  }
}

}  // namespace nibble
