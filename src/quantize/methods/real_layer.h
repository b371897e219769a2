// conv2d, depthwise_conv2d and dense of a float graph seen as one kind: which weight leads from
// which input channel to which output channel. Inside quantize/ only.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// A layer with constant weights (and constant bias, if there is one). Input channels are positions
// along the innermost axis of the operand; a dense layer has as many as it has features.
struct RealLayer {
  int node = -1;
  bool depthwise = false;
  int64_t groups = 1;
  int64_t in_channels = 0, out_channels = 0;
  int64_t inner = 1;  // input channels that one output channel reads, per tap
  ValueId weight = kNoValue, bias = kNoValue;

  // Of the weight at this place of the filter.
  int64_t out_channel(int64_t elem) const {
    return depthwise ? elem % out_channels : elem / elems_per_out();
  }
  int64_t in_channel(int64_t elem) const {
    if (depthwise) return elem % out_channels / (out_channels / in_channels);
    return out_channel(elem) / (out_channels / groups) * inner + elem % inner;
  }
  int64_t elems_per_out() const { return elems_ / out_channels; }
  int64_t elems() const { return elems_; }

  int64_t elems_ = 0;
};

std::optional<RealLayer> real_layer(const Graph& graph, int node);
// Every such layer, in the order of the graph.
std::vector<RealLayer> real_layers(const Graph& graph);

// The layer's bias, zeros where it has none.
std::vector<float> bias_of(const Graph& graph, const RealLayer& layer);
// Gives the layer this bias: a constant of its own. The id of `layer.bias` follows.
void set_bias(Graph& graph, RealLayer& layer, const std::vector<float>& bias);
// The elements of the layer's filter, which no other node reads afterwards.
std::span<float> own_weights(Graph& graph, RealLayer& layer);

}  // namespace nibble
