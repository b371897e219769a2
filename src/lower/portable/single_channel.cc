// A convolution of one input channel is also a depthwise convolution with as many outputs for it:
//   conv2d(src [N,H,W,1], filter [O,KH,KW,1]) = depthwise_conv2d(src, filter [KH,KW,O])
// Cores without SIMD compute it faster so: their convolutions are made for many input channels.
#include "lower/variant.h"

namespace nibble {
namespace {

// [O,KH,KW,1] to [1,KH,KW,O].
Tensor channels_last(const Tensor& filter) {
  TensorType type = filter.type();
  std::swap(type.shape[0], type.shape[3]);
  type.quant.reset();
  Tensor result(type);
  const int64_t channels = filter.shape()[0], taps = filter.shape()[1] * filter.shape()[2];
  auto from = filter.data<int8_t>();
  auto to = result.mutable_data<int8_t>();
  for (int64_t channel = 0; channel < channels; ++channel)
    for (int64_t tap = 0; tap < taps; ++tap)
      to[static_cast<size_t>(tap * channels + channel)] =
          from[static_cast<size_t>(channel * taps + tap)];
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
