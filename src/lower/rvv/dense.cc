// dense_s8 on cores with RISC-V vectors, as a convolution.
#include "lower/rvv/conv_vectors.h"

namespace nibble {

std::vector<KernelVariant> generate_dense_s8_rvv(const LayerView& layer,
                                                 const LowerOptions& options) {
  std::optional<VectorOutput> output = VectorOutput::of(layer);
  if (!output) return {};
  return conv_vector_variants(dense_layer(layer), *output, options.optimize);
}

}  // namespace nibble
