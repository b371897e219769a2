// The inner function of the 16x8 scheme on ARMv6-M (lower/scalar/groups_s16.h): one pixel by eight
// channels. Weights plus 128 are bytes that an LDRB with its offset loads; what that adds to the
// sums, the frame takes off again. Accumulators lie in high registers, too, to which ADD may add:
// 51 instructions for 16 multiply-accumulates.
#include "lower/scalar/groups_s16.h"

namespace nibble {
namespace {

constexpr const char* kAccs[] = {"r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12"};
constexpr int kLanes = 8;

// r0 window, r1 weights, r2 sums; window_end on the stack.
GroupsKernel kernel() {
  GroupsKernel result;
  result.pixels = 1, result.lanes = kLanes;
  result.unsigned_weights = true;
  Assembly& code = result.body;
  code.op("push {{r2, r4-r7, lr}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 4 + i, 8 + i);
  code.op("push {{r4-r7}}");
  code.op("ldr r4, [sp, #40]");
  code.op("mov lr, r4");
  code.op("movs r4, #0");
  for (const char* acc : kAccs) code.op("mov {}, r4", acc);
  code.label(1);
  for (int pair = 0; pair < 2; ++pair) {
    code.op("ldr r2, [r0, #{}]", 4 * pair);
    code.op("sxth r3, r2");
    code.op("asrs r2, r2, #16");
    for (int tap = 0; tap < 2; ++tap)
      for (int lane = 0; lane < kLanes; ++lane) {
        code.op("ldrb r4, [r1, #{}]", (2 * pair + tap) * kLanes + lane);
        code.op("muls r4, {}, r4", tap == 0 ? "r3" : "r2");
        code.op("add {0}, {0}, r4", kAccs[lane]);
      }
  }
  code.op("adds r0, r0, #8");
  code.op("adds r1, r1, #32");
  code.op("cmp r0, lr");
  code.op("bne 1b");
  code.op("ldr r4, [sp, #16]");
  code.op("stmia r4!, {{r5-r7}}");
  for (int i = 0; i < 3; ++i) code.op("mov r{}, r{}", 5 + i, 8 + i);
  code.op("stmia r4!, {{r5-r7}}");
  for (int i = 0; i < 2; ++i) code.op("mov r{}, r{}", 5 + i, 11 + i);
  code.op("stmia r4!, {{r5, r6}}");
  code.op("pop {{r4-r7}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 8 + i, 4 + i);
  code.op("pop {{r2, r4-r7, pc}}");
  result.cycles_per_step = 2 * 4 + 32 * 4 + 5;
  result.cycles_per_call = 80;
  result.cycles_per_output = 35;
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_groups_s16_thumb(const LayerView& layer, const LowerOptions&) {
  GroupsCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.fit = {1800, 1.35};
  core.kernels = {kernel()};
  core.cycles_per_gathered = 4;
  core.bytes_per_instruction = 2;
  return groups_s16(layer, core);
}

}  // namespace nibble
