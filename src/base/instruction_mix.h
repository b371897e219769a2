/* What a stretch of a program executed, sorted by what instructions cost on a core: counted by the
   emulator's plugin (run/counter_plugin.c, in C), turned into cycles by cost/timing.h. Readable as
   C and as C++. */
#ifndef NIBBLE_BASE_INSTRUCTION_MIX_H
#define NIBBLE_BASE_INSTRUCTION_MIX_H

#include <stdint.h>

/* Every executed instruction is one of these; their sum is the number of instructions.
     alu             integer arithmetic, moves, comparisons, all that is nothing below
     multiply        with a result of 32 bits: plain, accumulating, of two or four halves (SMLAD)
     multiply_long   with a result of 64 bits, or of its upper half in RISC-V (MULH)
     load, store     of one register
     load_multiple, store_multiple   of several: LDRD, LDM, POP, VLDM
     branch          jumps, calls, returns, conditional or not, taken or not
     loop            begin and end of a loop that the core keeps itself (DLS, WLS, LE, LETP)
     fpu             scalar floating point, moves from and to its registers included
     vector_load, vector_store, vector_multiply, vector_other   Helium, RISC-V vectors */
#define NIBBLE_MIX_CLASSES(X) \
  X(alu)                      \
  X(multiply)                 \
  X(multiply_long)            \
  X(divide)                   \
  X(load)                     \
  X(load_multiple)            \
  X(store)                    \
  X(store_multiple)           \
  X(branch)                   \
  X(loop)                     \
  X(fpu)                      \
  X(fpu_divide) X(vector_load) X(vector_store) X(vector_multiply) X(vector_other)

/* What happened between them, beside the classes.
     branch_taken      the next instruction did not follow in memory, and no `loop` led there
     load_words        registers of load_multiple; store_words likewise
     load_behind_load  `load` right behind a `load`
     load_use          instructions that read a register which the load right before them wrote (of
                       several registers, the last)
     vector_overlap    vector instructions right behind one of another unit: loads and stores,
                       multiplies, others
     vector_groups     RISC-V: registers that vector instructions pass over beyond one (LMUL - 1)
   Pairs are seen within a stretch of code that is always run as a whole, not across branches. */
#define NIBBLE_MIX_EVENTS(X) \
  X(branch_taken)            \
  X(load_words)              \
  X(store_words) X(load_behind_load) X(load_use) X(vector_overlap) X(vector_groups)

#define NIBBLE_MIX_COUNTER(name) uint64_t name;
typedef struct nibble_mix {
  NIBBLE_MIX_CLASSES(NIBBLE_MIX_COUNTER)
  NIBBLE_MIX_EVENTS(NIBBLE_MIX_COUNTER)
} nibble_mix;
#undef NIBBLE_MIX_COUNTER

#ifdef __cplusplus
namespace nibble {

using InstructionMix = nibble_mix;

struct MixCounter {
  const char* name;
  uint64_t InstructionMix::*count;
};
#define NIBBLE_MIX_COUNTER(name) {#name, &InstructionMix::name},
inline constexpr MixCounter kMixClasses[] = {NIBBLE_MIX_CLASSES(NIBBLE_MIX_COUNTER)};
inline constexpr MixCounter kMixEvents[] = {NIBBLE_MIX_EVENTS(NIBBLE_MIX_COUNTER)};
#undef NIBBLE_MIX_COUNTER

inline uint64_t instructions_of(const InstructionMix& mix) {
  uint64_t sum = 0;
  for (const MixCounter& counter : kMixClasses) sum += mix.*counter.count;
  return sum;
}

// sum += factor * mix, in every counter; factor may be -1.
inline void add_mix(InstructionMix& sum, const InstructionMix& mix, int64_t factor = 1) {
  const auto times = static_cast<uint64_t>(factor);
  for (const MixCounter& counter : kMixClasses) sum.*counter.count += times * mix.*counter.count;
  for (const MixCounter& counter : kMixEvents) sum.*counter.count += times * mix.*counter.count;
}

}  // namespace nibble
#endif

#endif
