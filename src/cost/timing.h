// Cycles from what a core executed: the emulator's instruction mix (base/instruction_mix.h) priced
// by a table of one row per core.
//
//   core  = d (alu + branch + c_load load + c_store store + c_mul multiply + c_fpu fpu)
//         - s load_behind_load + c_several (load_multiple + store_multiple)
//         + c_word (load_words + store_words) + c_long multiply_long + c_div divide
//         + c_fdiv fpu_divide + c_loop loop + t branch_taken + u load_use
//         + c_vec (vector_load + vector_store + vector_multiply + vector_other)
//         + c_group vector_groups - o vector_overlap
//   waits = e w R / 4
//
// with w the target's flash_wait_cycles per word, R the bytes of weights that come from flash and e
// the share of such waits that nothing hides. Linear: layers sum to their network. The emulator
// times nothing, and no row is fitted to a measurement: the rows are manuals where these print
// cycles, and assumptions that say so elsewhere. Instructions are taken to come without waits (a
// prefetch buffer or cache holds the loops of kernels).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/instruction_mix.h"
#include "target/target.h"

namespace nibble {

// In cycles.
struct CoreTiming {
  std::string_view core;   // as in targets/*.toml; "rv32": every name that begins so
  double dual_issue = 1;   // d: of an instruction that takes one cycle; below 1 where two may issue
  double load = 1;         // c_load; one register, used at once without loss where load_use is 0
  double behind_load = 0;  // s: saved by a load right behind another
  double store = 1;        // c_store
  double several = 1;      // c_several: of a list or pair, beside its words
  double word = 1;         // c_word
  double multiply = 1;     // c_mul
  double multiply_long = 1;  // c_long
  double divide = 1;         // c_div
  double fpu = 1;            // c_fpu
  double fpu_divide = 1;     // c_fdiv
  double loop = 0;           // c_loop
  double taken = 0;          // t: refilling the pipeline, beside the branch's own cycle
  double load_use = 0;       // u: waiting for what was just loaded
  double vector = 0;         // c_vec
  double vector_group = 0;   // c_group
  double overlap = 0;        // o: saved where the vector unit's halves work on two instructions
  std::string_view source;
};
std::span<const CoreTiming> core_timings();
// Null: no row. Out-of-order cores, 64-bit ones and those whose code is not RV32 or Thumb have
// none.
const CoreTiming* find_timing(std::string_view core);

// Of the waits of flash reads, the share that the core sees: the rest is behind other work.
inline constexpr double kExposedWait = 0.5;

// Cycles that the core waits for so many bytes of weights from flash: e w R / 4.
double exposed_waits(const Target& target, double flash_read_bytes);

struct MixCycles {
  double core = 0, waits = 0;
  double total() const { return core + waits; }
};
// flash_read_bytes: of weights, by one inference (R). Nothing where the core has no row.
std::optional<MixCycles> cycles_by_mix(const InstructionMix& mix, const Target& target,
                                       double flash_read_bytes = 0);

}  // namespace nibble
