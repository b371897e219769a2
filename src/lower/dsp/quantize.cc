// quantize_f32_s8 on Cortex-M4 and its like with a float unit, without a division
// (lower/scalar/float_steps.h).
//
// The quotient becomes an integer i of 16 fractional bits, cut off towards zero, and saturated;
// what is not a number becomes 0. Then (i + 2^15 - (i < 0)) >> 16 is the nearest integer, ties away
// from zero: n = -i of a negative one has to become -floor((n + 2^15) / 2^16), which is floor((i +
// 2^15 - 1) / 2^16). The zero point goes with 2^15.
#include "lower/scalar/float_steps.h"

namespace nibble {
namespace {

constexpr int kTogether = 4;

// r3 is the addend; r4 to r7 and r12 are free.
void elements(Assembly& code, int count, int low, int high) {
  for (int i = 0; i < count; ++i) code.op("vldr s{}, [r0, #{}]", i, 4 * i);
  for (int i = 0; i < count; ++i) code.op("vmul.f32 s{}, s{}, s9", 4 + i, i);
  for (int i = 0; i < count; ++i) code.op("vfma.f32 s{}, s{}, s8", 4 + i, i);
  for (int i = 0; i < count; ++i) code.op("vcvt.s32.f32 s{0}, s{0}, #16", 4 + i);
  for (int i = 0; i < count; ++i) code.op("vmov r{}, s{}", 4 + i, 4 + i);
  for (int i = 0; i < count; ++i) {
    code.op("add r12, r3, r{}, asr #31", 4 + i);
    code.op("qadd r{0}, r{0}, r12", 4 + i);
    code.op("ssat r{0}, #8, r{0}, asr #16", 4 + i);
    if (low > -128) {
      code.op("cmp r{}, #{}", 4 + i, low);
      code.op("it lt");
      code.op("movlt r{}, #{}", 4 + i, low);
    }
    if (high < 127) {
      code.op("cmp r{}, #{}", 4 + i, high);
      code.op("it gt");
      code.op("movgt r{}, #{}", 4 + i, high);
    }
    code.op("strb r{}, [r1], #1", 4 + i);
  }
  code.op("add r0, r0, #{}", 4 * count);
}

// r0 src, r1 dst, r2 elements that are left, s8 and s9 the inverse.
Assembly body(int low, int high) {
  Assembly code;
  code.op("push {{r4-r7}}");
  code.op("vmov s8, r2");
  code.op("vmov s9, r3");
  code.op("ldr r3, [sp, #16]");
  code.op("ldr r2, [sp, #24]");
  code.op("lsl r3, r3, #16");
  code.op("add r3, r3, #0x8000");
  code.op("subs r2, r2, #{}", kTogether);
  code.op("blt.w 2f");
  code.label(1);
  elements(code, kTogether, low, high);
  code.op("subs r2, r2, #{}", kTogether);
  code.op("bge.w 1b");
  code.label(2);
  code.op("adds r2, r2, #{}", kTogether);
  code.op("beq.w 4f");
  code.label(3);
  elements(code, 1, low, high);
  code.op("subs r2, r2, #1");
  code.op("bne.w 3b");
  code.label(4);
  code.op("pop {{r4-r7}}");
  code.op("bx lr");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_quantize_f32_s8_dsp(const LayerView& layer,
                                                        const LowerOptions&) {
  return quantize_by_inverse(layer, {"dsp",
                                     "defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && "
                                     "defined(__ARM_FP) && (__ARM_FP & 4)",
                                     body, kTogether, 13});
}

}  // namespace nibble
