// quantize_f32_s8 on cores with Helium and its floats, four elements at once, without a division
// (lower/scalar/float_steps.h). What is not a number converts to 0.

#include "lower/scalar/float_steps.h"

namespace nibble {
namespace {

// r0 src, r1 dst, r2 and r3 the inverse, r4 the zero point.
Assembly body(int low, int high) {
  Assembly code;
  code.op("push {{r4-r6, lr}}");
  code.op("ldr r4, [sp, #16]");
  code.op("ldr r5, [sp, #24]");
  if (low < 0)
    code.op("mvn r6, #{}", -1 - low);
  else
    code.op("mov r6, #{}", low);
  code.op("vdup.32 q2, r6");
  if (high < 0)
    code.op("mvn r6, #{}", -1 - high);
  else
    code.op("mov r6, #{}", high);
  code.op("vdup.32 q3, r6");
  code.op("dlstp.32 lr, r5");
  code.label(1);
  code.op("vldrw.u32 q0, [r0], #16");
  code.op("vmul.f32 q1, q0, r3");
  code.op("vfma.f32 q1, q0, r2");
  code.op("vcvta.s32.f32 q1, q1");
  code.op("vqadd.s32 q1, q1, r4");
  code.op("vmax.s32 q1, q1, q2");
  code.op("vmin.s32 q1, q1, q3");
  code.op("vstrb.32 q1, [r1], #4");
  code.op("letp lr, 1b");
  code.op("pop {{r4-r6, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_quantize_f32_s8_mve(const LayerView& layer,
                                                        const LowerOptions&) {
  return quantize_by_inverse(
      layer, {"mve", "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)", body, 4, 5});
}

}  // namespace nibble
