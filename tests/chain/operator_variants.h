// Every integer operator in several variants, as nodes of a graph: one graph per operator, or one
// of all of them together.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "ops/ops.h"

namespace nibble {

// A graph with one input [1,6,5,4] and every variant of an operator as an output.
class Variants {
 public:
  // `dtype` is that of all activations: s8, or s16 (then all zero points are 0, and scales
  // smaller).
  explicit Variants(const std::string& name, Rounding rounding, DType dtype = DType::kS8)
      : rng_(17), dtype_(dtype) {
    graph_.name = name;
    graph_.rounding = rounding;
    x_ = append_input(graph_, "x", {{1, 6, 5, 4}, dtype_, quant(0.05f, -9)});
  }

  DType dtype() const { return dtype_; }
  QuantParams quant(float scale, int32_t zero_point) const {
    if (dtype_ == DType::kS16) return {{scale / 256}, {0}, -1, 16, -32768, 32767};
    return {{scale}, {zero_point}, -1, 8, -128, 127};
  }
  ValueId x() const { return x_; }
  ValueId second(Shape shape = {1, 6, 5, 4}) {
    return append_input(graph_, "y", {std::move(shape), dtype_, quant(0.03f, 20)});
  }
  ValueId real(Shape shape) {
    return append_input(graph_, "real", {std::move(shape), DType::kF32, std::nullopt});
  }

  ValueId constant(Shape shape) {
    Tensor tensor =
        dtype_ == DType::kS16 ? random_s16(std::move(shape)) : random_s8(std::move(shape));
    tensor.set_quant(quant(0.02f, 4));
    return append_constant(graph_, "c", tensor);
  }
  ValueId weights(Shape shape, int axis) {
    QuantParams params{{}, {}, axis, 8, -127, 127};
    int64_t channels = axis < 0 ? 1 : shape[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < channels; ++i) {
      params.scale.push_back(static_cast<float>(rng_.uniform(0.001, 0.01)));
      params.zero_point.push_back(0);
    }
    Tensor tensor = random_s8(std::move(shape));
    tensor.set_quant(params);
    return append_constant(graph_, "w", tensor);
  }
  ValueId bias(int64_t channels) {
    Tensor bias(
        TensorType{{channels}, dtype_ == DType::kS16 ? DType::kS64 : DType::kS32, std::nullopt});
    for (int64_t i = 0; i < channels; ++i) bias.set_integer_at(i, rng_.integer(-3000, 3000));
    return append_constant(graph_, "b", bias);
  }

  // The output's parameters follow the operator's rule.
  ValueId add(Op op, std::vector<ValueId> inputs, float scale = 0.07f, int32_t zero_point = 11,
              std::optional<DType> dtype = std::nullopt) {
    QuantRule rule = quant_rule(op);
    QuantParams params = quant(scale, zero_point);
    if (rule.output == QuantRule::Output::kSameAsInput) params = *graph_.type(inputs[0]).quant;
    if (rule.output == QuantRule::Output::kFixed)
      params = dtype_ == DType::kS16 ? quant(256.0f / 32768, 0)
                                     : quant(rule.fixed_scale, rule.fixed_zero_point);
    bool to_real = std::holds_alternative<Dequantize>(op);
    std::string name(op_name(op));
    auto id = append_node(graph_, std::move(op), name, std::move(inputs),
                          to_real ? std::nullopt : std::optional(params),
                          to_real ? DType::kF32 : dtype.value_or(dtype_));
    EXPECT_TRUE(id.ok()) << id.error().message;
    return *id;
  }
  void output(Op op, std::vector<ValueId> inputs, float scale = 0.07f, int32_t zero_point = 11) {
    graph_.outputs.push_back({add(std::move(op), std::move(inputs), scale, zero_point), {}});
  }
  Graph& graph() { return graph_; }

 private:
  Tensor random_s16(Shape shape) {
    std::vector<int16_t> elems(static_cast<size_t>(elem_count(shape)));
    for (int16_t& elem : elems) elem = static_cast<int16_t>(rng_.integer(-32768, 32767));
    return Tensor::of<int16_t>(std::move(shape), DType::kS16, elems);
  }
  Tensor random_s8(Shape shape) {
    std::vector<int8_t> elems(static_cast<size_t>(elem_count(shape)));
    for (int8_t& elem : elems) elem = static_cast<int8_t>(rng_.integer(-127, 127));
    return Tensor::of<int8_t>(std::move(shape), DType::kS8, elems);
  }

  Rng rng_;
  DType dtype_;
  Graph graph_;
  ValueId x_;
};

// Adds an operator's variants to a graph, by the operator's name.
const std::map<std::string, std::function<void(Variants&)>>& all_variants();
// Those that have a 16x8 form.
const std::vector<std::string>& wide_operators();

}  // namespace nibble
