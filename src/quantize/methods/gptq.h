// What gptq and gptaq share: rounding towards given weights with compensation. Inside quantize/
// only; refine.h has the equations.
#pragma once

#include <span>
#include <vector>

#include "quantize/methods/gram.h"
#include "quantize/methods/refine.h"

namespace nibble {

// What output channels that read the same inputs have in common.
struct GroupInputs {
  Matrix gram;                 // H, not damped
  std::vector<int64_t> order;  // of the inputs: the largest moments first
  Matrix upper;                // U with (H + damping)^-1 = U^T U, inputs in that order
};
std::vector<GroupInputs> group_inputs(const LayerContext& context);

// Sets the layer's weights to integers near `weights`, which has the filter's layout, on the share
// of each scale for which (w - w_q)^T H (w - w_q) is least.
void round_with_compensation(LayerContext& context, const std::vector<GroupInputs>& groups,
                             std::span<const float> weights);

}  // namespace nibble
