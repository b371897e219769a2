/* Thumb, Thumb-2, the DSP extension, scalar floating point and Helium, as far as a mix asks.
   Encodings: Armv8-M Architecture Reference Manual (DDI 0553), C2.2 to C2.4; 16-bit ones are those
   of Armv6-M and Armv7-M. C and C++. */
#ifndef NIBBLE_RUN_DECODE_THUMB_H
#define NIBBLE_RUN_DECODE_THUMB_H

#include "run/decoded.h"

/* The program counter is never waited for. */
static inline uint32_t nibble_thumb_register(unsigned number) {
  number &= 15;
  return number == 15 ? 0 : (uint32_t)1 << number;
}

static inline uint32_t nibble_thumb_last(unsigned list) {
  unsigned last = 0, i;
  for (i = 0; i < 15; ++i)
    if (list >> i & 1) last = i;
  return (list & 0x7fff) != 0 ? (uint32_t)1 << last : 0;
}

static inline void nibble_thumb_list(nibble_decoded* insn, int load, unsigned base, unsigned list) {
  insn->what = load ? nibble_class_load_multiple : nibble_class_store_multiple;
  insn->words = nibble_count_bits(list);
  insn->reads = nibble_thumb_register(base) | (load ? 0 : list & 0x7fff);
  insn->loads = load ? nibble_thumb_last(list) : 0;
}

static inline void nibble_thumb_single(nibble_decoded* insn, int load, unsigned data,
                                       uint32_t address) {
  insn->what = load ? nibble_class_load : nibble_class_store;
  insn->reads = address | (load ? 0 : nibble_thumb_register(data));
  insn->loads = load ? nibble_thumb_register(data) : 0;
}

/* 010000 and 010001: between two registers; comparisons, moves, BX. */
static inline void nibble_thumb_two_registers(unsigned code, nibble_decoded* insn) {
  unsigned op = code >> 6 & 15;
  uint32_t low = nibble_thumb_register(code & 7), source = nibble_thumb_register(code >> 3 & 7);
  if (code >> 10 == 0x10) {
    insn->what = op == 13 ? nibble_class_multiply : nibble_class_alu;
    /* MVN and RSB write the first without reading it. */
    insn->reads = source | (op == 15 || op == 9 ? 0 : low);
    return;
  }
  source = nibble_thumb_register(code >> 3 & 15);
  low = nibble_thumb_register((code & 7) | (code >> 4 & 8));
  op = code >> 8 & 3;
  if (op == 3) insn->what = nibble_class_branch;
  insn->reads = source | (op < 2 ? low : 0);
}

/* 1011: stack pointer, extensions, PUSH and POP, CBZ, reversals, hints. */
static inline void nibble_thumb_miscellaneous(unsigned code, nibble_decoded* insn) {
  if ((code & 0xfe00) == 0xb400) {
    nibble_thumb_list(insn, 0, 13, (code & 0xff) | (code << 6 & 0x4000));
  } else if ((code & 0xfe00) == 0xbc00) {
    nibble_thumb_list(insn, 1, 13, (code & 0xff) | (code << 7 & 0x8000));
  } else if ((code & 0xf500) == 0xb100) {
    insn->what = nibble_class_branch;
    insn->reads = nibble_thumb_register(code & 7);
  } else if ((code & 0xff00) == 0xb000) {
    insn->reads = nibble_thumb_register(13);
  } else if ((code & 0xff00) == 0xb200 || (code & 0xff00) == 0xba00) {
    insn->reads = nibble_thumb_register(code >> 3 & 7);
  }
}

static inline void nibble_thumb_narrow(unsigned code, nibble_decoded* insn) {
  unsigned top = code >> 12;
  uint32_t base = nibble_thumb_register(code >> 3 & 7);
  if (top <= 1) { /* shifts, sums of registers or a small number */
    insn->reads = base | ((code & 0xfc00) == 0x1800 ? nibble_thumb_register(code >> 6 & 7) : 0);
  } else if (top <= 3) { /* MOV, CMP, ADD, SUB of a byte */
    insn->reads = code >> 11 == 4 ? 0 : nibble_thumb_register(code >> 8 & 7);
  } else if (top == 4) {
    if (code >> 11 == 9)
      nibble_thumb_single(insn, 1, code >> 8 & 7, 0);
    else
      nibble_thumb_two_registers(code, insn);
  } else if (top == 5) {
    nibble_thumb_single(insn, (code >> 9 & 7) >= 3, code & 7,
                        base | nibble_thumb_register(code >> 6 & 7));
  } else if (top <= 8) {
    nibble_thumb_single(insn, code >> 11 & 1, code & 7, base);
  } else if (top == 9) {
    nibble_thumb_single(insn, code >> 11 & 1, code >> 8 & 7, nibble_thumb_register(13));
  } else if (top == 10) {
    insn->reads = code >> 11 & 1 ? nibble_thumb_register(13) : 0;
  } else if (top == 11) {
    nibble_thumb_miscellaneous(code, insn);
  } else if (top == 12) {
    nibble_thumb_list(insn, code >> 11 & 1, code >> 8 & 7, code & 0xff);
  } else if (code >> 8 != 0xde && code >> 8 != 0xdf) { /* neither UDF nor SVC */
    insn->what = nibble_class_branch;
  }
}

/* 1110100: lists, pairs, exclusive ones, branches by a table. */
static inline void nibble_thumb_several(unsigned first, unsigned second, nibble_decoded* insn) {
  int load = first >> 4 & 1;
  uint32_t base = nibble_thumb_register(first);
  if (first == 0xe97f && second == 0xe97f) return; /* SG */
  if ((first & 0x40) == 0) {
    nibble_thumb_list(insn, load, first, second);
  } else if ((first & 0x120) != 0) {
    unsigned pair = second >> 8 & 15;
    insn->what = load ? nibble_class_load_multiple : nibble_class_store_multiple;
    insn->words = 2;
    insn->reads =
        base | (load ? 0 : nibble_thumb_register(pair) | nibble_thumb_register(second >> 12));
    insn->loads = load ? nibble_thumb_register(pair) : 0;
  } else if ((first & 0xfff0) == 0xe8d0 && (second & 0xe0) == 0) {
    /* TBB, TBH: they load how far they jump. */
    insn->what = nibble_class_load;
    insn->reads = base | nibble_thumb_register(second);
  } else {
    nibble_thumb_single(insn, load, second >> 12, base);
  }
}

/* 11110: an immediate operand; branches; loops; hints. */
static inline void nibble_thumb_immediate(unsigned first, unsigned second, nibble_decoded* insn) {
  uint32_t operand = nibble_thumb_register(first);
  if ((second & 0x8000) == 0) {
    unsigned op = first >> 4 & 0x3f;
    /* MOVW has bits of its number there; MOVT keeps half of its register. */
    insn->reads = op == 0x24 ? 0 : op == 0x2c ? nibble_thumb_register(second >> 8) : operand;
  } else if ((first & 0xff80) == 0xf000 && (second & 0xf801) == 0xe801) {
    insn->what = nibble_class_vector_other; /* VCTP */
    insn->reads = operand;
  } else if ((first & 0xff80) == 0xf000 && (second & 0xd001) == 0xc001) {
    insn->what = nibble_class_loop;
    insn->ends_loop = (second & 0x2000) == 0 && (first & 15) == 15;
    insn->reads = insn->ends_loop ? 0 : operand;
  } else if ((second & 0x5000) != 0 || (first & 0x380) != 0x380) {
    insn->what = nibble_class_branch;
  }
}

/* 11111 with 00x: one register to or from memory. */
static inline void nibble_thumb_memory(unsigned first, unsigned second, nibble_decoded* insn) {
  uint32_t address = nibble_thumb_register(first);
  if ((first & 0x80) == 0 && (second & 0xfc0) == 0) address |= nibble_thumb_register(second);
  nibble_thumb_single(insn, first >> 4 & 1, second >> 12, address);
}

/* 11111011: multiplies and divisions. */
static inline void nibble_thumb_multiply(unsigned first, unsigned second, nibble_decoded* insn) {
  insn->reads = nibble_thumb_register(first) | nibble_thumb_register(second);
  if ((first & 0x80) == 0) {
    insn->what = nibble_class_multiply;
    insn->reads |= nibble_thumb_register(second >> 12);
  } else if ((first & 0xd0) == 0x90 && (second & 0xf0) == 0xf0) {
    insn->what = nibble_class_divide;
  } else {
    insn->what = nibble_class_multiply_long;
    if (first & 0x40)
      insn->reads |= nibble_thumb_register(second >> 12) | nibble_thumb_register(second >> 8);
  }
}

/* 111x110: loads and stores of the floating-point and vector registers, moves of two words. */
static inline void nibble_thumb_vector_memory(unsigned first, unsigned second,
                                              nibble_decoded* insn) {
  int load = first >> 4 & 1;
  unsigned unit = second >> 8 & 15;
  insn->reads = nibble_thumb_register(first);
  if (unit >= 14) {
    insn->what = load ? nibble_class_vector_load : nibble_class_vector_store;
    /* Widening loads and those that gather or scatter have a base of three bits, or none. */
    return;
  }
  if (unit == 8) { /* VCMLA, VCADD */
    insn->what = nibble_class_vector_multiply;
    insn->reads = 0;
  } else if ((first & 0xffe0) == 0xec40) { /* VMOV of two integer registers */
    insn->what = nibble_class_fpu;
    insn->reads = load ? 0 : insn->reads | nibble_thumb_register(second >> 12);
  } else if ((first & 0x120) == 0x100) { /* VLDR, VSTR */
    int twice = unit == 11;
    insn->what = twice ? (load ? nibble_class_load_multiple : nibble_class_store_multiple)
                       : (load ? nibble_class_load : nibble_class_store);
    insn->words = twice ? 2 : 0;
  } else {
    insn->what = load ? nibble_class_load_multiple : nibble_class_store_multiple;
    insn->words = second & 0xff;
  }
}

/* 111x1110 and 111x1111 with the codes of Helium. */
static inline int nibble_thumb_vector_multiplies(unsigned first, unsigned second) {
  unsigned code = second >> 8 & 15;
  if ((first & 0xef00) == 0xef00) { /* three registers; with bit 7, shifts by a number */
    if (first & 0x80) return 0;
    return (code == 9 && (second & 0x50) == 0x50) || (code == 11 && (second & 0x50) == 0x40) ||
           (code == 12 && (second & 0x50) == 0x50) ||
           (code == 13 && (second & 0x50) == 0x50 && (first & 0x1000) != 0);
  }
  if (code == 14) {
    if ((first & 0x80) != 0) return 1;    /* VMLADAV and the like */
    if ((first & 0x31) == 0x31) return 0; /* moves that narrow */
    /* VBRSR */
    return !((first & 0x1001) == 0x1001 && (second & 0x1070) == 0x1060);
  }
  if (code != 15) return 0;
  if ((first & 0x80) == 0) /* VQDMULL, of two vectors or of a vector and a register */
    return (first & 0x31) == 0x30 && ((second & 0x51) == 0x01 || (second & 0x70) == 0x60);
  /* VMLADAV of bytes, VRMLALDAVH; not VADDV, VMAXV, VABAV. */
  return (first & 1) == 0 && (second & 0x51) == 0 && (first & 0x70) != 0x60;
}

/* 111x111x: arithmetic of the floating-point and vector units. */
static inline void nibble_thumb_vector_arithmetic(unsigned first, unsigned second,
                                                  nibble_decoded* insn) {
  unsigned unit = second >> 8 & 15;
  int moves = second >> 4 & 1;
  if ((first & 0xef00) != 0xee00 || unit < 9 || unit > 11) {
    insn->what = nibble_thumb_vector_multiplies(first, second) ? nibble_class_vector_multiply
                                                               : nibble_class_vector_other;
    return;
  }
  insn->what = nibble_class_fpu;
  if ((first & 0xff90) == 0xee80 && moves && unit == 11) { /* VDUP */
    insn->what = nibble_class_vector_other;
    insn->reads = nibble_thumb_register(second >> 12);
  } else if (moves) {
    insn->reads = first >> 4 & 1 ? 0 : nibble_thumb_register(second >> 12);
  } else if ((first & 0xffb0) == 0xee80 && (second & 0x40) == 0) {
    insn->what = nibble_class_fpu_divide;
  } else if ((first & 0xffbf) == 0xeeb1 && (second & 0xc0) == 0xc0) {
    insn->what = nibble_class_fpu_divide; /* VSQRT */
  }
}

static inline void nibble_thumb_wide(unsigned first, unsigned second, nibble_decoded* insn) {
  if ((first & 0xee00) == 0xec00) {
    nibble_thumb_vector_memory(first, second, insn);
  } else if ((first & 0xee00) == 0xee00) {
    nibble_thumb_vector_arithmetic(first, second, insn);
  } else if ((first & 0xfe00) == 0xe800) {
    nibble_thumb_several(first, second, insn);
  } else if ((first & 0xfe00) == 0xea00) {
    insn->reads = nibble_thumb_register(first) | nibble_thumb_register(second);
  } else if ((first & 0xf800) == 0xf000) {
    nibble_thumb_immediate(first, second, insn);
  } else if ((first & 0xfe00) == 0xf800) {
    nibble_thumb_memory(first, second, insn);
  } else if ((first & 0xff00) == 0xfa00) {
    insn->reads = nibble_thumb_register(first) | nibble_thumb_register(second);
  } else {
    nibble_thumb_multiply(first, second, insn);
  }
}

/* half: the instruction's one or two halves. */
static inline nibble_decoded nibble_decode_thumb(const uint16_t half[2]) {
  nibble_decoded insn = {nibble_class_alu, 0, 0, 0, 0, 0};
  if (half[0] >> 11 >= 29)
    nibble_thumb_wide(half[0], half[1], &insn);
  else
    nibble_thumb_narrow(half[0], &insn);
  return insn;
}

#endif
