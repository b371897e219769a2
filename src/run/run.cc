// run_on_target: sizes first, then the target's own memory map, then all samples, then the sums.
#include "run/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "plan/plan.h"
#include "run/emulator.h"
#include "run/firmware.h"
#include "run/flash_owners.h"
#include "run/harness_model.h"
#include "run/trace.h"

namespace nibble {

namespace fs = std::filesystem;

namespace {

// The arena behind the stack is aligned to 16: with stacks of a multiple, sizes do not depend on
// the stack's.
constexpr int64_t kStackAlign = 16;
constexpr int64_t kMaxStackBytes = 64 << 10;  // painted and scanned for every sample
constexpr int64_t kEnoughStackBytes =
    16 << 10;  // with less left for it, the stack is measured before the sizes are judged
// When marks change the compiled code, layers are measured apart, on this many samples.
constexpr size_t kLayerSamples = 8;

// One call of run_on_target: what its steps share.
class TargetRun {
 public:
  TargetRun(const Library& library, const Program& program, const Target& target,
            const RunOptions& options, fs::path dir)
      : library_(library),
        program_(program),
        target_(target),
        options_(options),
        dir_(std::move(dir)) {}

  Result<RunResult> run(std::span<const std::vector<Tensor>> samples);

 private:
  Result<FirmwareMemory> memory_that_fits(std::span<const std::vector<Tensor>> samples);
  Result<EmulatedRun> emulate_with(const Firmware& firmware,
                                   std::span<const std::vector<Tensor>> samples,
                                   const std::string& folder, Progress* progress = nullptr);
  Status judge_fit(const FirmwareSizes& sizes, std::optional<int64_t> stack_bytes) const;
  void fill_costs(const EmulatedRun& run, const EmulatedRun& layer_run, RunResult& result) const;
  void predict(const std::vector<const KernelCall*>& layers, RunResult& result) const;

  const Library& library_;
  const Program& program_;
  const Target& target_;
  const RunOptions& options_;
  fs::path dir_;
  std::optional<FirmwareBuilder> builder_;
};

Result<EmulatedRun> TargetRun::emulate_with(const Firmware& firmware,
                                            std::span<const std::vector<Tensor>> samples,
                                            const std::string& folder, Progress* progress) {
  EmulatorJob job{&firmware,
                  &builder_->machine(),
                  &library_,
                  &program_,
                  options_.timeout_seconds,
                  dir_ / folder,
                  {},
                  progress};
  return emulate_parallel(job, samples);
}

std::string excess_text(std::string_view memory, int64_t required, int64_t available,
                        const std::string& parts) {
  return fmt::format("{}: {} bytes required, {} available, excess {} ({})", memory,
                     with_thousands(required), with_thousands(available),
                     with_thousands(required - available), parts);
}

// Without a measured stack, only what is known to be needed is judged.
Status TargetRun::judge_fit(const FirmwareSizes& sizes, std::optional<int64_t> stack_bytes) const {
  int64_t ram = sizes.firmware_ram() + stack_bytes.value_or(0);
  std::vector<std::string> excesses;
  if (sizes.firmware_flash > target_.flash_bytes)
    excesses.push_back(excess_text(
        "flash", sizes.firmware_flash, target_.flash_bytes,
        fmt::format("weights and tables {}, code {}, start-up and harness {}",
                    with_thousands(sizes.flash.weights), with_thousands(sizes.flash.code),
                    with_thousands(sizes.flash.harness))));
  if (ram > target_.ram_bytes)
    excesses.push_back(excess_text(
        "RAM", ram, target_.ram_bytes,
        fmt::format("arena {}, stack {}, other variables {}, the caller's inputs and outputs {}",
                    with_thousands(sizes.arena),
                    stack_bytes ? with_thousands(*stack_bytes) : "not measured",
                    with_thousands(sizes.static_data), with_thousands(sizes.harness_data))));
  if (excesses.empty()) return {};
  return does_not_fit(fmt::format(
      "'{}' does not fit {}. {}. Choose a larger target (`nibble targets`) or a smaller model",
      library_.name, target_.name, join(excesses, ". ")));
}

int64_t stack_of(const EmulatedRun& run) {
  int64_t bytes = 0;
  for (const HarnessSample& sample : run.samples)
    bytes = std::max<int64_t>(bytes, sample.stack_bytes + int64_t{sample.caller_stack_bytes});
  return (bytes + kStackAlign - 1) / kStackAlign * kStackAlign;
}

// Links with room for everything to learn the exact sizes, compares with the target, and returns
// the memory map of the firmware that is measured.
Result<FirmwareMemory> TargetRun::memory_that_fits(std::span<const std::vector<Tensor>> samples) {
  const Machine& machine = builder_->machine();
  NIBBLE_ASSIGN(Firmware unlimited, builder_->build(Hooks::kMarks, builder_->unlimited_memory()));
  FirmwareSizes sizes = builder_->sizes(unlimited.elf);
  int64_t left = target_.ram_bytes - sizes.firmware_ram();
  FirmwareMemory memory = builder_->machine_memory();
  bool machine_holds_it = sizes.firmware_flash <= machine.flash_bytes &&
                          sizes.firmware_ram() + memory.stack_bytes <= machine.ram_bytes;
  if (sizes.firmware_flash > target_.flash_bytes || left < kEnoughStackBytes) {
    // It may not fit: what the stack takes is measured where there is room for it.
    std::optional<int64_t> stack_bytes;
    if (machine_holds_it && !samples.empty()) {
      NIBBLE_ASSIGN(Firmware roomy, builder_->build(Hooks::kMarks, memory));
      NIBBLE_ASSIGN(EmulatedRun run, emulate_with(roomy, samples.first(1), "roomy"));
      stack_bytes = stack_of(run);
    }
    NIBBLE_TRY(judge_fit(sizes, stack_bytes));
  }
  if (!machine_holds_it)
    return does_not_fit(fmt::format(
        "'{}' fits {}, but not the emulated machine {} that stands for it: flash: {} bytes "
        "required, {} available; RAM: {} bytes required, {} available",
        library_.name, target_.name, machine.name, with_thousands(sizes.firmware_flash),
        with_thousands(machine.flash_bytes), with_thousands(sizes.firmware_ram()),
        with_thousands(machine.ram_bytes)));
  memory.flash_bytes = std::min(memory.flash_bytes, target_.flash_bytes);
  memory.ram_bytes = std::min(memory.ram_bytes, target_.ram_bytes);
  memory.stack_bytes =
      std::min(kMaxStackBytes, memory.ram_bytes - sizes.firmware_ram()) / kStackAlign * kStackAlign;
  return memory;
}

// The average, each counter rounded down.
InstructionMix mean_mix(InstructionMix sum, size_t count) {
  if (count == 0) return sum;
  for (const MixCounter& counter : kMixClasses) sum.*counter.count /= count;
  for (const MixCounter& counter : kMixEvents) sum.*counter.count /= count;
  return sum;
}

void TargetRun::fill_costs(const EmulatedRun& run, const EmulatedRun& layer_run,
                           RunResult& result) const {
  InstructionMix sum{};
  for (const InstructionCount& count : run.counts) add_mix(sum, count.total);
  result.mix = mean_mix(sum, run.counts.size());
  if (!run.counts.empty())
    result.instructions_per_inference =
        static_cast<int64_t>(instructions_of(sum) / run.counts.size());
  const std::vector<const KernelCall*> layers = layer_calls(program_);
  for (size_t i = 0; i < layers.size(); ++i) {
    const KernelCall& call = *layers[i];
    InstructionMix of_layer{};
    for (const InstructionCount& count : layer_run.counts)
      if (i < count.layers.size()) add_mix(of_layer, count.layers[i]);
    const uint64_t runs = std::max<size_t>(1, layer_run.counts.size());
    LayerCost& layer = result.layers.emplace_back();
    layer.name = call.layer;
    layer.op = call.op;
    layer.kernel = function_name(program_, call);
    layer.macs = call.macs;
    layer.instructions = static_cast<int64_t>(instructions_of(of_layer) / runs);
    layer.mix = mean_mix(of_layer, runs);
    result.macs += call.macs;
  }
  predict(layers, result);
}

void TargetRun::predict(const std::vector<const KernelCall*>& layers, RunResult& result) const {
  const int64_t cache_bytes = flash_cache_bytes(target_);
  const std::vector<double> by_rules = rule_cycles(program_);
  double waits = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    result.layers[i].rule_cycles = std::llround(by_rules[i]);
    const double read = flash_read_bytes(program_, *layers[i], cache_bytes);
    if (const auto cycles = cycles_by_mix(result.layers[i].mix, target_, read)) {
      result.layers[i].cycles = std::llround(cycles->total());
      waits += cycles->waits;
    }
  }
  if (const auto cycles = cycles_by_mix(result.mix, target_)) {
    result.wait_cycles = std::llround(waits);
    result.cycles_per_inference = std::llround(cycles->core + waits);
  }
  result.rule_cycles = program_cycles(program_);
  CostQuery query;
  query.flash_read_bytes = flash_read_bytes(program_, cache_bytes);
  Result<CostEstimate> estimate = estimate_cost(program_, target_, query);
  if (estimate.ok()) result.estimate = std::move(*estimate);
}

Result<RunResult> TargetRun::run(std::span<const std::vector<Tensor>> samples) {
  NIBBLE_TRY(check_samples(program_, samples));
  NIBBLE_ASSIGN(builder_, FirmwareBuilder::create(library_, program_, target_, options_, dir_));
  NIBBLE_TRY(require_program(builder_->machine().emulator, builder_->machine().package));
  NIBBLE_ASSIGN(FirmwareMemory memory, memory_that_fits(samples));
  NIBBLE_ASSIGN(Firmware plain, builder_->build(Hooks::kNone, memory));
  NIBBLE_ASSIGN(Firmware marked, builder_->build(Hooks::kMarks, memory));

  RunResult result;
  result.target = target_.name;
  result.core = target_.core;
  result.machine = target_.machine;
  result.samples = static_cast<int64_t>(samples.size());
  // Marks are no instructions; where the compiler still chose otherwise because of them, the user's
  // build decides.
  bool same = same_library_code(plain.elf, marked.elf);
  Progress progress("running on the emulated " + target_.core, result.samples);
  NIBBLE_ASSIGN(EmulatedRun run, emulate_with(same ? marked : plain, samples, "run", &progress));
  if (same) {
    fill_costs(run, run, result);
  } else {
    NIBBLE_ASSIGN(
        EmulatedRun layer_run,
        emulate_with(marked, samples.first(std::min(samples.size(), kLayerSamples)), "layers"));
    fill_costs(run, layer_run, result);
  }
  for (HarnessSample& sample : run.samples) {
    result.ram.stack = std::max<int64_t>(result.ram.stack, sample.stack_bytes);
    result.outputs.push_back(std::move(sample.outputs));
  }
  FirmwareSizes sizes = builder_->sizes(plain.elf);
  result.flash = sizes.flash;
  result.flash_owners = flash_owners(plain.elf, program_);
  result.ram.arena = sizes.arena;
  result.ram.static_data = sizes.static_data;
  result.ram.total = sizes.arena + sizes.static_data + result.ram.stack;
  if (run.seconds > 0) result.emulator_mips = static_cast<double>(run.executed) / run.seconds / 1e6;
  if (options_.layer_trace && !samples.empty()) {
    NIBBLE_ASSIGN(result.trace, trace_layers(*builder_, memory, library_, program_, options_,
                                             samples[0], dir_ / "trace"));
  }
  return result;
}

}  // namespace

std::string compiler_of(const Target& target) {
  Result<const Toolchain*> toolchain = find_toolchain(target.toolchain);
  return std::string(toolchain.ok() ? (*toolchain)->compiler : target.toolchain);
}

Result<FlashBytes> measure_flash(const Library& library, const Program& program,
                                 const Target& target, const std::string& compiler_level) {
  NIBBLE_ASSIGN(TempDir dir, TempDir::create());
  RunOptions options;
  options.compiler_level = compiler_level;
  NIBBLE_ASSIGN(FirmwareBuilder builder,
                FirmwareBuilder::create(library, program, target, options, dir.path()));
  NIBBLE_ASSIGN(Firmware firmware, builder.build(Hooks::kNone, builder.unlimited_memory()));
  return builder.sizes(firmware.elf).flash;
}

Result<RunResult> run_on_target(const Library& library, const Program& program,
                                const Target& target,
                                const std::vector<std::vector<Tensor>>& samples,
                                const RunOptions& options) {
  NIBBLE_ASSIGN(TempDir dir, TempDir::create());
  if (options.keep_build) dir.keep();
  TargetRun run(library, program, target, options, dir.path());
  NIBBLE_ASSIGN(RunResult result, run.run(samples));
  if (options.keep_build) result.build_dir = dir.path();
  return result;
}

}  // namespace nibble
