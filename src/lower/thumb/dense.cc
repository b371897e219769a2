// Blocks of four outputs of a dense layer (kernels/dense/dense_s8_sums.h) on ARMv6-M, accumulators
// in the upper registers: nine instructions for four taps of an output.
#include "lower/scalar/dense.h"

#include "lower/thumb/rescale.h"

namespace nibble {
namespace {

constexpr int kLanes = 4;
// On the stack: starts, then the argument.
constexpr int kArgument = 16;

// r0 x, r1 weights, r2 q, r3 r4 words of the source, r5 mask, r6 r7 weights, r8-r11 accumulators.
void sum(Assembly& code) {
  code.op("ldmia r0!, {{r2-r4}}");
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("ldmia r1!, {{r6}}");
    code.op("lsrs r7, r6, #8");
    code.op("ands r7, r7, r5");
    code.op("muls r6, r3, r6");
    code.op("muls r7, r4, r7");
    code.op("adds r6, r6, r7");
    code.op("adds r6, r6, r2");
    code.op("asrs r6, r6, #16");
    code.op("add r{}, r6", 8 + lane);
  }
}

// The start values and extras to the accumulators; r0 is the argument.
void starts(Assembly& code) {
  code.op("ldr r1, [r0, #{}]", kDenseStartLow);
  code.op("ldr r2, [r0, #{}]", kDenseStartHigh);
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("movs r4, #{}", lane);
    code.op("ldrsb r4, [r2, r4]");
    code.op("ldrh r3, [r1, #{}]", 2 * lane);
    code.op("lsls r4, r4, #16");
    code.op("adds r3, r3, r4");
    code.op("str r3, [sp, #{}]", 4 * lane);
  }
  code.op("adds r1, r1, #{}", 2 * kLanes);
  code.op("adds r2, r2, #{}", kLanes);
  code.op("str r1, [r0, #{}]", kDenseStartLow);
  code.op("str r2, [r0, #{}]", kDenseStartHigh);
  code.op("ldr r1, [r0, #{}]", kDenseExtras);
  code.label(2);
  code.op("ldr r2, [r1]");
  code.op("ldr r3, [r0, #{}]", kDenseBlock);
  code.op("lsls r4, r2, #6");
  code.op("lsrs r4, r4, #6");
  code.op("cmp r4, r3");
  code.op("bne 3f");
  code.op("ldr r3, [r0, #{}]", kDenseX);
  code.op("ldr r4, [r1, #4]");
  code.op("adds r1, r1, #8");
  code.op("uxth r5, r4");
  code.op("adds r3, r3, r5");
  code.op("ldr r5, [r3]");
  code.op("ldr r6, [r3, #4]");
  code.op("lsls r3, r5, #8");
  code.op("adds r6, r6, r3");
  code.op("sxth r5, r5");
  code.op("sxth r6, r6");
  code.op("asrs r3, r4, #24");
  code.op("muls r6, r3, r6");
  code.op("lsls r4, r4, #8");
  code.op("asrs r4, r4, #24");
  code.op("muls r5, r4, r5");
  code.op("adds r5, r5, r6");
  code.op("lsrs r2, r2, #26");
  code.op("lsls r2, r2, #2");
  code.op("add r2, sp");
  code.op("ldr r3, [r2]");
  code.op("adds r3, r3, r5");
  code.op("str r3, [r2]");
  code.op("b 2b");
  code.label(3);
  code.op("adds r3, r3, #1");
  code.op("str r3, [r0, #{}]", kDenseBlock);
  code.op("str r1, [r0, #{}]", kDenseExtras);
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("ldr r3, [sp, #{}]", 4 * lane);
    code.op("mov r{}, r3", 8 + lane);
  }
}

Assembly blocks(const DenseBlocks& dense) {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 4 + i, 8 + i);
  code.op("push {{r4-r7}}");
  code.op("push {{r0}}");
  code.op("sub sp, sp, #{}", kArgument);
  code.label(1);
  code.op("ldr r0, [sp, #{}]", kArgument);
  starts(code);
  code.op("movs r5, #0xff");
  code.op("lsls r4, r5, #16");
  code.op("orrs r5, r5, r4");
  code.op("ldr r1, [r0, #{}]", kDenseWeights);
  code.op("ldr r2, [r0, #{}]", kDenseSums);
  code.op("ldr r0, [r0, #{}]", kDenseX);
  code.op("movs r3, #12");
  code.op("muls r3, r2, r3");
  code.op("adds r3, r3, r0");
  code.op("mov r12, r3");
  code.op("lsls r2, r2, #31");
  code.op("beq 4f");
  sum(code);
  code.op("cmp r0, r12");
  code.op("beq 5f");
  code.label(4);
  for (int i = 0; i < 2; ++i) sum(code);
  code.op("cmp r0, r12");
  code.op("bne 4b");
  code.label(5);
  code.op("ldr r0, [sp, #{}]", kArgument);
  code.op("str r1, [r0, #{}]", kDenseWeights);
  code.op("ldr r1, [r0, #{}]", kDenseRescale);
  code.op("ldr r7, [r0, #{}]", kDenseDst);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (dense.uniform && lane > 0) code.op("ldr r1, [r0, #{}]", kDenseRescale);
    code.op("mov r6, r{}", 8 + lane);
    rescale_thumb(code, dense.stage, 6);
    code.op("strb r2, [r7, #{}]", lane);
  }
  code.op("adds r7, r7, #{}", kLanes);
  code.op("str r7, [r0, #{}]", kDenseDst);
  if (!dense.uniform) code.op("str r1, [r0, #{}]", kDenseRescale);
  code.op("ldr r2, [r0, #{}]", kDenseBlocks);
  code.op("subs r2, r2, #1");
  code.op("str r2, [r0, #{}]", kDenseBlocks);
  code.op("beq 6f");
  code.op("b 1b");
  code.label(6);
  code.op("add sp, sp, #{}", kArgument + 4);
  code.op("pop {{r4-r7}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 8 + i, 4 + i);
  code.op("pop {{r4-r7, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_dense_s8_thumb(const LayerView& layer, const LowerOptions&) {
  DenseCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.fit = {250, 1.35};
  core.lanes = kLanes;
  core.groups = {1};
  core.blocks = blocks;
  core.forms = kThumbForms;
  core.cycles_of_form = rescale_cycles_thumb;
  core.per_group = 10;
  core.per_sum = 6;
  core.per_output = 25;
  core.bytes_per_instruction = 2;
  return dense_by_sums(layer, core);
}

}  // namespace nibble
