// Chains of layers on images, several in one graph, each with an input and an output of its own:
// what groups of layers that run band by band are made of. Kernels larger than the image, windows
// with gaps, paddings of all sorts, residual sums. kOneRow: images of one row, of 1-D convolutions.
#pragma once

#include "support/weight_layer.h"

namespace nibble {

enum class ChainImages { kAny, kOneRow };

class RandomChains {
 public:
  explicit RandomChains(uint64_t seed, ChainImages images = ChainImages::kAny)
      : rng_(seed), one_row_(images == ChainImages::kOneRow) {
    graph_.name = "chains_" + std::to_string(seed);
    graph_.rounding = seed % 3 == 2 ? Rounding::kSingle : Rounding::kTflite;
  }

  Graph build(int chains, int layers) {
    for (int i = 0; i < chains; ++i) {
      Shape shape{1, rng_.integer(1, 14), rng_.integer(1, 9), random_extent()};
      if (one_row_) shape = {1, 1, rng_.integer(2, 24), random_extent()};
      ValueId last = append_input(graph_, name("x"), {shape, DType::kS8, quant()});
      const ValueId first = last;
      for (int layer = 0; layer < layers; ++layer) last = block(last);
      if (last != first) graph_.outputs.push_back({last, {}});
    }
    return std::move(graph_);
  }

 private:
  std::string name(const std::string& what) { return what + std::to_string(names_++); }
  int64_t random_extent() {
    return rng_.integer(0, 1) ? rng_.integer(1, 9) : 4 * rng_.integer(1, 5);
  }
  QuantParams quant() {
    return {{static_cast<float>(rng_.uniform(0.02, 0.1))},
            {static_cast<int32_t>(rng_.integer(-128, 127))},
            -1,
            8,
            -128,
            127};
  }
  const Shape& shape(ValueId id) const { return graph_.type(id).shape; }
  // `src` where the layer cannot be: an output without elements, an accumulator too large.
  ValueId append(Op op, std::vector<ValueId> inputs, QuantParams params) {
    const ValueId src = inputs[0];
    Graph tried = graph_;
    auto id = append_node(tried, std::move(op), name("node"), std::move(inputs), std::move(params));
    if (!id.ok()) return src;
    tried.outputs.push_back({*id, {}});
    if (!verify_graph(tried, VerifyLevel::kImported).ok()) return src;
    tried.outputs.pop_back();
    graph_ = std::move(tried);
    return *id;
  }

  ValueId weights(Op op, ValueId src, Shape filter, int axis) {
    const int64_t channels = filter[static_cast<size_t>(axis)];
    Tensor tensor = random_filter(rng_, std::move(filter), axis);
    const Graph before = graph_;
    const ValueId filter_id = append_constant(graph_, name("w"), tensor);
    std::vector<int32_t> biases(static_cast<size_t>(channels));
    for (int32_t& bias : biases) bias = static_cast<int32_t>(rng_.integer(-4000, 4000));
    const ValueId bias_id =
        append_constant(graph_, name("b"), Tensor::of<int32_t>({channels}, DType::kS32, biases));
    const ValueId id = append(std::move(op), {src, filter_id, bias_id}, quant());
    if (id == src) graph_ = before;
    return id;
  }
  int64_t random_k_h(int64_t most) { return one_row_ ? 1 : rng_.integer(1, most); }
  Window window(int64_t k_h, int64_t k_w) {
    Window window = random_window(rng_, k_h, k_w);
    if (one_row_) window.pad_top = window.pad_bottom = 0;
    return window;
  }
  ValueId conv(ValueId src, int64_t out, bool keeps_shape) {
    Conv2d op;
    const int64_t k_h = keeps_shape ? 3 : random_k_h(6), k_w = keeps_shape ? 3 : rng_.integer(1, 4);
    if (keeps_shape)
      op.window.pad_top = op.window.pad_left = op.window.pad_bottom = op.window.pad_right = 1;
    else
      op.window = window(k_h, k_w);
    op.act = random_act(rng_);
    return weights(op, src, {out, k_h, k_w, shape(src)[3]}, 0);
  }
  ValueId depthwise(ValueId src) {
    const int64_t k_h = random_k_h(6), k_w = rng_.integer(1, 4);
    DepthwiseConv2d op{window(k_h, k_w), random_act(rng_)};
    return weights(op, src, {1, k_h, k_w, shape(src)[3]}, 3);
  }
  ValueId pointwise(ValueId src, int64_t out) {
    Conv2d op;
    op.act = random_act(rng_);
    return weights(op, src, {out, 1, 1, shape(src)[3]}, 0);
  }
  ValueId pool(ValueId src) {
    const int64_t k_h = random_k_h(4), k_w = rng_.integer(1, 3);
    Window window = this->window(k_h, k_w);
    window.pad_top = std::min(window.pad_top, k_h - 1);
    window.pad_left = std::min(window.pad_left, k_w - 1);
    const QuantParams same = *graph_.type(src).quant;
    if (rng_.integer(0, 1)) return append(MaxPool2d{k_h, k_w, window, {}}, {src}, same);
    return append(AvgPool2d{k_h, k_w, window, rng_.integer(0, 1) == 1, {}}, {src}, same);
  }

  ValueId block(ValueId src) {
    switch (rng_.integer(0, 7)) {
      case 0:
      case 1:
        return conv(src, random_extent(), false);
      case 2:
        return depthwise(src);
      case 3:
        return pointwise(depthwise(src), random_extent());
      case 4: {  // a residual block
        ValueId branch = conv(src, shape(src)[3], true);
        if (branch != src) branch = conv(branch, shape(src)[3], true);
        if (branch == src || shape(branch) != shape(src)) return branch;
        return rng_.integer(0, 1) ? append(Add{random_act(rng_)}, {src, branch}, quant())
                                  : append(Add{random_act(rng_)}, {branch, src}, quant());
      }
      case 5:
        return pool(src);
      case 6:
        return append(Clamp{{-1, 2}}, {src}, *graph_.type(src).quant);
      default:
        return pointwise(src, random_extent());
    }
  }

  Rng rng_;
  const bool one_row_;
  Graph graph_;
  int names_ = 0;
};

}  // namespace nibble
