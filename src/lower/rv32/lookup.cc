// Tables of s8 functions on RV32I: four instructions for an element, and a quarter of one.
#include "lower/scalar/lookup.h"

#include <algorithm>

namespace nibble {
namespace {

constexpr int kUnrolled = 16, kTogether = 4;

// Elements 0 to 15, then a0 src, a1 dst and a7, what is left, move on. a2 table.
void elements(Assembly& code, int count) {
  for (int first = 0; first < count; first += kTogether) {
    const int together = std::min(count - first, kTogether);
    for (int i = 0; i < together; ++i) code.op("lbu t{}, {}(a0)", i, first + i);
    for (int i = 0; i < together; ++i) code.op("add t{0}, t{0}, a2", i);
    for (int i = 0; i < together; ++i) code.op("lbu t{0}, 0(t{0})", i);
    for (int i = 0; i < together; ++i) code.op("sb t{}, {}(a1)", i, first + i);
  }
  for (int i = 0; i < 2; ++i) code.op("addi a{0}, a{0}, {1}", i, count);
  code.op("addi a7, a7, {}", -count);
}

// a3 rows, a4 and a5 the steps, a6 len.
Assembly body() {
  Assembly code;
  code.op("li t4, {}", kUnrolled);
  code.label(5);
  code.op("mv a7, a6");
  code.op("blt a7, t4, 2f");
  code.label(1);
  elements(code, kUnrolled);
  code.op("bge a7, t4, 1b");
  code.label(2);
  code.op("beqz a7, 4f");
  code.label(3);
  elements(code, 1);
  code.op("bnez a7, 3b");
  code.label(4);
  code.op("addi a3, a3, -1");
  code.op("beqz a3, 6f");
  code.op("add a0, a0, a4");
  code.op("add a1, a1, a5");
  code.op("j 5b");
  code.label(6);
  code.op("ret");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_lookup_s8_rv32(const LayerView& layer, const LowerOptions&) {
  return lookup_by_table(layer, {"rv32", "defined(__riscv) && __riscv_xlen == 32", body, 4.3, 4});
}

}  // namespace nibble
