// avg_pool2d_s8 on cores with RISC-V vectors: 64 channels at once.
#include "lower/avg_pool_vectors.h"

namespace nibble {

std::vector<KernelVariant> generate_avg_pool2d_s8_rvv(const LayerView& layer, const LowerOptions&) {
  return avg_pool_by_vectors(layer, {"rvv", 64, 90, 45, 5.5, 600});
}

}  // namespace nibble
