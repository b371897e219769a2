// Tables of s8 functions on ARMv6-M: three instructions for an element, and a quarter of one.
#include "lower/scalar/lookup.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 16, kTogether = 4;

// r0 src, r1 dst, r2 table, r3 elements that are left, r12 rows.
Assembly body() {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  code.op("mov r12, r3");
  code.label(5);
  code.op("ldr r3, [sp, #28]");
  code.op("subs r3, r3, #{}", kUnrolled);
  code.op("blt 2f");
  code.label(1);
  for (int first = 0; first < kUnrolled; first += kTogether) {
    for (int i = 0; i < kTogether; ++i) code.op("ldrb r{}, [r0, #{}]", 4 + i, first + i);
    for (int i = 0; i < kTogether; ++i) code.op("ldrb r{0}, [r2, r{0}]", 4 + i);
    for (int i = 0; i < kTogether; ++i) code.op("strb r{}, [r1, #{}]", 4 + i, first + i);
  }
  for (int i = 0; i < 2; ++i) code.op("adds r{0}, r{0}, #{1}", i, kUnrolled);
  code.op("subs r3, r3, #{}", kUnrolled);
  code.op("bge 1b");
  code.label(2);
  code.op("adds r3, r3, #{}", kUnrolled);
  code.op("beq 4f");
  code.label(3);
  code.op("ldrb r4, [r0]");
  code.op("ldrb r4, [r2, r4]");
  code.op("strb r4, [r1]");
  for (int i = 0; i < 2; ++i) code.op("adds r{0}, r{0}, #1", i);
  code.op("subs r3, r3, #1");
  code.op("bne 3b");
  code.label(4);
  code.op("mov r4, r12");
  code.op("subs r4, r4, #1");
  code.op("beq 6f");
  code.op("mov r12, r4");
  code.op("ldr r4, [sp, #20]");
  code.op("adds r0, r0, r4");
  code.op("ldr r4, [sp, #24]");
  code.op("adds r1, r1, r4");
  code.op("b 5b");
  code.label(6);
  code.op("pop {{r4-r7, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_lookup_s8_thumb(const LayerView& layer, const LowerOptions&) {
  return lookup_by_table(layer, {"thumb", "defined(__thumb__)", body, 6.5, 2});
}

}  // namespace nibble
