// Tables of s8 functions on cores with RISC-V vectors: eight registers of entries by one load whose
// offsets are the elements.
#include "lower/scalar/lookup.h"

namespace nibble {
namespace {

// a0 src, a1 dst, a2 table, a3 rows, a4 and a5 the steps, a6 len, a7 what is left of it.
Assembly body() {
  Assembly code;
  code.label(5);
  code.op("mv a7, a6");
  code.label(1);
  code.op("vsetvli t0, a7, e8, m8, ta, ma");
  code.op("vle8.v v0, (a0)");
  code.op("vluxei8.v v8, (a2), v0");
  code.op("vse8.v v8, (a1)");
  code.op("add a0, a0, t0");
  code.op("add a1, a1, t0");
  code.op("sub a7, a7, t0");
  code.op("bnez a7, 1b");
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

std::vector<KernelVariant> generate_lookup_s8_rvv(const LayerView& layer, const LowerOptions&) {
  // Executed instructions, as of all functions for these vectors.
  return lookup_by_table(layer, {"rvv", "defined(__riscv_v)", body, 8.0 / 128, 4});
}

}  // namespace nibble
