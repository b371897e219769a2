// Runs a firmware in the emulator over a set of samples and reads back what it wrote and what was
// counted.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "base/instruction_mix.h"
#include "base/progress.h"
#include "base/result.h"
#include "run/firmware.h"
#include "run/harness_model.h"

namespace nibble {

// What one inference executed.
struct InstructionCount {
  InstructionMix total{};              // from the entry of NAME_invoke to its return
  std::vector<InstructionMix> layers;  // by call; empty without marks in the library
};

struct EmulatedRun {
  std::vector<HarnessSample> samples;
  std::vector<InstructionCount> counts;  // by sample
  uint64_t executed = 0;                 // up to the last mark, harness included
  double seconds = 0;
};

struct EmulatorJob {
  const Firmware* firmware = nullptr;
  const Machine* machine = nullptr;
  const Library* library = nullptr;
  const Program* program = nullptr;
  int timeout_seconds = 3600;
  std::filesystem::path dir;                    // files of this run; created
  std::vector<std::string> emulator_arguments;  // beside the usual ones
  Progress* progress = nullptr;                 // counts samples
};

// Errors: emulator or counter missing, the firmware faults, does not end or reports a status (with
// its last output).
Result<EmulatedRun> emulate(const EmulatorJob& job, std::span<const std::vector<Tensor>> samples);
// The same split over the machine's cores; results in the order of the samples.
Result<EmulatedRun> emulate_parallel(const EmulatorJob& job,
                                     std::span<const std::vector<Tensor>> samples);

}  // namespace nibble
