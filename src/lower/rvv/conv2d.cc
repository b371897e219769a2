// conv2d_s8 on cores with RISC-V vectors.
#include "lower/rvv/conv_vectors.h"

namespace nibble {

std::vector<KernelVariant> generate_conv2d_s8_rvv(const LayerView& layer,
                                                  const LowerOptions& options) {
  std::optional<VectorOutput> output = VectorOutput::of(layer);
  if (!output || layer.field("groups") != 1) return {};
  return conv_vector_variants(conv2d_layer(layer), *output, options.optimize);
}

}  // namespace nibble
