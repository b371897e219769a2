/* One instruction as the counter of the emulator sees it, and how a stretch of them becomes a mix
   (base/instruction_mix.h). decode_thumb.h and decode_rv32.h fill it in. C and C++. */
#ifndef NIBBLE_RUN_DECODED_H
#define NIBBLE_RUN_DECODED_H

#include "base/instruction_mix.h"

#define NIBBLE_CLASS(name) nibble_class_##name,
enum nibble_class { NIBBLE_MIX_CLASSES(NIBBLE_CLASS) };
#undef NIBBLE_CLASS

/* Units of vector instructions that work at the same time. */
enum nibble_unit { nibble_unit_none, nibble_unit_memory, nibble_unit_multiply, nibble_unit_other };

typedef struct {
  enum nibble_class what;
  unsigned words; /* registers of load_multiple and store_multiple */
  uint32_t reads; /* integer registers read, a bit each; of vector instructions those of addresses
                     alone */
  uint32_t loads; /* the integer register that memory fills last; 0: none */
  unsigned sets_lmul; /* a RISC-V vset with this many registers per group, at least 1; 0: none */
  unsigned ends_loop; /* jumps back in a loop that the core keeps (LE) */
} nibble_decoded;

static inline unsigned nibble_count_bits(unsigned bits) {
  unsigned count = 0;
  for (; bits != 0; bits &= bits - 1) ++count;
  return count;
}

static inline enum nibble_unit nibble_unit_of(const nibble_decoded* insn) {
  switch (insn->what) {
    case nibble_class_vector_load:
    case nibble_class_vector_store:
      return nibble_unit_memory;
    case nibble_class_vector_multiply:
      return nibble_unit_multiply;
    case nibble_class_vector_other:
      return nibble_unit_other;
    default:
      return nibble_unit_none;
  }
}

/* Adds the instruction to the mix. before: the one right before it, null at the begin of a stretch.
   branch_taken and vector_groups depend on what happens at run time and are left alone. */
static inline void nibble_add_decoded(const nibble_decoded* insn, const nibble_decoded* before,
                                      nibble_mix* mix) {
  switch (insn->what) {
#define NIBBLE_CLASS(name)  \
  case nibble_class_##name: \
    ++mix->name;            \
    break;
    NIBBLE_MIX_CLASSES(NIBBLE_CLASS)
#undef NIBBLE_CLASS
  }
  if (insn->what == nibble_class_load_multiple) mix->load_words += insn->words;
  if (insn->what == nibble_class_store_multiple) mix->store_words += insn->words;
  if (!before) return;
  if (insn->what == nibble_class_load && before->what == nibble_class_load) ++mix->load_behind_load;
  if (insn->reads & before->loads) ++mix->load_use;
  if (nibble_unit_of(insn) != nibble_unit_none && nibble_unit_of(before) != nibble_unit_none &&
      nibble_unit_of(insn) != nibble_unit_of(before))
    ++mix->vector_overlap;
}

#endif
