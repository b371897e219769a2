/* Marks for the instruction counter: the address of the next instruction and an identity, left in a
   section that is not loaded. They emit no instruction. The section's name makes it debug
   information for the linker, so that it keeps no function alive that the program does not use. */
#ifndef NIBBLE_PORTS_MARKS_H
#define NIBBLE_PORTS_MARKS_H

/* How the core's compiler prints a constant operand without a sign before it. */
#if defined(__riscv)
#define NIBBLE_MARK_CONSTANT "%"
#else
#define NIBBLE_MARK_CONSTANT "%c"
#endif

/* The operand is numbered because an asm statement may have others before it. */
#define NIBBLE_MARK(operand)                         \
  "77:\n\t.pushsection .debug_nibble_hooks,\"\"\n\t" \
  ".4byte 77b, " NIBBLE_MARK_CONSTANT #operand       \
  "\n\t"                                             \
  ".popsection"

#define NIBBLE_MARK_RETURN 0x7FFFFFFF

/* After kernel call `index` of the library. `inline`: the compiler must not take it for the
   instructions that its lines look like when it decides what to inline. */
#define NIBBLE_MARK_LAYER(index) __asm__ volatile __inline__(NIBBLE_MARK(0)::"i"(index))

#endif
