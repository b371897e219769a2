// add_s8 on ARMv7-M without the DSP extension: seven instructions for an element, or
// five where the other operand is one element for all.
#include "lower/scalar/add.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 4;

// r0 src, r1 rhs, r2 dst, r3 r4 factors, r5 addend, r6 elements that are left.
void element(Assembly& code, const AddProducts& products) {
  code.op("ldrsb r7, [r0], #1");
  if (!products.rhs_repeats) code.op("ldrsb r8, [r1], #1");
  code.op("mla r7, r7, r3, r5");
  if (!products.rhs_repeats) code.op("mla r7, r8, r4, r7");
  code.op("ssat r7, #8, r7, asr #{}", products.shift);
  if (products.low > -128) {
    code.op("cmp r7, #{}", products.low);
    code.op("it lt");
    code.op("movlt r7, #{}", products.low);
  }
  if (products.high < 127) {
    code.op("cmp r7, #{}", products.high);
    code.op("it gt");
    code.op("movgt r7, #{}", products.high);
  }
  code.op("strb r7, [r2], #1");
}

Assembly body(const AddProducts& products) {
  Assembly code;
  code.op("push {{r4-r8, lr}}");
  code.op("ldrd r4, r5, [sp, #24]");
  code.op("ldr r6, [sp, #32]");
  if (products.rhs_repeats) {
    code.op("ldrsb r1, [r1]");
    code.op("mla r5, r1, r4, r5");
  }
  code.op("subs r6, r6, #{}", kUnrolled);
  code.op("blt.w 2f");
  code.label(1);
  for (int i = 0; i < kUnrolled; ++i) element(code, products);
  code.op("subs r6, r6, #{}", kUnrolled);
  code.op("bge.w 1b");
  code.label(2);
  code.op("adds r6, r6, #{}", kUnrolled);
  code.op("beq.w 4f");
  code.label(3);
  element(code, products);
  code.op("subs r6, r6, #1");
  code.op("bne.w 3b");
  code.label(4);
  code.op("pop {{r4-r8, pc}}");
  return code;
}

AddCore core_of() {
  AddCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.body = body;
  core.cycles_per_elem = 2 + 2 + 2 + 2 + 1 + 2 + 1;
  core.cycles_less_by_one = 2 + 2;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_add_s8_thumb2(const LayerView& layer, const LowerOptions&) {
  return add_by_products(layer, core_of());
}

std::vector<KernelVariant> generate_add_broadcast_s8_thumb2(const LayerView& layer,
                                                            const LowerOptions&) {
  return add_broadcast_by_products(layer, core_of());
}

}  // namespace nibble
