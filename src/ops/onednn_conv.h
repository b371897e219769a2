// Float convolution by oneDNN. Inside ops/ only.
#pragma once

#include "ops/float_conv.h"

namespace nibble {

// Whether this build has oneDNN.
bool has_onednn();

// Without the fused activation. False if this build has no oneDNN, or oneDNN has no primitive for
// the layer. Primitive and reordered filter are kept in the node's slot (run_context.h).
bool run_onednn_conv(const FloatConv& conv, const float* src, const float* filter,
                     const float* bias, float* dst);

}  // namespace nibble
