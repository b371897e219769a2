// The public header of run/: cross-compiles an emitted library with a small harness, starts the emulator,
// feeds samples, and reads outputs, instructions, stack and sections back.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "emit/emit.h"
#include "formats/formats.h"
#include "graph/graph.h"
#include "target/target.h"

namespace nibble {

struct LayerCost {
  std::string name, op, kernel;
  int64_t macs = 0;
  int64_t instructions = 0;  // of one inference, averaged over the samples, rounded down
};

struct FlashBytes {
  int64_t code = 0, weights = 0, total = 0;  // of the library; start-up code and harness are `harness`
  int64_t harness = 0;
};
struct RamBytes {
  int64_t arena = 0, stack = 0, static_data = 0, total = 0;
};

struct RunResult {
  std::string target, core, machine;
  int64_t samples = 0;
  std::vector<std::vector<Tensor>> outputs;  // [sample][output]
  int64_t instructions_per_inference = 0;    // average over the samples
  int64_t macs = 0;
  FlashBytes flash;
  RamBytes ram;
  std::vector<LayerCost> layers;
};

struct RunOptions {
  bool layer_trace = false;         // also return every call's dst bytes of the first sample, to find a first difference
  std::string optimize = "-O2";
  int timeout_seconds = 3600;
  bool keep_build = false;
};

// Samples: one tensor per sample per input, as in graph layout and integer type.
// Errors: missing compiler or emulator (named, with its Debian package), compile error (our bug: with the log's path),
// kDoesNotFit with required, available and excess of flash or RAM, emulator crash or timeout with its last output.
Result<RunResult> run_on_target(const Library& library, const Program& program, const Target& target,
                                const std::vector<std::vector<Tensor>>& samples,
                                const RunOptions& options = {});

// Compiles the same library for this machine with AddressSanitizer and UndefinedBehaviorSanitizer and runs it.
Result<std::vector<std::vector<Tensor>>> run_on_host_sanitized(
    const Library& library, const Program& program,
    const std::vector<std::vector<Tensor>>& samples);

}  // namespace nibble
