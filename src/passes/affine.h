// A node that multiplies and shifts every channel by constants, y[..., c] = scale[c] * x[..., c] +
// shift[c], and how it goes into the weights of a layer beside it. For fold_batch_norm and
// fold_affine; float graphs only.
#pragma once

#include <optional>
#include <vector>

#include "passes/rewrite.h"

namespace nibble {

struct ChannelAffine {
  ValueId src = kNoValue;
  std::vector<double> scale, shift;  // one per element of the innermost axis
  Bounds act;                        // clamps the result
};

// A batch norm with constant parameters: scale = gamma / sqrt(variance + epsilon), shift = beta -
// mean * scale.
std::optional<ChannelAffine> batch_norm_affine(const View& view, int node);
// Add, sub or mul with a constant that has one element, or one per channel.
std::optional<ChannelAffine> arithmetic_affine(const View& view, int node);

// The layer that writes affine.src takes over the node:
//   scale * (W x + b) + shift = (scale W) x + (scale b + shift)
// False if that value has other readers, the layer an activation of its own, or weights that are
// not constant.
bool fold_into_writer(const View& view, int node, const ChannelAffine& affine, Patch& patch);
// All layers that read the node's result take it over:
//   W (scale x + shift) + b = (W scale) x + (W shift + b)
// False if a reader is no such layer, or where padding would have to be `shift` instead of zero.
bool fold_into_readers(const View& view, int node, const ChannelAffine& affine, Patch& patch);

}  // namespace nibble
