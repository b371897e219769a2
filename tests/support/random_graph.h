// Random small graphs, float and integer, for property tests of passes, quantization, planning and
// code generation: branches, residual additions, concatenations, paddings, pools, layouts that are
// turned and turned back, as importers leave them. Needs ops/.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ops/ops.h"

namespace nibble {

struct RandomGraphOptions {
  int nodes = 12;
  bool integer = false;  // s8 throughout, otherwise float
  bool unfolded =
      true;  // what passes remove: batch norm, clamps, pads and transposes on their own, no-ops
  bool dense_head = true;  // ends in mean or flatten, dense, perhaps softmax; otherwise in an image
};

class RandomGraphBuilder {
 public:
  RandomGraphBuilder(uint64_t seed, RandomGraphOptions options) : rng_(seed), options_(options) {
    graph_.name = "random_" + std::to_string(seed);
  }

  Graph build() {
    Shape shape{1, rng_.integer(3, 9), rng_.integer(3, 9), rng_.integer(1, 4)};
    TensorType input{shape, options_.integer ? DType::kS8 : DType::kF32, std::nullopt};
    if (options_.integer) input.quant = random_quant();
    images_.push_back(append_input(graph_, "x", input));
    for (int i = 0; i < options_.nodes; ++i) add_random_node();
    ValueId last = images_.back();
    graph_.outputs.push_back({options_.dense_head ? head(last) : last, {}});
    // A second output now and then, from the middle.
    if (rng_.integer(0, 3) == 0 && images_.size() > 2) {
      ValueId middle = images_[images_.size() / 2];
      if (middle != graph_.outputs[0].value && middle != graph_.inputs[0].value)
        graph_.outputs.push_back({middle, {}});
    }
    return std::move(graph_);
  }

 private:
  QuantParams random_quant() {
    return {{static_cast<float>(rng_.uniform(0.01, 0.1))},
            {static_cast<int32_t>(rng_.integer(-128, 127))},
            -1,
            8,
            -128,
            127};
  }
  // Parameters for a new range, or none in a float graph.
  std::optional<QuantParams> new_quant() {
    if (!options_.integer) return std::nullopt;
    return random_quant();
  }
  std::optional<QuantParams> quant_of(ValueId id) const { return graph_.type(id).quant; }
  const Shape& shape_of(ValueId id) const { return graph_.type(id).shape; }

  Bounds random_bounds() {
    switch (rng_.integer(0, 4)) {
      case 0:
        return {0, INFINITY};
      case 1:
        return {0, 6};
      case 2:
        return {static_cast<float>(rng_.uniform(-1, 0)), static_cast<float>(rng_.uniform(0, 1))};
      default:
        return {};
    }
  }

  Tensor random_floats(Shape shape, double low, double high) {
    std::vector<float> elems(static_cast<size_t>(elem_count(shape)));
    for (float& elem : elems) elem = static_cast<float>(rng_.uniform(low, high));
    return Tensor::of_floats(std::move(shape), elems);
  }

  ValueId weights(Shape shape, int channel_axis) {
    int64_t count = elem_count(shape);
    int64_t channels = shape[static_cast<size_t>(channel_axis)];
    if (!options_.integer) {
      double range = 1.7 / std::sqrt(static_cast<double>(std::max<int64_t>(count / channels, 1)));
      return append_constant(graph_, "w", random_floats(std::move(shape), -range, range));
    }
    std::vector<int8_t> elems(static_cast<size_t>(count));
    for (int8_t& elem : elems) elem = static_cast<int8_t>(rng_.integer(-127, 127));
    Tensor tensor = Tensor::of<int8_t>(std::move(shape), DType::kS8, elems);
    QuantParams quant{{}, {}, channel_axis, 8, -127, 127};
    bool per_tensor = rng_.integer(0, 1) == 0;
    if (per_tensor) quant.axis = -1;
    for (int64_t i = 0; i < (per_tensor ? 1 : channels); ++i) {
      quant.scale.push_back(static_cast<float>(rng_.uniform(0.001, 0.02)));
      quant.zero_point.push_back(0);
    }
    tensor.set_quant(quant);
    return append_constant(graph_, "w", tensor);
  }

  ValueId bias(ValueId src, ValueId filter, int64_t channels) {
    if (rng_.integer(0, 3) == 0) return kNoValue;
    if (!options_.integer)
      return append_constant(graph_, "b", random_floats({channels}, -0.5, 0.5));
    std::vector<int32_t> elems(static_cast<size_t>(channels));
    for (int32_t& elem : elems) elem = static_cast<int32_t>(rng_.integer(-2000, 2000));
    Tensor tensor = Tensor::of<int32_t>({channels}, DType::kS32, elems);
    QuantParams quant = *quant_of(filter);
    for (float& scale : quant.scale) scale *= quant_of(src)->scale[0];
    quant.axis = quant.scale.size() == 1 ? -1 : 0;
    if (channels == 1) quant.axis = -1;
    quant.bits = 32;
    quant.q_min = INT32_MIN;
    quant.q_max = INT32_MAX;
    tensor.set_quant(quant);
    return append_constant(graph_, "b", tensor);
  }

  // Appends and remembers the result; returns kNoValue where the operator does not fit (a window
  // too large).
  ValueId append(Op op, std::vector<ValueId> inputs, std::optional<QuantParams> quant) {
    std::string name(op_name(op));
    auto id = append_node(graph_, std::move(op), name, std::move(inputs), std::move(quant));
    if (!id.ok()) return kNoValue;
    return *id;
  }

  Window random_window() {
    Window window;
    window.stride_h = rng_.integer(1, 2);
    window.stride_w = rng_.integer(1, 2);
    if (rng_.integer(0, 1)) {
      window.pad_top = rng_.integer(0, 1);
      window.pad_left = rng_.integer(0, 1);
      window.pad_bottom = rng_.integer(0, 1);
      window.pad_right = rng_.integer(0, 1);
    }
    return window;
  }

  ValueId conv(ValueId src) {
    int64_t channels = shape_of(src)[3], k = rng_.integer(0, 1) ? 1 : 3;
    int64_t groups = channels % 2 == 0 && rng_.integer(0, 3) == 0 ? 2 : 1;
    int64_t out = groups * rng_.integer(1, 4);
    Conv2d op;
    op.window = random_window();
    op.groups = groups;
    op.act = random_bounds();
    ValueId filter = weights({out, k, k, channels / groups}, 0);
    return append(op, {src, filter, bias(src, filter, out)}, new_quant());
  }

  ValueId depthwise(ValueId src) {
    int64_t channels = shape_of(src)[3], k = rng_.integer(0, 1) ? 1 : 3;
    int64_t out = channels * (rng_.integer(0, 2) == 0 && channels < 8 ? 2 : 1);
    DepthwiseConv2d op;
    op.window = random_window();
    op.act = random_bounds();
    ValueId filter = weights({1, k, k, out}, 3);
    return append(op, {src, filter, bias(src, filter, out)}, new_quant());
  }

  ValueId binary(ValueId src) {
    ValueId other = kNoValue;
    for (ValueId id : images_)
      if (id != src && shape_of(id) == shape_of(src) && rng_.integer(0, 1)) other = id;
    if (other == kNoValue && options_.integer) other = src;
    if (other == kNoValue) {
      Shape shape = rng_.integer(0, 1) ? Shape{shape_of(src)[3]} : Shape{1, 1, 1, 1};
      other = append_constant(graph_, "c", random_floats(std::move(shape), -1.5, 1.5));
    }
    Bounds act = random_bounds();
    std::vector<ValueId> inputs{src, other};
    if (rng_.integer(0, 1)) std::swap(inputs[0], inputs[1]);
    switch (rng_.integer(0, 2)) {
      case 0:
        return append(Add{act}, inputs, new_quant());
      case 1:
        return append(Sub{act}, inputs, new_quant());
      default:
        return append(Mul{act}, inputs, new_quant());
    }
  }

  ValueId pool(ValueId src) {
    int64_t k = rng_.integer(1, 3);
    if (rng_.integer(0, 1))
      return append(MaxPool2d{k, k, random_window(), {}}, {src}, quant_of(src));
    return append(AvgPool2d{k, k, random_window(), rng_.integer(0, 1) == 1, {}}, {src},
                  quant_of(src));
  }

  ValueId pad(ValueId src) {
    Pad op{{0, rng_.integer(0, 2), rng_.integer(0, 2), 0}, {0, rng_.integer(0, 2), 0, 0}, 0};
    if (rng_.integer(0, 3) == 0) op.value = -1;
    return append(op, {src}, quant_of(src));
  }

  // What works element by element.
  ValueId unary(ValueId src) {
    if (options_.integer) return append(Clamp{random_bounds()}, {src}, quant_of(src));
    switch (rng_.integer(0, 4)) {
      case 0:
        return append(LeakyRelu{0.1f}, {src}, std::nullopt);
      case 1:
        return append(HardSwish{}, {src}, std::nullopt);
      case 2:
        return append(Sigmoid{}, {src}, std::nullopt);
      default:
        return append(Clamp{random_bounds()}, {src}, std::nullopt);
    }
  }

  // As an importer of NCHW models leaves it: turned, something on C H W, turned back.
  ValueId turned(ValueId src) {
    ValueId value = append(Transpose{{0, 3, 1, 2}}, {src}, quant_of(src));
    for (int64_t i = rng_.integer(0, 2); i > 0; --i) {
      ValueId next = unary(value);
      if (next != kNoValue) value = next;
    }
    if (rng_.integer(0, 2) == 0) {
      ValueId other = append(Transpose{{0, 3, 1, 2}}, {src}, quant_of(src));
      if (rng_.integer(0, 1))
        value = append(Concat{1}, {value, other}, quant_of(src));
      else
        value = append(Add{}, {value, other}, new_quant());
    }
    if (rng_.integer(0, 2) == 0)
      value = append(Pad{{0, 0, 1, 0}, {0, 0, 0, 1}, 0}, {value}, quant_of(value));
    return append(Transpose{{0, 2, 3, 1}}, {value}, quant_of(value));
  }

  ValueId batch_norm(ValueId src) {
    int64_t channels = shape_of(src)[3];
    auto param = [&](double low, double high) {
      return append_constant(graph_, "bn", random_floats({channels}, low, high));
    };
    std::vector<ValueId> inputs{src, param(0.5, 1.5), param(-1, 1), param(-1, 1), param(0.3, 2)};
    return append(BatchNorm{1e-3f}, inputs, std::nullopt);
  }

  ValueId noop(ValueId src) {
    const Shape shape = shape_of(src);
    switch (rng_.integer(0, 3)) {
      case 0:
        return append(Reshape{shape}, {src}, quant_of(src));
      case 1:
        return append(Slice{{0, 0, 0, 0}, shape, {1, 1, 1, 1}}, {src}, quant_of(src));
      case 2:
        return append(Concat{3}, {src}, quant_of(src));
      default: {
        ValueId flat = append(Reshape{{shape[1], shape[2] * shape[3]}}, {src}, quant_of(src));
        flat = unary(flat);
        return append(Reshape{shape}, {flat}, quant_of(flat));
      }
    }
  }

  ValueId slice(ValueId src) {
    Shape extent = shape_of(src);
    std::vector<int64_t> begin(4, 0);
    if (extent[1] > 2) {
      begin[1] = 1;
      extent[1] -= 1;
    }
    return append(Slice{begin, extent, {1, 1, 1, 1}}, {src}, quant_of(src));
  }

  void add_random_node() {
    ValueId src = images_[static_cast<size_t>(
        std::max<int64_t>(0, static_cast<int64_t>(images_.size()) - 1 - rng_.integer(0, 2)))];
    ValueId id = kNoValue;
    switch (rng_.integer(0, options_.unfolded ? 11 : 6)) {
      case 0:
      case 1:
        id = conv(src);
        break;
      case 2:
        id = depthwise(src);
        break;
      case 3:
        id = binary(src);
        break;
      case 4:
        id = pool(src);
        break;
      case 5:
        id = unary(src);
        break;
      case 6:
        id = slice(src);
        break;
      case 7:
        id = pad(src);
        break;
      case 8:
      case 9:
        id = turned(src);
        break;
      case 10:
        id = options_.integer ? kNoValue : batch_norm(src);
        break;
      default:
        id = noop(src);
    }
    if (id != kNoValue) images_.push_back(id);
  }

  ValueId head(ValueId src) {
    if (rng_.integer(0, 1) && options_.unfolded)
      src = append(Transpose{{0, 3, 1, 2}}, {src}, quant_of(src));
    else if (rng_.integer(0, 1))
      src = append(Mean{{1, 2}, rng_.integer(0, 1) == 1}, {src}, new_quant());
    int64_t count = elem_count(shape_of(src));
    src = append(Reshape{{1, count}}, {src}, quant_of(src));
    ValueId filter = weights({3, count}, 0);
    src = append(Dense{}, {src, filter, bias(src, filter, 3)}, new_quant());
    if (rng_.integer(0, 1)) return src;
    QuantParams quant{{1.0f / 256}, {-128}, -1, 8, -128, 127};
    return append(Softmax{}, {src},
                  options_.integer ? std::optional<QuantParams>(quant) : std::nullopt);
  }

  Rng rng_;
  RandomGraphOptions options_;
  Graph graph_;
  std::vector<ValueId> images_;  // rank 4, N H W C
};

// The same graph for the same seed. It has passed verify_graph, so that integers stay within their
// accumulators.
inline Graph random_graph(uint64_t seed, RandomGraphOptions options = {}) {
  for (uint64_t attempt = 0;; ++attempt) {
    Graph graph = RandomGraphBuilder(seed + (attempt << 32), options).build();
    if (verify_graph(graph, VerifyLevel::kImported).ok()) return graph;
    if (attempt >= 100) {
      ADD_FAILURE() << "no valid random graph for seed " << seed << ": "
                    << verify_graph(graph, VerifyLevel::kImported).error().message;
      return graph;
    }
  }
}

}  // namespace nibble
