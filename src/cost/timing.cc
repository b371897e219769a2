// The table of cores and the sum over it.
#include "cost/timing.h"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

constexpr double kWordBytes = 4;

// Middle of what a division may take: 2 to 12 cycles on the Cortex-M3 and M4.
constexpr double kDivide = 7;
constexpr double kFloatDivide = 14;

constexpr CoreTiming kTimings[] = {
    {.core = "cortex-m0",
     .load = 2,
     .store = 2,
     .taken = 2,
     .source = "DDI 0432C, table 3-1: LDR, STR 2; lists 1 + N; branches taken 3; the multiplier of "
               "one cycle (assumed; 32 without it)"},
    {.core = "cortex-m0plus",
     .load = 2,
     .store = 2,
     .taken = 1,
     .source = "DDI 0484C, table 3-1: LDR, STR 2; lists 1 + N; branches taken 2; the multiplier of "
               "one cycle (assumed; 32 without it)"},
    {.core = "cortex-m3",
     .load = 2,
     .behind_load = 1,
     .multiply = 2,
     .multiply_long = 5,
     .divide = kDivide,
     .taken = 2,
     .source =
         "DDI 0337H, table 3-1: LDR 2, pipelined behind another 1; lists and pairs 1 + N; MLA "
         "2 (MUL 1, not told apart); long multiplies 3 to 7; divisions 2 to 12; refill 1 to 3"},
    {.core = "cortex-m4",
     .load = 2,
     .behind_load = 1,
     .divide = kDivide,
     .fpu_divide = kFloatDivide,
     .taken = 2,
     .source =
         "Arm 100166, table 3-1: LDR 2, pipelined behind another 1; lists and pairs 1 + N; all "
         "multiplies 1; divisions 2 to 12; refill 1 to 3; table 7-1: VDIV 14"},
    {.core = "cortex-m33",
     .dual_issue = 0.95,
     .divide = kDivide,
     .fpu_divide = kFloatDivide,
     .taken = 2,
     .load_use = 1,
     .source =
         "assumption: its manual (Arm 100230) prints no cycles; three stages as the M4, loads "
         "of one cycle with one of waiting, few pairs of 16-bit instructions issued together"},
    {.core = "cortex-m7",
     .dual_issue = 0.65,
     .word = 0.5,
     .divide = kDivide,
     .fpu_divide = kFloatDivide,
     .taken = 1,
     .load_use = 1,
     .source =
         "assumption: its manual (DDI 0489) prints no cycles; two instructions per cycle but for "
         "two multiplies or two stores, memory of 64 bits (measured at "
         "quinapalus.com/cm7cycles.html); how often two meet is assumed, and that branches "
         "are predicted"},
    {.core = "cortex-m55",
     .dual_issue = 0.95,
     .divide = kDivide,
     .fpu_divide = kFloatDivide,
     .taken = 2,
     .load_use = 1,
     .vector = 2,
     .overlap = 1,
     .source =
         "Arm-Examples/Helium-Optimization: two beats per cycle, so two cycles for a vector, and "
         "neighbours of different units overlap; loop ends cost nothing once cached (Arm "
         "101051); scalar figures assumed as for the M33"},
    {.core = "cortex-m85",
     .dual_issue = 0.7,
     .word = 0.5,
     .divide = kDivide,
     .fpu_divide = kFloatDivide,
     .taken = 1,
     .load_use = 1,
     .vector = 2,
     .overlap = 1,
     .source = "vectors as on the Cortex-M55 (Arm-Examples/Helium-Optimization names both); scalar "
               "figures assumed as for the M7"},
    {.core = "rv32",
     .multiply_long = 2,
     .divide = 17,
     .fpu = 2,
     .fpu_divide = kFloatDivide,
     .taken = 2,
     .load_use = 1,
     .vector = 1,
     .vector_group = 1,
     .source = "FE310-G000 manual, 3.3: single issue, a loaded word is there after two cycles, "
               "divisions 2 to 33; one-cycle multiplier, refill without prediction and vectors as "
               "wide as their unit assumed"},
    {.core = "t-head-e907",
     .multiply_long = 2,
     .divide = 17,
     .fpu = 2,
     .fpu_divide = kFloatDivide,
     .taken = 1,
     .load_use = 1,
     .source =
         "assumption: five stages, single issue, predicted branches (T-Head, product page); the "
         "rest as for rv32"},
};

}  // namespace

std::span<const CoreTiming> core_timings() { return kTimings; }

const CoreTiming* find_timing(std::string_view core) {
  if (core.starts_with("rv32")) core = "rv32";
  const auto* found = std::ranges::find(kTimings, core, &CoreTiming::core);
  return found == std::end(kTimings) ? nullptr : found;
}

double exposed_waits(const Target& target, double flash_read_bytes) {
  return kExposedWait * target.flash_wait_cycles * flash_read_bytes / kWordBytes;
}

std::optional<MixCycles> cycles_by_mix(const InstructionMix& mix, const Target& target,
                                       double flash_read_bytes) {
  const CoreTiming* found = find_timing(target.core);
  if (!found) return std::nullopt;
  const CoreTiming& core = *found;
  auto of = [](double cycles, auto... counts) {
    return cycles * (static_cast<double>(counts) + ...);
  };
  MixCycles cycles;
  cycles.core =
      core.dual_issue *
          (of(1, mix.alu, mix.branch) + of(core.load, mix.load) + of(core.store, mix.store) +
           of(core.multiply, mix.multiply) + of(core.fpu, mix.fpu)) -
      of(core.behind_load, mix.load_behind_load) +
      of(core.several, mix.load_multiple, mix.store_multiple) +
      of(core.word, mix.load_words, mix.store_words) + of(core.multiply_long, mix.multiply_long) +
      of(core.divide, mix.divide) + of(core.fpu_divide, mix.fpu_divide) + of(core.loop, mix.loop) +
      of(core.taken, mix.branch_taken) + of(core.load_use, mix.load_use) +
      of(core.vector, mix.vector_load, mix.vector_store, mix.vector_multiply, mix.vector_other) +
      of(core.vector_group, mix.vector_groups) - of(core.overlap, mix.vector_overlap);
  cycles.waits = exposed_waits(target, flash_read_bytes);
  return cycles;
}

}  // namespace nibble
