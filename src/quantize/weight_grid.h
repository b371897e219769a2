// What the files about parameters share. Inside quantize/ only.
#pragma once

#include "graph/graph.h"

namespace nibble {

inline constexpr float kLeastScale = 1e-30f;

// All integers of so many bits, zero point and scale left to the caller.
inline QuantParams whole_range(int bits) {
  QuantParams params;
  params.bits = bits;
  params.q_min = -(1 << (bits - 1));
  params.q_max = (1 << (bits - 1)) - 1;
  return params;
}

}  // namespace nibble
