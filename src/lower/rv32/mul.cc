// Products on RV32IM: one element after the other, rescaled by the upper half of a 64-bit product.
#include "lower/scalar/mul.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 4;

// a0 src, a1 rhs, a2 dst, a4 elements that are left, a5 a6 zero points, or a6 the other element
// less its own, a7 multiplier, t4 addend, t5 shift, t2 t3 range.
void elements(Assembly& code, const MulText& text, int count) {
  for (int i = 0; i < count; ++i) {
    code.op("lb t0, {}(a0)", i);
    if (!text.rhs_repeats) code.op("lb t1, {}(a1)", i);
    code.op("sub t0, t0, a5");
    if (!text.rhs_repeats) code.op("sub t1, t1, a6");
    code.op("mul t0, t0, {}", text.rhs_repeats ? "a6" : "t1");
    if (!text.rhs_repeats) code.op("slli t0, t0, 2");
    code.op("mulh t1, t0, a7");
    if (text.away) {
      code.op("srai t0, t0, 31");
      code.op("slli t0, t0, 1");
      code.op("add t1, t1, t0");
    }
    code.op("add t1, t1, t4");
    code.op("sra t1, t1, t5");
    code.op("bge t1, t2, 8f");
    code.op("mv t1, t2");
    code.label(8);
    code.op("ble t1, t3, 9f");
    code.op("mv t1, t3");
    code.label(9);
    code.op("sb t1, {}(a2)", i);
  }
  code.op("addi a0, a0, {}", count);
  if (!text.rhs_repeats) code.op("addi a1, a1, {}", count);
  code.op("addi a2, a2, {}", count);
  code.op("addi a4, a4, {}", -count);
}

Assembly body(const MulText& text) {
  Assembly code;
  code.op("lw a5, 0(a3)");
  code.op("lw a6, 4(a3)");
  code.op("lw a7, 8(a3)");
  code.op("lw t4, 20(a3)");
  code.op("lw t5, 24(a3)");
  code.op("li t2, {}", text.low);
  code.op("li t3, {}", text.high);
  code.op("li a3, {}", kUnrolled);
  if (text.rhs_repeats) {
    code.op("lb t1, 0(a1)");
    code.op("sub a6, t1, a6");
    code.op("slli a6, a6, 2");
  }
  code.op("blt a4, a3, 2f");
  code.label(1);
  elements(code, text, kUnrolled);
  code.op("bge a4, a3, 1b");
  code.label(2);
  code.op("beqz a4, 4f");
  code.label(3);
  elements(code, text, 1);
  code.op("bnez a4, 3b");
  code.label(4);
  code.op("ret");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_mul_s8_rv32(const LayerView& layer, const LowerOptions&) {
  MulCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.body = body;
  core.words = high_product_words;
  core.least_exponent = -22;
  core.cycles_per_elem = 18;
  return mul_rows(layer, core);
}

}  // namespace nibble
