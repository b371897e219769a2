/* Estimated cycles of Thumb-2 instructions on a Cortex-M4 without waits for flash: a load 2, 1
   right behind another; a double load 3; a list of n registers 1 + n, loaded or stored; a double
   store 2; all others 1, and a branch that is taken 2 more. Encodings: Armv7-M Architecture
   Reference Manual, A5.2 and A5.3. */
#ifndef NIBBLE_RUN_THUMB2_CYCLES_H
#define NIBBLE_RUN_THUMB2_CYCLES_H

#include <stdbool.h>
#include <stdint.h>

#define NIBBLE_TAKEN_BRANCH_CYCLES 2

static unsigned count_bits(unsigned bits) {
  unsigned count = 0;
  for (; bits != 0; bits &= bits - 1) ++count;
  return count;
}

/* Sets *is_load to whether it is a load of one register. */
static unsigned thumb2_narrow_cycles(unsigned code, bool* is_load) {
  unsigned top = code >> 12;
  bool by_register = top == 5, by_immediate = top >= 6 && top <= 9;
  *is_load = (code >> 11) == 9 || (by_register && (code >> 9 & 7) >= 3) ||
             (by_immediate && (code >> 11 & 1) != 0);
  if (top == 12) return 1 + count_bits(code & 0xffu);
  if ((code & 0xf600u) == 0xb400u) return 1 + count_bits(code & 0x1ffu);
  return 1;
}

static unsigned thumb2_wide_cycles(unsigned first, unsigned second, bool* is_load) {
  bool load = (first >> 4 & 1) != 0;
  *is_load = false;
  if ((first & 0xfe40u) == 0xe800u) return 1 + count_bits(second);
  if ((first & 0xfe40u) == 0xe840u) {
    bool pair = (first & 0x0120u) != 0;
    if (!pair) return 2; /* exclusive, or a branch by a table */
    return load ? 3 : 2;
  }
  *is_load = (first & 0xfe00u) == 0xf800u && load;
  return 1;
}

/* half: the instruction's one or two halves. *after_load: whether a load of one register came
   right before; left for the next instruction. */
static unsigned thumb2_insn_cycles(const uint16_t half[2], bool* after_load) {
  bool was_load = *after_load, wide = half[0] >> 11 >= 29;
  unsigned cycles = wide ? thumb2_wide_cycles(half[0], half[1], after_load)
                         : thumb2_narrow_cycles(half[0], after_load);
  return cycles + (*after_load && !was_load ? 1 : 0);
}

#endif
