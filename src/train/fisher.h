// How much each element of a block's output matters to the network's. Inside the module with
// libtorch only.
#pragma once

#include "train/blocks.h"
#include "train/twin_run.h"

namespace nibble {

// How much each element of a block's output, of which `target` is what the float network has,
// matters per sample, after the diagonal of the Fisher information (Li et al. 2021, equation 10):
// the gradient of -log p(y) of the float network, y drawn from its own distribution p, which is a
// softmax output itself, and a normal one of deviation 1 around any other. The magnitude of the
// gradient stands for its square, whose tail lets a few samples decide alone, and half of the
// weight is spread evenly; the mean is 1. Undefined where no gradient reaches the block.
torch::Tensor fisher_weights(const TwinRun& run, const Block& block, const torch::Tensor& target,
                             uint64_t seed);

}  // namespace nibble
