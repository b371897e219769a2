// Convolutions without groups on cores with RISC-V vectors (lower/rvv/block_kernel.h): conv2d,
// dense, and depthwise_conv2d of one input channel. What may be chosen per layer: how many channels
// and pixels a block has.
#pragma once

#include "lower/conv_shape.h"
#include "lower/rvv/block_kernel.h"

namespace nibble {

std::vector<KernelVariant> conv_vector_variants(const ConvLayer& layer, const VectorOutput& output,
                                                Optimize optimize);
// The same for depthwise_conv2d of as many output channels as input channels.
std::vector<KernelVariant> depthwise_vector_variants(const ConvLayer& layer,
                                                     const VectorOutput& output, Optimize optimize);

}  // namespace nibble
