// Tables of s8 functions on ARMv7-M: three instructions for an element, loads side by side.
#include "lower/scalar/lookup.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 16, kTogether = 8;

// r0 src, r1 dst, r2 table, r3 rows, r12 len, lr elements that are left.
Assembly body() {
  Assembly code;
  code.op("push {{r4-r11, lr}}");
  code.op("ldr r12, [sp, #44]");
  code.label(5);
  code.op("subs lr, r12, #{}", kUnrolled);
  code.op("blt.w 2f");
  code.label(1);
  for (int group = 0; group < kUnrolled / kTogether; ++group) {
    for (int i = 0; i < kTogether; ++i) code.op("ldrb r{}, [r0], #1", 4 + i);
    for (int i = 0; i < kTogether; ++i) code.op("ldrb r{0}, [r2, r{0}]", 4 + i);
    for (int i = 0; i < kTogether; ++i) code.op("strb r{}, [r1], #1", 4 + i);
  }
  code.op("subs lr, lr, #{}", kUnrolled);
  code.op("bge.w 1b");
  code.label(2);
  code.op("adds lr, lr, #{}", kUnrolled);
  code.op("beq 4f");
  code.label(3);
  code.op("ldrb r4, [r0], #1");
  code.op("ldrb r4, [r2, r4]");
  code.op("strb r4, [r1], #1");
  code.op("subs lr, lr, #1");
  code.op("bne 3b");
  code.label(4);
  code.op("subs r3, r3, #1");
  code.op("beq 6f");
  code.op("ldrd r4, r5, [sp, #36]");
  code.op("add r0, r0, r4");
  code.op("add r1, r1, r5");
  code.op("b.w 5b");
  code.label(6);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_lookup_s8_thumb2(const LayerView& layer, const LowerOptions&) {
  return lookup_by_table(layer, {"thumb2", "defined(__thumb2__)", body, 3.6, 4});
}

}  // namespace nibble
