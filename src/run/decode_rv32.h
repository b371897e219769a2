/* RV32IMAFDC and the vector extension, as far as a mix asks. Encodings: RISC-V Unprivileged ISA
   20191213, chapters 24 (tables) and 16 (compressed); Vector Extension 1.0, sections 7, 10 to 12.
   C and C++. */
#ifndef NIBBLE_RUN_DECODE_RV32_H
#define NIBBLE_RUN_DECODE_RV32_H

#include "run/decoded.h"

/* Register 0 is never waited for. */
static inline uint32_t nibble_rv32_register(unsigned number) {
  number &= 31;
  return number == 0 ? 0 : (uint32_t)1 << number;
}

/* The eight registers of three bits. */
static inline uint32_t nibble_rv32_short(unsigned number) {
  return (uint32_t)1 << (8 + (number & 7));
}

static inline void nibble_rv32_load(nibble_decoded* insn, uint32_t base, uint32_t data) {
  insn->what = nibble_class_load;
  insn->reads = base;
  insn->loads = data;
}

static inline void nibble_rv32_store(nibble_decoded* insn, uint32_t base, uint32_t data) {
  insn->what = nibble_class_store;
  insn->reads = base | data;
}

static inline void nibble_rv32_jump(nibble_decoded* insn, uint32_t reads) {
  insn->what = nibble_class_branch;
  insn->reads = reads;
}

/* Quadrant 1 of the compressed ones: small numbers, arithmetic, jumps. */
static inline void nibble_rv32_compressed_arithmetic(unsigned code, nibble_decoded* insn) {
  uint32_t full = nibble_rv32_register(code >> 7), low = nibble_rv32_short(code >> 7);
  switch (code >> 13) {
    case 0: /* C.ADDI */
      insn->reads = full;
      break;
    case 1: /* C.JAL, C.J */
    case 5:
      nibble_rv32_jump(insn, 0);
      break;
    case 3: /* C.ADDI16SP; C.LUI */
      insn->reads = (code >> 7 & 31) == 2 ? full : 0;
      break;
    case 4:
      insn->reads = low | ((code >> 10 & 3) == 3 ? nibble_rv32_short(code >> 2) : 0);
      break;
    case 6: /* C.BEQZ, C.BNEZ */
    case 7:
      nibble_rv32_jump(insn, low);
      break;
    default: /* C.LI */
      break;
  }
}

static inline void nibble_rv32_compressed(unsigned code, nibble_decoded* insn) {
  unsigned op = code >> 13, quadrant = code & 3;
  uint32_t full = nibble_rv32_register(code >> 7), stack = nibble_rv32_register(2);
  uint32_t second = nibble_rv32_register(code >> 2);
  if (quadrant == 1) {
    nibble_rv32_compressed_arithmetic(code, insn);
  } else if (quadrant == 0) {
    uint32_t base = nibble_rv32_short(code >> 7), data = nibble_rv32_short(code >> 2);
    /* 2: C.LW, 6: C.SW; the others are of floating point. */
    if (op == 0) insn->reads = stack;
    if (op >= 1 && op <= 3) nibble_rv32_load(insn, base, op == 2 ? data : 0);
    if (op >= 5) nibble_rv32_store(insn, base, op == 6 ? data : 0);
  } else if (op == 0) { /* C.SLLI */
    insn->reads = full;
  } else if (op <= 3) {
    nibble_rv32_load(insn, stack, op == 2 ? full : 0);
  } else if (op >= 5) {
    nibble_rv32_store(insn, stack, op == 6 ? second : 0);
  } else if (second == 0) { /* C.JR, C.JALR; C.EBREAK */
    if (full != 0) nibble_rv32_jump(insn, full);
  } else { /* C.MV, C.ADD */
    insn->reads = second | (code >> 12 & 1 ? full : 0);
  }
}

/* OP-V: arithmetic by the kind of its operands (width) and funct6. */
static inline void nibble_rv32_vector(uint32_t code, nibble_decoded* insn) {
  unsigned width = code >> 12 & 7, op = code >> 26;
  uint32_t scalar = nibble_rv32_register(code >> 15);
  if (width == 7) { /* VSETVLI, VSETIVLI; VSETVL has its type in a register */
    unsigned lmul = code >> 20 & 7;
    insn->reads = code >> 30 == 3 ? 0 : scalar;
    insn->sets_lmul = code >> 30 == 2 || lmul > 3 ? 1 : 1u << lmul;
    return;
  }
  insn->what = nibble_class_vector_other;
  if (width == 4 || width == 6) insn->reads = scalar;
  if (width == 2 || width == 6) { /* VMUL, VMADD, VMACC, VWMUL, VWMACC */
    if ((op >= 0x24 && op <= 0x27) || op >= 0x38 || (op >= 0x29 && op <= 0x2f && (op & 1) == 1))
      insn->what = nibble_class_vector_multiply;
  } else if (width == 1 || width == 5) { /* VFMUL, fused ones, VFWMUL */
    if (op == 0x24 || (op >= 0x28 && op <= 0x2f) || op == 0x38 || op >= 0x3c)
      insn->what = nibble_class_vector_multiply;
  } else if ((width == 0 || width == 4) && op == 0x27) { /* VSMUL */
    insn->what = nibble_class_vector_multiply;
  }
}

/* LOAD-FP and STORE-FP are those of the vectors, too, told apart by the width. */
static inline int nibble_rv32_is_scalar_width(uint32_t code) {
  unsigned width = code >> 12 & 7;
  return width >= 1 && width <= 4;
}

static inline void nibble_rv32_full(uint32_t code, nibble_decoded* insn) {
  uint32_t first = nibble_rv32_register(code >> 15), second = nibble_rv32_register(code >> 20);
  unsigned kind = code >> 12 & 7, function = code >> 25;
  switch (code & 0x7f) {
    case 0x03:
      nibble_rv32_load(insn, first, nibble_rv32_register(code >> 7));
      break;
    case 0x23:
      nibble_rv32_store(insn, first, second);
      break;
    case 0x07:
      nibble_rv32_load(insn, first, 0);
      if (!nibble_rv32_is_scalar_width(code)) insn->what = nibble_class_vector_load;
      break;
    case 0x27:
      nibble_rv32_store(insn, first, 0);
      if (!nibble_rv32_is_scalar_width(code)) insn->what = nibble_class_vector_store;
      break;
    case 0x13:
      insn->reads = first;
      break;
    case 0x33:
      insn->reads = first | second;
      if (function == 1)
        insn->what = kind == 0  ? nibble_class_multiply
                     : kind < 4 ? nibble_class_multiply_long
                                : nibble_class_divide;
      break;
    case 0x63:
      nibble_rv32_jump(insn, first | second);
      break;
    case 0x67:
      nibble_rv32_jump(insn, first);
      break;
    case 0x6f:
      nibble_rv32_jump(insn, 0);
      break;
    case 0x2f: /* atomic ones; SC stores */
      if (code >> 27 == 3)
        nibble_rv32_store(insn, first, second);
      else
        nibble_rv32_load(insn, first | second, nibble_rv32_register(code >> 7));
      break;
    case 0x43:
    case 0x47:
    case 0x4b:
    case 0x4f:
      insn->what = nibble_class_fpu;
      break;
    case 0x53: /* FDIV, FSQRT of any precision */
      insn->what =
          function >> 2 == 3 || function >> 2 == 11 ? nibble_class_fpu_divide : nibble_class_fpu;
      break;
    case 0x57:
      nibble_rv32_vector(code, insn);
      break;
    default: /* LUI, AUIPC, fences, system */
      break;
  }
}

/* half: the instruction's one or two halves. */
static inline nibble_decoded nibble_decode_rv32(const uint16_t half[2]) {
  nibble_decoded insn = {nibble_class_alu, 0, 0, 0, 0, 0};
  if ((half[0] & 3) == 3)
    nibble_rv32_full(half[0] | (uint32_t)half[1] << 16, &insn);
  else
    nibble_rv32_compressed(half[0], &insn);
  return insn;
}

#endif
