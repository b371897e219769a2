// add_s8 on ARMv6-M: fifteen instructions for an element, or twelve where the other
// operand is one element for all.
#include "lower/scalar/add.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 2;

// r0-r2 ends of src, rhs, dst, r3 index of the element, from below zero, r6 r7 factors, r8 addend,
// r9 r10 range.
void element(Assembly& code, const AddProducts& products) {
  code.op("ldrsb r4, [r0, r3]");
  if (!products.rhs_repeats) code.op("ldrsb r5, [r1, r3]");
  code.op("muls r4, r6, r4");
  if (!products.rhs_repeats) {
    code.op("muls r5, r7, r5");
    code.op("adds r4, r4, r5");
  }
  code.op("add r4, r8");
  code.op("asrs r4, r4, #{}", products.shift);
  code.op("cmp r4, r9");
  code.op("bge 8f");
  code.op("mov r4, r9");
  code.label(8);
  code.op("cmp r4, r10");
  code.op("ble 9f");
  code.op("mov r4, r10");
  code.label(9);
  code.op("strb r4, [r2, r3]");
  code.op("adds r3, r3, #1");
}

Assembly body(const AddProducts& products) {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  code.op("mov r4, r8");
  code.op("mov r5, r9");
  code.op("mov r6, r10");
  code.op("push {{r4-r6}}");
  code.op("ldr r4, [sp, #36]");
  code.op("mov r8, r4");
  code.op("movs r4, #{}", std::abs(products.low));
  if (products.low < 0) code.op("rsbs r4, r4, #0");
  code.op("mov r9, r4");
  code.op("movs r4, #{}", std::abs(products.high));
  if (products.high < 0) code.op("rsbs r4, r4, #0");
  code.op("mov r10, r4");
  code.op("movs r6, r3");
  code.op("ldr r7, [sp, #32]");
  if (products.rhs_repeats) {
    code.op("movs r4, #0");
    code.op("ldrsb r4, [r1, r4]");
    code.op("muls r4, r7, r4");
    code.op("add r8, r4");
  }
  code.op("ldr r3, [sp, #40]");
  code.op("adds r0, r0, r3");
  if (!products.rhs_repeats) code.op("adds r1, r1, r3");
  code.op("adds r2, r2, r3");
  code.op("rsbs r3, r3, #0");
  code.op("lsls r4, r3, #31");
  code.op("beq 1f");
  element(code, products);
  code.op("cmp r3, #0");
  code.op("beq 2f");
  code.label(1);
  for (int i = 0; i < kUnrolled; ++i) element(code, products);
  code.op("bne 1b");
  code.label(2);
  code.op("pop {{r4-r6}}");
  code.op("mov r8, r4");
  code.op("mov r9, r5");
  code.op("mov r10, r6");
  code.op("pop {{r4-r7, pc}}");
  return code;
}

AddCore core_of() {
  AddCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.body = body;
  core.cycles_per_elem = 20;
  core.bytes_per_instruction = 2;
  core.cycles_less_by_one = 4;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_add_s8_thumb(const LayerView& layer, const LowerOptions&) {
  return add_by_products(layer, core_of());
}

std::vector<KernelVariant> generate_add_broadcast_s8_thumb(const LayerView& layer,
                                                           const LowerOptions&) {
  return add_broadcast_by_products(layer, core_of());
}

}  // namespace nibble
