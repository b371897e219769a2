// avg_pool2d_s8 on cores with Helium: eight channels at once.
#include "lower/avg_pool_vectors.h"

namespace nibble {

std::vector<KernelVariant> generate_avg_pool2d_s8_mve(const LayerView& layer, const LowerOptions&) {
  return avg_pool_by_vectors(layer, {"mve", 8, 1.3 * 90, 1.3 * 40, 1.3 * 5, 700});
}

}  // namespace nibble
