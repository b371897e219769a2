// Dense layers of one row on cores without SIMD (kernels/dense/dense_s8_sums.h): what the
// instruction sets share. Each brings a DenseCore: the function that computes blocks of outputs.
#pragma once

#include "dense/dense_s8_sums.h"
#include "lower/scalar/rescale.h"

namespace nibble {

// Offsets of the fields of nibble_dense_sums on the 32-bit targets, for assembly.
inline constexpr int kDenseX = 0, kDenseSums = 4, kDenseWeights = 8, kDenseStartLow = 12,
                     kDenseStartHigh = 16, kDenseExtras = 20, kDenseBlock = 24, kDenseBlocks = 28,
                     kDenseRescale = 32, kDenseDst = 36;

// What the text of the function depends on.
struct DenseBlocks {
  int groups = 1;        // of a sum
  bool uniform = false;  // one rescaling for all outputs
  RescaleStage stage;
};

struct DenseCore {
  std::string isa, condition;
  int lanes = 2;            // outputs of a block
  std::vector<int> groups;  // of a sum, that `blocks` knows
  Assembly (*blocks)(const DenseBlocks& dense) = nullptr;
  std::span<const RescaleForm> forms;
  // For the choice: cycles of a group of an output, of a sum of a block, of an output, of an extra.
  double (*cycles_of_form)(const RescaleStage& stage) = nullptr;  // rescaling an output
  double per_group = 0, per_sum = 0, per_output = 0, per_extra = 30;
  CostFit fit;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> dense_by_sums(const LayerView& layer, const DenseCore& core);

}  // namespace nibble
