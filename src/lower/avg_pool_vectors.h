// avg_pool2d_s8 on cores with vectors, many channels at once
// (kernels/avg_pool2d/avg_pool2d_s8_vectors.h).
#pragma once

#include <string>

#include "lower/variant.h"

namespace nibble {

struct AvgPoolCore {
  std::string isa;
  int64_t channels = 1;  // at once
  // Cycles of a pixel, of its groups of channels, of a tap.
  double per_pixel = 0, per_group = 0, per_tap = 0;
  int64_t code_bytes = 0;
};

std::vector<KernelVariant> avg_pool_by_vectors(const LayerView& layer, const AvgPoolCore& core);

}  // namespace nibble
