// The inner functions of the 16x8 scheme on cores with Thumb-2 (lower/scalar/groups_s16.h): two
// pixels by four channels, 14 instructions for 8 multiply-accumulates, or one pixel by eight
// channels, 17 for 8.
#include "lower/scalar/groups_s16.h"

namespace nibble {
namespace {

constexpr int kAcc = 4;  // r4 is the first accumulator, of eight

// r0 window, r1 weights, r2 sums, r3 pitch; window_end on the stack.
GroupsKernel kernel(int pixels) {
  GroupsKernel result;
  result.pixels = pixels, result.lanes = 8 / pixels;
  Assembly& code = result.body;
  code.op("push {{r2, r4-r11, lr}}");
  for (int acc = 0; acc < 8; ++acc) code.op("mov r{}, #0", kAcc + acc);
  if (pixels == 2)
    code.op("add r3, r3, r0");
  else
    code.op("ldr r3, [sp, #40]");
  code.label(1);
  Assembly round;
  for (int tap = 0; tap < 4; ++tap) {
    round.op("ldrsh r12, [r0], #2");
    if (pixels == 2) round.op("ldrsh lr, [r3], #2");
    for (int lane = 0; lane < result.lanes; ++lane) {
      round.op("ldrsb r2, [r1], #1");
      round.op("mla r{0}, r12, r2, r{0}", kAcc + lane);
      if (pixels == 2) round.op("mla r{0}, lr, r2, r{0}", kAcc + result.lanes + lane);
    }
  }
  if (pixels == 2) {
    round.op("ldr r2, [sp, #40]");
    round.op("cmp r0, r2");
  } else {
    round.op("cmp r0, r3");
  }
  round.op("bne.w 1b");
  code.append(round);
  code.op("ldr r2, [sp]");
  code.op("stmia r2, {{r4-r11}}");
  code.op("pop {{r2, r4-r11, pc}}");
  // Loads take two cycles, a multiply-accumulate two.
  result.cycles_per_step = pixels == 2 ? 4 * (12 + 16) + 6 : 4 * (18 + 16) + 4;
  result.cycles_per_call = 60;
  result.cycles_per_output = 18;
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_groups_s16_thumb2(const LayerView& layer, const LowerOptions&) {
  GroupsCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.fit = {1000, 1};
  core.kernels = {kernel(2), kernel(1)};
  core.cycles_per_gathered = 1.5;
  return groups_s16(layer, core);
}

}  // namespace nibble
