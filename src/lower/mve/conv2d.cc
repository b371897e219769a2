// conv2d_s8 on cores with Helium.
#include "lower/mve/conv_blocks.h"

namespace nibble {

std::vector<KernelVariant> generate_conv2d_s8_mve(const LayerView& layer,
                                                  const LowerOptions& options) {
  std::optional<HeliumOutput> output = HeliumOutput::of(layer);
  if (!output || layer.field("groups") != 1) return {};
  return conv_block_variants(conv2d_layer(layer), *output, options.optimize);
}

}  // namespace nibble
