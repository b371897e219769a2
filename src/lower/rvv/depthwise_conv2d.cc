// depthwise_conv2d_s8 on cores with RISC-V vectors: channels, and the pixels beside each other,
// across the lanes.
#include "lower/conv_shape.h"
#include "lower/rvv/conv_vectors.h"

namespace nibble {
namespace {

std::vector<KernelVariant> as_convolution(const LayerView& layer, const ConvShape& conv,
                                          const VectorOutput& output, Optimize optimize) {
  ConvLayer dense{"depthwise_conv2d", conv, {}, layer.s32("bias"), true};
  dense.weight = [&conv, filter = layer.s8("filter")](int out, int tap, int) {
    return filter[static_cast<size_t>(tap * conv.out_c + out)];
  };
  return conv_vector_variants(dense, output, optimize);
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s8_rvv(const LayerView& layer,
                                                            const LowerOptions& options) {
  std::optional<VectorOutput> output = VectorOutput::of(layer);
  ConvShape conv = conv_shape(layer);
  conv.out_c = conv.in_c * layer.int_field("channel_multiplier");
  if (!output) return {};
  if (conv.in_c == 1) return as_convolution(layer, conv, *output, options.optimize);
  if (conv.out_c != conv.in_c) return {};
  ConvLayer depthwise{"depthwise_conv2d", conv, {}, layer.s32("bias"), true};
  depthwise.weight = [&conv, filter = layer.s8("filter")](int out, int tap, int) {
    return filter[static_cast<size_t>(tap * conv.out_c + out)];
  };
  return depthwise_vector_variants(depthwise, *output, options.optimize);
}

}  // namespace nibble
