// dense_s8 on cores with Helium, as a convolution; one row by eight
// channels where there is one.
#include "lower/mve/conv_blocks.h"

namespace nibble {

std::vector<KernelVariant> generate_dense_s8_mve(const LayerView& layer,
                                                 const LowerOptions& options) {
  std::optional<HeliumOutput> output = HeliumOutput::of(layer);
  if (!output) return {};
  return conv_block_variants(dense_layer(layer), *output, options.optimize);
}

}  // namespace nibble
