// Inner products in words (kernels/common/words_s8.h) on ARMv6-M: one pixel by two channels. Per
// group of four taps: one load of the source, two of weights, and for each channel MULS,
// MULS, ADDS, ASRS, ADCS: 13 instructions for 8 multiply-accumulates. ASRS by 16 leaves the sign of
// the lower half in the carry, so that ADCS takes its borrow back.
#include "lower/scalar/words.h"

#include "lower/scalar/words_fields.h"
#include "lower/thumb/rescale.h"

namespace nibble {
namespace {

constexpr int kLanes = 2, kUnrolled = 4;
constexpr int kGroupBytes = 8 * kLanes;

void push_all(Assembly& code) {
  code.op("push {{r4-r7, lr}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 4 + i, 8 + i);
  code.op("push {{r4-r7}}");
}

void pop_all(Assembly& code) {
  code.op("pop {{r4-r7}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 8 + i, 4 + i);
  code.op("pop {{r4-r7, pc}}");
}

// r := the byte 0x80 where `mask` has none and `byte` elsewhere, in short instructions.
void widen_constants(Assembly& code) {
  code.op("movs r3, #0xff");
  code.op("lsls r4, r3, #16");
  code.op("orrs r3, r3, r4");  // 0x00ff00ff
  code.op("movs r4, #0x80");
  code.op("lsls r5, r4, #16");
  code.op("orrs r4, r4, r5");  // 0x00800080
  code.op("lsls r5, r4, #8");
  code.op("orrs r5, r5, r4");  // 0x80808080
}

Assembly widen() {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  widen_constants(code);
  code.op("lsls r2, r2, #2");
  code.op("adds r2, r2, r0");
  code.op("mov r12, r2");
  code.label(1);
  code.op("ldmia r0!, {{r6}}");
  code.op("eors r6, r6, r5");
  code.op("lsrs r7, r6, #8");
  code.op("ands r6, r6, r3");
  code.op("ands r7, r7, r3");
  code.op("subs r6, r6, r4");
  code.op("subs r7, r7, r4");
  code.op("stmia r1!, {{r6, r7}}");
  code.op("cmp r0, r12");
  code.op("bne 1b");
  code.op("pop {{r4-r7, pc}}");
  return code;
}

// r0 source, r1 weights, r2 r3 words of the source, r4 r5 weights and products, r6 r7 accumulators.
void group(Assembly& code) {
  code.op("ldmia r0!, {{r2, r3}}");
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("ldmia r1!, {{r4, r5}}");
    code.op("muls r4, r2, r4");
    code.op("muls r5, r3, r5");
    code.op("adds r4, r4, r5");
    code.op("asrs r4, r4, #16");
    code.op("adcs r{0}, r{0}, r4", 6 + lane);
  }
}

void store(Assembly& code, const RescaleStage& stage) {
  code.op("mov r3, r8");
  code.op("ldr r1, [r3, #{}]", kWordsRescale);
  code.op("ldr r0, [r3, #{}]", kWordsDst);
  for (int lane = 0; lane < kLanes; ++lane) {
    rescale_thumb(code, stage, 6 + lane);
    code.op("strb r2, [r0, #{}]", lane);
  }
}

// r6, r7 := start values with the extras, r0 x; r3 is the block.
void start(Assembly& code) {
  code.op("ldr r1, [r3, #{}]", kWordsStart);
  code.op("ldmia r1!, {{r6, r7}}");
  code.op("ldr r0, [r3, #{}]", kWordsX);
  code.op("ldr r1, [r3, #{}]", kWordsExtras);
  code.op("ldmia r1!, {{r2}}");
  code.op("cmp r2, #0");
  code.op("beq 3f");
  code.op("movs r5, #2");
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("ldrh r2, [r1]");
    code.op("adds r1, r1, #2");
    code.op("cmp r2, #0");
    code.op("beq 2f");
    code.label(1);
    code.op("ldrh r3, [r1]");
    code.op("ldrsh r4, [r1, r5]");
    code.op("ldrsh r3, [r0, r3]");
    code.op("adds r1, r1, #4");
    code.op("muls r3, r4, r3");
    code.op("adds r{0}, r{0}, r3", 6 + lane);
    code.op("subs r2, r2, #1");
    code.op("bne 1b");
    code.label(2);
  }
  code.op("mov r3, r8");
  code.label(3);
}

Assembly block(const RescaleStage& stage) {
  Assembly code;
  push_all(code);
  code.op("mov r8, r0");
  code.label(10);  // a pixel
  code.op("mov r3, r8");
  start(code);
  code.op("ldr r1, [r3, #{}]", kWordsWeights);
  code.op("ldr r2, [r3, #{}]", kWordsRuns);
  code.label(2);  // a run; r9: those that are left, r10: the end of the unrolled part's weights
  code.op("mov r9, r2");
  code.op("ldr r2, [r3, #{}]", kWordsRunGroups);
  code.op("lsrs r4, r2, #2");
  code.op("beq 4f");
  code.op("lsls r4, r4, #6");
  code.op("adds r4, r4, r1");
  code.op("mov r10, r4");
  code.label(3);
  for (int i = 0; i < kUnrolled; ++i) group(code);
  code.op("cmp r1, r10");
  code.op("bne 3b");
  code.op("mov r3, r8");
  code.op("ldr r2, [r3, #{}]", kWordsRunGroups);
  code.label(4);
  code.op("lsls r2, r2, #30");
  code.op("beq 6f");
  code.op("lsrs r2, r2, #26");
  code.op("adds r2, r2, r1");
  code.op("mov r10, r2");
  code.label(5);
  group(code);
  code.op("cmp r1, r10");
  code.op("bne 5b");
  code.label(6);
  code.op("mov r2, r9");
  code.op("mov r3, r8");
  code.op("subs r2, r2, #1");
  code.op("beq 7f");
  code.op("ldr r4, [r3, #{}]", kWordsRunSkip);
  code.op("adds r0, r0, r4");
  code.op("b 2b");
  code.label(7);
  store(code, stage);
  code.op("mov r3, r8");
  code.op("ldmia r3!, {{r0-r2, r4, r5}}");
  code.op("adds r0, r0, r1");
  code.op("adds r2, r2, r4");
  code.op("subs r3, r3, #20");
  code.op("subs r5, r5, #1");
  code.op("beq 8f");
  code.op("stmia r3!, {{r0-r2, r4, r5}}");
  code.op("b 10b");
  code.label(8);
  pop_all(code);
  return code;
}

WordsCore core() {
  static_assert(kGroupBytes << 2 == 1 << 6 && kGroupBytes == 1 << 4);
  WordsCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.fit = {0, 1.35};
  core.lanes = kLanes;
  core.widen = widen;
  core.block = block;
  core.forms = kThumbForms;
  core.cycles_of_form = rescale_cycles_thumb;
  // Cortex-M0+: a load of n words takes n + 1 cycles, a taken branch 2.
  core.cycles_per_group = (3 * 3 + 10) / 2.0 + 0.8;
  core.cycles_per_output = 2 + 34 / 2.0;
  core.cycles_per_run = 22;
  core.cycles_per_widened = 15;
  core.bytes_per_instruction = 2;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s8_thumb(const LayerView& layer, const LowerOptions&) {
  return conv2d_words(layer, core());
}

}  // namespace nibble
