// Small float networks, data for them, and what their layers hold. Needs quantize/.
#pragma once

#include <gtest/gtest.h>

#include "base/rng.h"
#include "ops/ops.h"
#include "quantize/quantize.h"

namespace nibble {

inline Tensor random_tensor(Shape shape, double low, double high, Rng& rng) {
  Tensor tensor(TensorType{std::move(shape), DType::kF32, std::nullopt});
  for (float& value : tensor.mutable_data<float>())
    value = static_cast<float>(rng.uniform(low, high));
  return tensor;
}

// Builds a float graph; every mistake is a failure of the test.
struct Network {
  Graph graph;
  Rng rng;

  explicit Network(uint64_t seed = 1) : rng(seed) { graph.name = "network"; }
  ValueId input(Shape shape) {
    return append_input(graph, "x", TensorType{std::move(shape), DType::kF32, std::nullopt});
  }
  ValueId constant(const std::string& name, Shape shape, const std::vector<float>& values) {
    return append_constant(graph, name, Tensor::of_floats(std::move(shape), values));
  }
  ValueId noise(const std::string& name, Shape shape, double largest) {
    return append_constant(graph, name, random_tensor(std::move(shape), -largest, largest, rng));
  }
  ValueId node(Op op, const std::string& name, std::vector<ValueId> inputs) {
    Result<ValueId> value = append_node(graph, std::move(op), name, std::move(inputs));
    NIBBLE_CHECK(value.ok(), "{}", value.error().message);
    return *value;
  }
  Graph with_output(ValueId id) {
    graph.outputs = {{id, {}}};
    return graph;
  }
};

inline constexpr Bounds kRelu = {0, INFINITY};
inline const Window kSame3x3 = {1, 1, 1, 1, 1, 1, 1, 1};

// Convolution, depthwise and pointwise with a sum around them, pool, two dense layers; channels
// with ranges far apart. `act` stands behind every convolution.
inline Graph uneven_network(uint64_t seed, Bounds act = kRelu) {
  Network net(seed);
  ValueId x = net.input({1, 8, 8, 3});
  ValueId c1 = net.node(Conv2d{kSame3x3, 1, act}, "c1",
                        {x, net.noise("w1", {8, 3, 3, 3}, 0.5), net.noise("b1", {8}, 0.3)});
  ValueId d2 = net.node(DepthwiseConv2d{kSame3x3, act}, "d2",
                        {c1, net.noise("w2", {1, 3, 3, 8}, 0.5), net.noise("b2", {8}, 0.3)});
  ValueId p3 = net.node(Conv2d{Window{}, 1, act}, "p3",
                        {d2, net.noise("w3", {8, 1, 1, 8}, 0.7), net.noise("b3", {8}, 0.2)});
  ValueId sum = net.node(Add{kRelu}, "sum", {c1, p3});
  ValueId pool = net.node(AvgPool2d{8, 8, Window{}, false, {}}, "pool", {sum});
  ValueId flat = net.node(Reshape{{1, 8}}, "flat", {pool});
  ValueId f4 =
      net.node(Dense{kRelu}, "f4", {flat, net.noise("w4", {12, 8}, 1), net.noise("b4", {12}, 0.2)});
  ValueId f5 =
      net.node(Dense{}, "f5", {f4, net.noise("w5", {4, 12}, 1), net.noise("b5", {4}, 0.2)});
  // Filters of the depthwise layer with ranges apart by a thousand.
  Graph graph = net.with_output(f5);
  for (Value& value : graph.values) {
    if (value.name != "w2") continue;
    auto weights = value.constant->mutable_data<float>();
    for (size_t i = 0; i < weights.size(); ++i)
      weights[i] *= static_cast<float>(std::pow(10.0, static_cast<double>(i % 8) * 3 / 7 - 1.5));
  }
  return graph;
}

inline CalibrationData random_data(int64_t count, Shape shape, uint64_t seed, double low = -1,
                                   double high = 1) {
  return {count, [=](int64_t index) {
            Rng rng(seed + static_cast<uint64_t>(index));
            return random_tensor(shape, low, high, rng);
          }};
}

// The largest difference of any output over the samples, relative to the largest output.
inline double relative_difference(const Graph& a, const Graph& b, const CalibrationData& data) {
  Interpreter first(a), second(b);
  double largest = 0, difference = 0;
  for (int64_t s = 0; s < data.count; ++s) {
    std::vector<Tensor> inputs = {data.sample(s)};
    const Tensor left = first.run(inputs)[0], right = second.run(inputs)[0];
    for (size_t i = 0; i < left.data<float>().size(); ++i) {
      const auto value = static_cast<double>(left.data<float>()[i]);
      largest = std::max(largest, std::abs(value));
      difference =
          std::max(difference, std::abs(value - static_cast<double>(right.data<float>()[i])));
    }
  }
  return difference / largest;
}

inline std::vector<float> floats_of(const Graph& graph, const std::string& node, size_t operand) {
  for (const Node& found : graph.nodes)
    if (found.name == node) {
      auto values = graph.value(found.inputs[operand]).constant->data<float>();
      return {values.begin(), values.end()};
    }
  ADD_FAILURE() << "no node " << node;
  return {};
}

}  // namespace nibble
