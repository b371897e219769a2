// The public header of run/: cross-compiles an emitted library with a small harness, starts the
// emulator, feeds samples, and reads outputs, instructions, stack and sections back.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instruction_mix.h"
#include "base/result.h"
#include "cost/cost.h"
#include "emit/emit.h"
#include "formats/formats.h"
#include "graph/graph.h"
#include "target/target.h"

namespace nibble {

struct LayerCost {
  std::string name, op, kernel;
  int64_t macs = 0;
  // Of one inference, averaged, rounded down. Where marking the layers changes what the compiler
  // makes of the library, from a marked build on the first samples: then the sum may differ from
  // instructions_per_inference by a few in a million.
  int64_t instructions = 0;
  InstructionMix mix{};     // of them, likewise
  int64_t cycles = 0;       // predicted from the mix (cost/timing.h); 0: the core has no row there
  int64_t rule_cycles = 0;  // its part of RunResult::rule_cycles
};

// Bytes that the linker put into flash. total is what the library costs: code + weights.
struct FlashBytes {
  int64_t code = 0;  // the library's instructions, what it takes from the C library, initial values
                     // of its variables
  int64_t weights =
      0;  // the library's constants: the program's, and the tables of arguments around them
  int64_t tables = 0;  // of weights: what is not a constant of the program
  int64_t total = 0;
  int64_t harness = 0;  // start-up code and test harness of the measured firmware; not in total
};
// A part of FlashBytes::total. kWeights: constants, by the layer that is the first to use them;
// kCode: a function of the library or the C library, with what the compiler drew into it; kTables:
// arguments around the constants ("tables"); kOther: initial values of variables, the C library's
// tables, and what lies between functions for their alignment ("runtime").
struct FlashOwner {
  enum class Kind { kWeights, kCode, kTables, kOther };
  std::string owner;
  Kind kind = Kind::kOther;
  int64_t bytes = 0;
};
std::string_view flash_kind_name(FlashOwner::Kind kind);  // "weights"

struct RamBytes {
  int64_t arena = 0;
  int64_t stack = 0;        // peak below the caller of NAME_invoke, the deepest of all samples
  int64_t static_data = 0;  // other variables of the library and of the C library
  int64_t total = 0;        // arena + stack + static_data
};

struct RunResult {
  std::string target, core, machine;
  int64_t samples = 0;
  std::vector<std::vector<Tensor>> outputs;  // [sample][output]
  int64_t instructions_per_inference = 0;    // average over the samples
  InstructionMix mix{};                      // of an inference
  // Predicted from the mix (cost/timing.h), waits of flash included: no emulator times anything. 0:
  // the core has no row there.
  int64_t cycles_per_inference = 0, wait_cycles = 0;
  // The other prediction, from the program alone: cycles by the rules that its kernels were chosen
  // by, and what cost/ makes of them; nothing where it cannot (no clock, no rules).
  int64_t rule_cycles = 0;
  std::optional<CostEstimate> estimate;
  int64_t macs = 0;
  FlashBytes flash;
  std::vector<FlashOwner> flash_owners;  // their bytes add up to flash.total
  RamBytes ram;
  std::vector<LayerCost> layers;
  // With layer_trace: for each call, the bytes of its dst after it, in the first sample.
  std::vector<std::vector<uint8_t>> trace;
  double emulator_mips = 0;         // executed instructions per microsecond of one emulator
  std::filesystem::path build_dir;  // with keep_build: sources, objects, firmware and its files
};

struct RunOptions {
  bool layer_trace = false;  // also fill RunResult::trace, to find the first layer that differs
  // The offsets the library was emitted with, for layer_trace; empty: those of plan(program).
  std::vector<int64_t> buffer_offsets;
  std::string compiler_level = "-O2";  // of optimization, for the library
  int timeout_seconds = 3600;
  bool keep_build = false;  // leave the build directory (RunResult::build_dir)
};

// Instructions are counted exactly, by translation block, between the entry of NAME_invoke and its
// return, in the build that a user would make (no hook adds an instruction); they are the same in
// every run. A named target's firmware is linked with its flash and RAM sizes at the emulated
// machine's addresses; `required` is all of that firmware, stack and the harness's buffers for one
// sample included. Large sets are split over several emulators. Samples: one tensor per sample per
// input, as in graph layout and integer type. Errors: missing compiler or emulator (named, with its
// Debian package), compile error (our bug: with the log's path), kDoesNotFit with required,
// available and excess of flash or RAM, emulator crash or timeout with its last output.
Result<RunResult> run_on_target(const Library& library, const Program& program,
                                const Target& target,
                                const std::vector<std::vector<Tensor>>& samples,
                                const RunOptions& options = {});

// The program that compiles for the target: "arm-none-eabi-gcc".
std::string compiler_of(const Target& target);

// Flash that the library takes on the target, by compiling (RunOptions::compiler_level) and linking
// it there; nothing runs. Errors: missing compiler, compile error.
Result<FlashBytes> measure_flash(const Library& library, const Program& program,
                                 const Target& target, const std::string& compiler_level);

// Compiles the same library for this machine with AddressSanitizer and UndefinedBehaviorSanitizer
// and runs it, inputs and outputs in heap blocks of exactly their size. Errors: no host compiler, a
// finding of a sanitizer (with its report).
Result<std::vector<std::vector<Tensor>>> run_on_host_sanitized(
    const Library& library, const Program& program,
    const std::vector<std::vector<Tensor>>& samples);

}  // namespace nibble
