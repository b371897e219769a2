// Cycles of code of which nothing is known but how often each mnemonic was executed: mnemonics of
// Thumb instructions, as objdump and capstone write them, become classes of base/instruction_mix.h,
// and these cycles by cost/timing.h. What a mnemonic does not say becomes two mixes, the cheapest
// and the dearest that it leaves open, in this order:
//
// * conditional branches, CBZ: never taken; always.
// * POP, LDM: one register; 14, the last of them the program counter. PUSH, STM: one; 14.
// * Lists of floating-point registers: one; 32. VLDR, VSTR: one word; two.
// * Loads: each behind another, and never waited for; none behind another, each used at once.
// * Vector instructions: of each unit in turn; of one unit after the other.
// * Instructions without a mnemonic: integer arithmetic; taken branches, the dearest there is but
//   for lists and divisions.
//
// LDR is never taken for a jump, and floating-point arithmetic is scalar.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/instruction_mix.h"
#include "base/result.h"
#include "target/target.h"

namespace nibble {

struct ThumbMnemonic {
  enum class Jump { kNever, kPerhaps, kAlways };
  // Its class at the least and at the most: they differ in VLDR and VSTR alone.
  uint64_t InstructionMix::*low = &InstructionMix::alu;
  uint64_t InstructionMix::*high = &InstructionMix::alu;
  unsigned least_words = 0, most_words = 0;  // of what is, or may be, a list
  Jump jump = Jump::kNever;
};

// With or without a suffix for width, type and condition: "ldrsb.w", "vadd.i32", "bne", "popeq".
// Nothing where no such instruction is known.
std::optional<ThumbMnemonic> read_mnemonic(std::string_view text);

struct MixBounds {
  InstructionMix low{}, high{};
};
// Of so many instructions, some of which have mnemonics. Errors: an unknown mnemonic, a negative
// count, more with mnemonics than there are.
Result<MixBounds> bound_mix(const std::map<std::string, int64_t>& mnemonics, int64_t instructions);

struct LowHigh {
  double low = 0, high = 0;
};
// Without waits. Nothing where the core has no row in cost/timing.h.
std::optional<LowHigh> bound_cycles(const MixBounds& mix, const Target& target);

}  // namespace nibble
