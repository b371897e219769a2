// The public header of train/: what needs gradients. It works on a float graph and the integer
// graph that quantize() made of it, after the fact: rounding is learned (reconstruction), and the
// ranges of activations are. The gradients are libtorch's, which is loaded when one of these
// functions is first called and by nothing else; where it is missing they return an error.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// kAdaRound (Nagel et al. 2020): each weight up or down, layer by layer. kAdaQuant (Hubara et al.
// 2021): weights, scales and biases move freely, layer by layer. kBrecq (Li et al. 2021): as
// AdaRound over the layers of a block at once, errors weighted by the Fisher information. kQDrop
// (Wei et al. 2022): as BRECQ with the quantization of activations left out at random.
enum class Reconstruction { kAdaRound, kAdaQuant, kBrecq, kQDrop };

// How a block ended: the mean squared error of its output, float against integer, over all samples;
// of several outputs the sum of theirs.
struct BlockLoss {
  std::string nodes;  // "conv1 ... add1"
  double before = 0, after = 0;
};

struct ReconstructOptions {
  Reconstruction method = Reconstruction::kAdaRound;
  int64_t steps = 1000;  // of the optimizer, per block
  int64_t batch = 32;    // samples per step
  double drop = 0.5;     // kQDrop: share of activations left in float
  uint64_t seed = 1;
  // Blocks that an earlier run finished: `integer` holds their results, and they are left alone.
  // The result is that of one run, bit for bit, on the same machine.
  int64_t blocks_done = 0;
  // Called when `blocks` are finished, with how the last of them ended; an error ends the
  // reconstruction.
  std::function<Status(int64_t blocks, const BlockLoss& loss, const Graph& integer)> block_done;
};

// Changes the weights of `integer` (with kAdaQuant scales and biases too) so that each block gives
// what `real`, its float twin by the names of the nodes, gives. No block ends with a larger error
// than it had. `samples`: for the only input of `real`. Errors: libtorch is missing or failed; the
// networks have no node in common; samples that cannot be computed together; an error that is no
// finite number; kAdaQuant, and weights with a codebook.
Result<std::vector<BlockLoss>> reconstruct(const Graph& real, Graph& integer,
                                           std::span<const Tensor> samples,
                                           const ReconstructOptions& options);

struct LearnRangesOptions {
  std::vector<std::string> values;  // names in `integer`; empty: all activations
  int64_t steps = 1000;
  int64_t batch = 32;
  uint64_t seed = 1;
};
struct RangesLoss {
  double before = 0, after = 0;  // of the network's output over all samples
};
// Learned step sizes (Esser et al. 2020, LSQ; Bhalgat et al. 2020, LSQ+ for ranges with two ends):
// moves the ranges of activations so that the integer network's outputs come nearer to the float
// network's: least Kullback-Leibler divergence where the output is a softmax, else least squares.
// Biases follow their scales. Changes nothing where nothing is gained. Errors as reconstruct().
Result<RangesLoss> learn_ranges(const Graph& real, Graph& integer, std::span<const Tensor> samples,
                                const LearnRangesOptions& options);

// What is known of a value of a float graph, per channel (innermost axis), before its activation.
struct WantedStatistics {
  std::string value;  // its name
  std::vector<double> mean, deviation;
};
struct SynthesizeOptions {
  int64_t count = 128;  // inputs
  int64_t steps = 300;  // of the optimizer, per batch
  int64_t batch = 64;   // inputs that have the statistics together
  uint64_t seed = 1;
};
// Synthetic calibration data (Cai et al. 2020, ZeroQ; Zhang et al. 2021 name its term the alignment
// of distributions): noise x becomes inputs by gradient descent on
//   sum over the values of ||mean~ - mean||^2 + ||deviation~ - deviation||^2,
// ~ measured over a batch, each channel in units of its own deviation, so that all count alike. The
// noise starts from the mean and scale, of a grid of powers of two, that have the least of it. One
// tensor per input, as the graph's only input is. Errors: libtorch is missing or failed; samples
// that cannot be computed together; a network that no noise suits.
Result<std::vector<Tensor>> synthesize(const Graph& real, std::span<const WantedStatistics> wanted,
                                       const SynthesizeOptions& options);

// The outputs of a float graph as libtorch computes them, per sample.
Result<std::vector<std::vector<Tensor>>> torch_outputs(const Graph& real,
                                                       std::span<const Tensor> samples);

// Whether libtorch's part was built and can be loaded; the error says what to install.
Status check_train();

}  // namespace nibble
