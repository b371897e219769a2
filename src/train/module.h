// What the module with libtorch offers to the rest of train/: one table of functions. Inside train/
// only. C++ types cross, so both sides must be built together: NIBBLE_TRAIN_BUILD (torch.cmake)
// says by which compiler and of which headers each was, and a module that says something else is
// refused.
#pragma once

#include "train/train.h"

namespace nibble {

struct TrainModule {
  decltype(&nibble::reconstruct) reconstruct;
  decltype(&nibble::learn_ranges) learn_ranges;
  decltype(&nibble::torch_outputs) torch_outputs;
  decltype(&nibble::synthesize) synthesize;
  // Steps done of all steps; the module has no terminal of its own.
  void (*set_progress)(std::function<void(int64_t done, int64_t total)> step);
};
// The names of `const char* ()`, NIBBLE_TRAIN_BUILD of the module, and of `const TrainModule* ()`.
inline constexpr const char* kTrainBuildSymbol = "nibble_train_build";
inline constexpr const char* kTrainModuleSymbol = "nibble_train_module";

}  // namespace nibble
