// dense_s8 on cores with RISC-V vectors: a 1 x 1 convolution whose pixels are the rows.
#include "lower/rvv/conv_vectors.h"

namespace nibble {

std::vector<KernelVariant> generate_dense_s8_rvv(const LayerView& layer,
                                                 const LowerOptions& options) {
  std::optional<VectorOutput> output = VectorOutput::of(layer);
  if (!output) return {};
  ConvLayer dense;
  dense.op = "dense";
  dense.conv.in_w = dense.conv.out_w = layer.int_field("rows");
  dense.conv.in_c = layer.int_field("in_len");
  dense.conv.out_c = layer.int_field("out_len");
  dense.conv.in_zero = layer.int_field("in_zero");
  dense.bias = layer.s32("bias");
  dense.weight = [&, filter = layer.s8("filter")](int out, int, int in) {
    return filter[static_cast<size_t>(out * dense.conv.in_c + in)];
  };
  dense.takes_rows = false;
  return conv_vector_variants(dense, *output, options.optimize);
}

}  // namespace nibble
