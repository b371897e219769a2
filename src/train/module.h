// What the module with libtorch offers to the rest of train/: one table of functions. Inside train/
// only. Both sides are built together, so C++ types may cross.
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
inline constexpr const char* kTrainModuleSymbol = "nibble_train_module";

}  // namespace nibble
