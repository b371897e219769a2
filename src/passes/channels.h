// What the passes over channels share: integer layers with weights seen as one kind, and tensors
// cut along an axis. Inside passes/ only.
#pragma once

#include <optional>
#include <vector>

#include "passes/rewrite.h"

namespace nibble {

// conv2d, depthwise_conv2d and dense on integers with constant weights. Tensors are copies that
// stay valid when a patch adds values.
struct WeightedLayer {
  int node = -1;
  Tensor filter;               // s8
  std::optional<Tensor> bias;  // s32, one per output channel
  bool depthwise = false;
  int64_t groups = 1;
  int64_t in_channels = 0, out_channels = 0;
  int64_t k_h = 1, k_w = 1;  // 1 and 1 for dense
  Window window;             // as it is by default for dense

  int64_t taps() const { return k_h * k_w; }
  int out_axis() const { return depthwise ? static_cast<int>(filter.shape().size()) - 1 : 0; }
  // Input channels that one output channel reads, and the first of them.
  int64_t read_channels() const { return depthwise ? 1 : in_channels / groups; }
  int64_t first_read(int64_t out) const {
    return depthwise ? out / (out_channels / in_channels)
                     : out / (out_channels / groups) * read_channels();
  }
  // Where the filter holds the weight of output channel `out` for tap `tap` (row-major over the
  // window) of the input channel first_read(out) + `in`.
  size_t index(int64_t out, int64_t tap, int64_t in) const {
    return static_cast<size_t>(depthwise ? tap * out_channels + out
                                         : (out * taps() + tap) * read_channels() + in);
  }
};
std::optional<WeightedLayer> weighted_layer(const View& view, int node);
// The node with the filter and bias that `layer` holds now. False, and nothing happens, if the
// operator does not take them or if nothing has changed.
bool replace_weights(const View& view, const WeightedLayer& layer, Patch& patch);
// A bias of zeros for a layer without one.
Tensor zero_bias(const View& view, const WeightedLayer& layer);

// The weights that the layer has for input channel `from` are added to those of `to`, which the
// same output channels read, and become zero. False, and nothing happens, if a sum leaves the
// filter's range or there is nothing to add. Not for depthwise layers.
bool add_weights(WeightedLayer& layer, int64_t from, int64_t to);

// Marks of the channels (positions along the last axis) of a value.
using ChannelMarks = std::vector<bool>;
int64_t count(const ChannelMarks& marks);

// The positions along `axis` that are marked, quantization parameters along it included.
Tensor keep_along(const Tensor& tensor, size_t axis, const ChannelMarks& marks);

}  // namespace nibble
