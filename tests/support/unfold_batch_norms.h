// A network whose batch norms were folded into its layers gets them back: every layer with weights
// and a successor of its kind becomes the layer without bias, a batch norm, and the activation. The
// batch norm remembers the mean and variance that the layer has on given data, as training would
// have left them, and its gamma and beta are such that the function stays the same. Needs
// quantize/.
#pragma once

#include <cmath>

#include "ops/ops.h"
#include "quantize/quantize.h"

namespace nibble {

inline constexpr float kUnfoldedEpsilon = 1e-9f;

// Layers whose outputs some layer behind them reads: training puts no batch norm behind the last.
inline std::vector<bool> layers_before_layers(const Graph& graph) {
  std::vector<bool> feeds(graph.values.size(), false), found(graph.nodes.size(), false);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    const bool is_layer = quant_rule(node.op).weight >= 0;
    const bool behind = feeds[static_cast<size_t>(node.outputs[0])];
    found[i] = is_layer && behind;
    if (is_layer || behind)
      for (ValueId id : node.inputs)
        if (id != kNoValue) feeds[static_cast<size_t>(id)] = true;
  }
  return found;
}

// Mean and variance of each channel of each of those layers before bias and activation, over the
// first `samples` of the data.
struct LayerMeasure {
  std::vector<double> sum, squares;
  double count = 0;
};
inline std::vector<LayerMeasure> measure_layers(const Graph& graph, const std::vector<bool>& layers,
                                                const CalibrationData& data, int64_t samples) {
  // Twins of the layers, without bias and activation, whose results nobody reads.
  Graph wide = graph;
  std::map<std::string, size_t> twins;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!layers[i]) continue;
    const Node& node = graph.nodes[i];
    Op op = node.op;
    *activation_of(op) = {};
    Result<ValueId> bare =
        append_node(wide, op, node.name + "_bare", {node.inputs[0], node.inputs[1]});
    NIBBLE_CHECK(bare.ok(), "{}", bare.error().message);
    twins[wide.nodes.back().name] = i;
  }
  std::vector<LayerMeasure> sums(graph.nodes.size());
  Interpreter interpreter(wide);
  for (int64_t s = 0; s < std::min(samples, data.count); ++s) {
    const std::vector<Tensor> inputs = {data.sample(s)};
    interpreter.run(inputs, [&](const Node& node, std::span<Tensor> outputs) {
      const auto twin = twins.find(node.name);
      if (twin == twins.end()) return;
      LayerMeasure& found = sums[twin->second];
      auto values = outputs[0].data<float>();
      const auto channels = static_cast<size_t>(outputs[0].shape().back());
      found.sum.resize(channels);
      found.squares.resize(channels);
      for (size_t i = 0; i < values.size(); ++i) {
        found.sum[i % channels] += static_cast<double>(values[i]);
        found.squares[i % channels] += static_cast<double>(values[i]) * values[i];
      }
      found.count += static_cast<double>(values.size() / channels);
    });
  }
  return sums;
}

inline Graph unfold_batch_norms(const Graph& graph, const CalibrationData& data, int64_t samples) {
  const std::vector<bool> layers = layers_before_layers(graph);
  const std::vector<LayerMeasure> sums = measure_layers(graph, layers, data, samples);
  Graph result = graph;
  Patch patch(result);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!layers[i]) continue;
    const Node& node = graph.nodes[i];
    const size_t channels = sums[i].sum.size();
    std::vector<float> gamma, beta, mean, variance;
    for (size_t c = 0; c < channels; ++c) {
      const double m = sums[i].sum[c] / sums[i].count;
      const double v = std::max(0.0, sums[i].squares[c] / sums[i].count - m * m);
      const double bias =
          node.inputs.size() > 2 && node.inputs[2] != kNoValue
              ? static_cast<double>(graph.value(node.inputs[2]).constant->data<float>()[c])
              : 0.0;
      mean.push_back(static_cast<float>(m));
      variance.push_back(static_cast<float>(v));
      gamma.push_back(std::sqrt(variance.back() + kUnfoldedEpsilon));
      beta.push_back(static_cast<float>(m + bias));
    }
    auto constant = [&](const char* what, const std::vector<float>& values) {
      return patch.add_constant(node.name + what,
                                Tensor::of_floats({static_cast<int64_t>(channels)}, values));
    };
    const std::vector<ValueId> parameters = {constant("_gamma", gamma), constant("_beta", beta),
                                             constant("_mean", mean),
                                             constant("_variance", variance)};
    const ValueId dst = node.outputs[0];
    const TensorType type = graph.type(dst);
    Op op = node.op;
    const Bounds act = *activation_of(op);
    *activation_of(op) = {};
    const ValueId raw = patch.add_value(node.name + "_raw", type);
    const ValueId normal = patch.add_value(node.name + "_normal", type);
    patch.remove_node(static_cast<int>(i));
    patch.add_node(op, node.name, {node.inputs[0], node.inputs[1]}, {raw});
    patch.add_node(BatchNorm{kUnfoldedEpsilon}, node.name + "_norm",
                   {raw, parameters[0], parameters[1], parameters[2], parameters[3]}, {normal});
    patch.add_node(Clamp{act}, node.name + "_act", {normal}, {dst});
  }
  patch.apply();
  return result;
}

}  // namespace nibble
