// What single layers of a quantized network cost: each quantized alone, and each left alone in
// float. Inside pipeline/ only.
#pragma once

#include "pipeline/pipeline.h"

namespace nibble {

// Fills in `effects`, `real`, `integer` and `emulated` of an explanation with its layers.
Status add_effects(Explanation& explanation, const Graph& real, const Graph& integer,
                   const Dataset& data);

}  // namespace nibble
