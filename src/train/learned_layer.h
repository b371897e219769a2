// The weights of one layer while they are learned. Inside the module with libtorch only.
#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// Variables that move at one rate.
struct VariableGroup {
  std::vector<torch::Tensor> variables;
  double rate = 0;
};

class LearnedLayer {
 public:
  virtual ~LearnedLayer() = default;
  virtual std::vector<VariableGroup> variables() = 0;
  // In place of a constant of the integer graph, with gradients; undefined for one that the layer
  // does not learn.
  virtual torch::Tensor constant(ValueId id) = 0;
  // To be added to the loss, from 0 to about 1; `progress` goes from 0 to 1.
  virtual torch::Tensor penalty(double progress) = 0;
  // Writes the result into the integer graph, whether it can compute with it or not.
  virtual void store(Graph& integer) = 0;
};

// AdaRound (Nagel et al. 2020, equations 21 to 25): a weight between the levels below and above is
//   w = s (below + h(v) (above - below) - z),  h(v) = clamp(sigmoid(v) (zeta - gamma) + gamma, 0,
//   1)
// with zeta = 1.1, gamma = -0.1, and the penalty 1 - |2 h - 1|^beta, whose beta falls from 20 to 2
// after the first fifth of the steps, drives h to 0 or 1. `real`: the float layer's weights. The
// levels are those around the float weight, or, where the integer graph has another one (by GPTQ,
// say), that one and its neighbour on the float weight's side.
std::unique_ptr<LearnedLayer> rounded_layer(const Graph& integer, const Node& node,
                                            const Tensor& real);

// After AdaQuant (Hubara et al. 2021, equation 2): weights, their scales and the bias move freely,
// the rounding passed through (Bengio et al. 2013):
//   w = s e^g (clamp(round(v), q_min, q_max) - z),  v = w0 / s + z and g = 0 at the start.
// The paper moves w0 and s and rounds w0 / s; with v in steps a change of the scale moves no weight
// to another level, and both can be learned at rates that fit every layer.
// Error: the weights have a codebook.
Result<std::unique_ptr<LearnedLayer>> moved_layer(const Graph& integer, const Node& node,
                                                  const Tensor& real, const Tensor& real_bias);

}  // namespace nibble
