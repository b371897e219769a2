// Convolutions without groups on cores with Helium, in blocks of pixels and channels
// (lower/mve/block_kernel.h): conv2d, dense, and depthwise_conv2d of one input channel. What may be
// chosen per layer: the size of a block, and whether windows are read in place, or gathered into
// one run per pixel.
#pragma once

#include "lower/conv_shape.h"
#include "lower/mve/output_stage.h"

namespace nibble {

std::vector<KernelVariant> conv_block_variants(const ConvLayer& layer, const HeliumOutput& output,
                                               Optimize optimize);

}  // namespace nibble
