// dense_s8 on cores with Helium: a 1 x 1 convolution whose pixels are the rows; one row by eight
// channels where there is one.
#include "lower/mve/conv_blocks.h"

namespace nibble {

std::vector<KernelVariant> generate_dense_s8_mve(const LayerView& layer,
                                                 const LowerOptions& options) {
  std::optional<HeliumOutput> output = HeliumOutput::of(layer);
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
  return conv_block_variants(dense, *output, options.optimize);
}

}  // namespace nibble
