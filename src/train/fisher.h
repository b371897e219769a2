// How much each element of a block's outputs matters to the network's. Inside the module with
// libtorch only.
#pragma once

#include "train/blocks.h"
#include "train/twin_run.h"

namespace nibble {

// How much each element of a block's outputs, of which `targets` are what the float network has,
// matters per sample, after the diagonal of the Fisher information (Li et al. 2021, equation 10):
// the gradient of -log p(y) of the float network, y drawn from its own distribution p, which is a
// softmax output itself, and a normal one of deviation 1 around any other. The magnitude of the
// gradient stands for its square, whose tail lets a few samples decide alone, and half of the
// weight is spread evenly; the mean over all outputs is 1. Empty where no gradient reaches the
// block.
std::vector<torch::Tensor> fisher_weights(const TwinRun& run, const Block& block,
                                          const std::vector<torch::Tensor>& targets, uint64_t seed);

}  // namespace nibble
