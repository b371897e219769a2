// Tables of s8 functions on cores with Helium: sixteen entries by one load whose offsets are the
// elements.
#include "lower/scalar/lookup.h"

namespace nibble {
namespace {

// r0 src, r1 dst, r2 table, r3 rows, r4 len, r5 and r6 the row's starts.
Assembly body() {
  Assembly code;
  code.op("push {{r4-r6, lr}}");
  code.op("ldr r4, [sp, #24]");
  code.label(5);
  code.op("mov r5, r0");
  code.op("mov r6, r1");
  code.op("dlstp.8 lr, r4");
  code.label(1);
  code.op("vldrb.u8 q0, [r0], #16");
  code.op("vldrb.u8 q1, [r2, q0]");
  code.op("vstrb.8 q1, [r1], #16");
  code.op("letp lr, 1b");
  code.op("subs r3, r3, #1");
  code.op("beq 6f");
  code.op("ldrd r0, r1, [sp, #16]");
  code.op("add r5, r5, r4");
  code.op("add r6, r6, r4");
  code.op("add r0, r0, r5");
  code.op("add r1, r1, r6");
  code.op("b 5b");
  code.label(6);
  code.op("pop {{r4-r6, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_lookup_s8_mve(const LayerView& layer, const LowerOptions&) {
  // An entry at a time, and what is beside it.
  constexpr double kCyclesPerElem = 1.3;
  return lookup_by_table(layer, {"mve", "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)",
                                 body, kCyclesPerElem, 4});
}

}  // namespace nibble
