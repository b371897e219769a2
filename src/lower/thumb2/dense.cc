// Blocks of two outputs of a dense layer (kernels/dense/dense_s8_sums.h) on ARMv7-M without the DSP
// extension: for four taps of an output AND, MLA, MLA, and for each sum ADD.
#include "lower/scalar/dense.h"

#include "lower/thumb2/rescale.h"

namespace nibble {
namespace {

constexpr int kLanes = 2;
// On the stack: the sums of starts and extras, the argument.
constexpr int kStarts = 0, kArgument = 8, kFrameBytes = 12;

// r0 x, r1 weights, r2 q, r3-r6 words of the source, r7 r8 weights, r9 their odd bytes, r10 r11
// accumulators, r12 mask.
void sum(Assembly& code, int groups) {
  code.op("ldmia r0!, {{r2-r{}}}", 2 + 2 * groups);
  if (groups == 1) code.op("ldmia r1!, {{r7, r8}}");
  for (int lane = 0; lane < kLanes; ++lane) {
    int product = groups == 1 ? 7 + lane : 7;
    if (groups == 2) code.op("ldmia r1!, {{r7, r8}}");
    for (int group = 0; group < groups; ++group) {
      code.op("and r9, r12, r{}, lsr #8", product + group);
      code.op("mla r{0}, r{1}, r{2}, r{3}", product, product + group, 3 + 2 * group,
              group == 0 ? 2 : product);
      code.op("mla r{0}, r9, r{1}, r{0}", product, 4 + 2 * group);
    }
    code.op("add r{0}, r{0}, r{1}, asr #16", 10 + lane, product);
  }
}

// The start values to the stack, the extras added; lr is the argument.
void starts(Assembly& code) {
  code.op("add r0, lr, #{}", kDenseStartLow);
  code.op("ldmia r0, {{r1-r4}}");
  code.op("ldrh r5, [r1], #2");
  code.op("ldrh r6, [r1], #2");
  code.op("ldrsb r7, [r2], #1");
  code.op("ldrsb r8, [r2], #1");
  code.op("add r10, r5, r7, lsl #16");
  code.op("add r11, r6, r8, lsl #16");
  code.op("ldr r5, [r3]");
  code.op("bic r6, r5, #0xfc000000");
  code.op("cmp r6, r4");
  code.op("bne 3f");
  code.op("strd r10, r11, [sp, #{}]", kStarts);
  code.label(2);
  code.op("ldr r6, [lr, #{}]", kDenseX);
  code.op("ldr r7, [r3, #4]");
  code.op("add r3, r3, #8");
  code.op("uxth r8, r7");
  code.op("add r6, r6, r8");
  code.op("ldrd r8, r9, [r6]");
  code.op("add r9, r9, r8, lsl #8");
  code.op("sxth r8, r8");
  code.op("sxth r9, r9");
  code.op("sxtb r6, r7, ror #16");
  code.op("asr r7, r7, #24");
  code.op("mul r8, r8, r6");
  code.op("mla r8, r9, r7, r8");
  code.op("lsr r5, r5, #26");
  code.op("add r5, sp, r5, lsl #2");
  code.op("ldr r6, [r5, #{}]", kStarts);
  code.op("add r6, r6, r8");
  code.op("str r6, [r5, #{}]", kStarts);
  code.op("ldr r5, [r3]");
  code.op("bic r6, r5, #0xfc000000");
  code.op("cmp r6, r4");
  code.op("beq 2b");
  code.op("ldrd r10, r11, [sp, #{}]", kStarts);
  code.label(3);
  code.op("add r4, r4, #1");
  code.op("stmia r0, {{r1-r4}}");
}

Assembly blocks(const DenseBlocks& dense) {
  Assembly code;
  int shift = dense.groups == 1 ? 2 : 1, unrolled = 1 << shift;
  code.op("push {{r4-r11, lr}}");
  code.op("sub sp, sp, #{}", kFrameBytes);
  code.op("str r0, [sp, #{}]", kArgument);
  code.op("mov r12, #0x00ff00ff");
  code.label(1);
  code.op("ldr lr, [sp, #{}]", kArgument);
  starts(code);
  code.op("ldmia lr, {{r0, r1}}");
  code.op("mov r2, r1");
  code.op("ldr r1, [lr, #{}]", kDenseWeights);
  code.op("ands lr, r2, #{}", unrolled - 1);
  code.op("beq 5f");
  code.op("mov r9, r2");
  code.op("str r9, [sp, #{}]", kStarts);
  code.label(4);
  sum(code, dense.groups);
  code.op("subs lr, lr, #1");
  code.op("bne 4b");
  code.op("ldr r2, [sp, #{}]", kStarts);
  code.label(5);
  code.op("lsrs lr, r2, #{}", shift);
  code.op("beq.w 7f");
  code.label(6);
  for (int i = 0; i < unrolled; ++i) sum(code, dense.groups);
  code.op("subs lr, lr, #1");
  code.op("bne.w 6b");
  code.label(7);
  code.op("ldr lr, [sp, #{}]", kArgument);
  code.op("str r1, [lr, #{}]", kDenseWeights);
  code.op("ldrd r1, r0, [lr, #{}]", kDenseRescale);
  for (int lane = 0; lane < kLanes; ++lane) {
    std::string out = rescale_thumb2(code, dense.stage, fmt::format("r{}", 10 + lane),
                                     dense.uniform ? "r1" : "r1!", {"r2", "r3", "r4", "r5"});
    code.op("strb {}, [r0], #1", out);
  }
  code.op("ldr r2, [lr, #{}]", kDenseBlocks);
  code.op("strd r1, r0, [lr, #{}]", kDenseRescale);
  code.op("subs r2, r2, #1");
  code.op("str r2, [lr, #{}]", kDenseBlocks);
  code.op("bne.w 1b");
  code.op("add sp, sp, #{}", kFrameBytes);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_dense_s8_thumb2(const LayerView& layer, const LowerOptions&) {
  DenseCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.fit = {240, 0.95};
  core.lanes = kLanes;
  core.groups = {1, 2};
  core.blocks = blocks;
  core.forms = kThumb2Forms;
  core.cycles_of_form = rescale_cycles_thumb2;
  core.per_group = 5 + 1.5;
  core.per_sum = 8;
  core.per_output = 28;
  return dense_by_sums(layer, core);
}

}  // namespace nibble
