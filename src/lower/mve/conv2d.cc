// conv2d_s8 on cores with Helium.
#include "lower/conv_shape.h"
#include "lower/mve/conv_blocks.h"

namespace nibble {

std::vector<KernelVariant> generate_conv2d_s8_mve(const LayerView& layer,
                                                  const LowerOptions& options) {
  std::optional<HeliumOutput> output = HeliumOutput::of(layer);
  if (!output || layer.field("groups") != 1) return {};
  ConvLayer conv;
  conv.op = "conv2d";
  conv.conv = conv_shape(layer);
  conv.conv.out_c = layer.int_field("out_c");
  conv.bias = layer.s32("bias");
  conv.weight = [&, filter = layer.s8("filter")](int out, int tap, int in) {
    int at = (out * conv.conv.taps() + tap) * conv.conv.in_c + in;
    return filter[static_cast<size_t>(at)];
  };
  return conv_block_variants(conv, *output, options.optimize);
}

}  // namespace nibble
