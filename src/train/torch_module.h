// The functions of train.h as the module with libtorch has them. Inside that module only.
#pragma once

#include <functional>

#include "train/train.h"

namespace nibble {

// Steps done of all.
using StepProgress = std::function<void(int64_t done, int64_t total)>;

Result<std::vector<BlockLoss>> reconstruct_in_torch(const Graph& real, Graph& integer,
                                                    std::span<const Tensor> samples,
                                                    const ReconstructOptions& options,
                                                    const StepProgress& progress);
Result<RangesLoss> learn_ranges_in_torch(const Graph& real, Graph& integer,
                                         std::span<const Tensor> samples,
                                         const LearnRangesOptions& options,
                                         const StepProgress& progress);
Result<std::vector<Tensor>> synthesize_in_torch(const Graph& real,
                                                std::span<const WantedStatistics> wanted,
                                                const SynthesizeOptions& options,
                                                const StepProgress& progress);
Result<std::vector<std::vector<Tensor>>> outputs_in_torch(const Graph& real,
                                                          std::span<const Tensor> samples);

}  // namespace nibble
