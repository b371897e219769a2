// Products on ARMv7-M without the DSP extension: one element after the other, rescaled by the upper
// half of a 64-bit product.
#include "lower/scalar/mul.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 4;

// r4 r5 zero points, or r5 the other element less its own, r6 multiplier, r7 addend, r8 shift.
void element(Assembly& code, const MulText& text) {
  code.op("ldrsb r9, [r0], #1");
  if (!text.rhs_repeats) code.op("ldrsb r10, [r1], #1");
  code.op("sub r9, r9, r4");
  if (!text.rhs_repeats) code.op("sub r10, r10, r5");
  code.op("mul r9, r9, {}", text.rhs_repeats ? "r5" : "r10");
  if (!text.rhs_repeats) code.op("lsl r9, r9, #2");
  code.op("smull r12, r11, r9, r6");
  if (text.away) {
    code.op("asr r9, r9, #31");
    code.op("add r11, r11, r9, lsl #1");
  }
  code.op("add r11, r11, r7");
  code.op("asr r11, r11, r8");
  code.op("ssat r11, #8, r11");
  if (text.low > -128) {
    code.op("cmp r11, #{}", text.low);
    code.op("it lt");
    code.op("movlt r11, #{}", text.low);
  }
  if (text.high < 127) {
    code.op("cmp r11, #{}", text.high);
    code.op("it gt");
    code.op("movgt r11, #{}", text.high);
  }
  code.op("strb r11, [r2], #1");
}

Assembly body(const MulText& text) {
  Assembly code;
  code.op("push {{r4-r11, lr}}");
  code.op("ldm r3, {{r4-r6}}");
  code.op("ldrd r7, r8, [r3, #20]");
  code.op("ldr r3, [sp, #36]");
  if (text.rhs_repeats) {
    code.op("ldrsb r10, [r1]");
    code.op("sub r5, r10, r5");
    code.op("lsl r5, r5, #2");
  }
  code.op("subs r3, r3, #{}", kUnrolled);
  code.op("blt.w 2f");
  code.label(1);
  for (int i = 0; i < kUnrolled; ++i) element(code, text);
  code.op("subs r3, r3, #{}", kUnrolled);
  code.op("bge.w 1b");
  code.label(2);
  code.op("adds r3, r3, #{}", kUnrolled);
  code.op("beq.w 4f");
  code.label(3);
  element(code, text);
  code.op("subs r3, r3, #1");
  code.op("bne.w 3b");
  code.label(4);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_mul_s8_thumb2(const LayerView& layer, const LowerOptions&) {
  MulCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.body = body;
  core.words = high_product_words;
  core.least_exponent = -22;
  core.cycles_per_elem = 20;
  core.cycles_per_call = 45;
  return mul_rows(layer, core);
}

}  // namespace nibble
