// A convolution of one input channel is also a depthwise convolution with as many outputs for it:
//   conv2d(src [N,H,W,1], filter [O,KH,KW,1]) = depthwise_conv2d(src, filter [KH,KW,O])
// Cores without SIMD compute it faster so: their convolutions are made for many input channels.
#include "lower/variant.h"

namespace nibble {
namespace {

// [O,KH,KW,1] to [1,KH,KW,O], as the kernels' bare bytes.
Tensor channels_last(const Tensor& filter) {
  Tensor result = transposed(filter, {3, 1, 2, 0});
  result.set_quant(std::nullopt);
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_as_depthwise(const LayerView& layer,
                                                        const LowerOptions& options) {
  if (layer.field("in_c") != 1) return {};
  KernelRequest request = layer.request();
  request.family.insert(0, "depthwise_");
  for (auto& [name, value] : request.fields)
    if (name == "out_c") name = "channel_multiplier";
  for (auto& [name, tensor] : request.constants)
    if (name == "filter") tensor = channels_last(tensor);
  std::vector<KernelVariant> variants;
  for (const GeneratorInfo& generator : all_generators()) {
    const bool usable = generator.isa == Isa::kPortable || has(options, generator.isa);
    if (generator.family != request.family || !usable) continue;
    for (KernelVariant& variant : generator.generate(LayerView(request), options))
      variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace nibble
