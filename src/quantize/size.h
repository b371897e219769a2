// How many bytes the constants of a network are, each in as few bits as it needs. It is what
// recipes are compared at: what a library makes of them depends on the kernels of its target.
#pragma once

#include "graph/graph.h"

namespace nibble {

// Integers packed to QuantParams::bits; a codebook, group factors of 4 bits and, for scales per
// channel, 4 bytes each come on top. Without QuantParams: as they are.
int64_t tensor_bytes(const TensorType& type);
// Of all constants that nodes read; each once.
int64_t constant_bytes(const Graph& graph);

}  // namespace nibble
