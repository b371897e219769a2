// Inner products in words (kernels/common/words_s8.h) on ARMv7-M without the DSP extension: one
// pixel by four channels. Per group of four taps: one load of the source, two of weights, and for
// each channel MLA, MLA, ADD: 15 instructions for 16 multiply-accumulates.
#include "lower/scalar/words.h"

#include "lower/scalar/words_fields.h"
#include "lower/thumb2/rescale.h"

namespace nibble {
namespace {

constexpr int kLanes = 4, kUnrolled = 4;
// On the stack: the block, the runs that are left.
constexpr int kFrameBytes = 12;

Assembly widen() {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  code.op("mov r3, #0x80808080");
  code.op("mov r12, #0x00ff00ff");
  code.op("mov lr, #0x00800080");
  auto halves = [&](const char* bytes, const char* even, const char* odd) {
    code.op("eor {0}, {0}, r3", bytes);
    code.op("and {}, r12, {}, lsr #8", odd, bytes);
    code.op("and {}, r12, {}", even, bytes);
    code.op("sub {0}, {0}, lr", odd);
    code.op("sub {0}, {0}, lr", even);
  };
  code.op("subs r2, r2, #2");
  code.op("blt 2f");
  code.label(1);
  code.op("ldr r6, [r0, #4]");
  code.op("ldr r4, [r0], #8");
  halves("r6", "r6", "r7");
  halves("r4", "r4", "r5");
  code.op("subs r2, r2, #2");
  code.op("stmia r1!, {{r4-r7}}");
  code.op("bge 1b");
  code.label(2);
  code.op("adds r2, r2, #2");
  code.op("beq 3f");
  code.op("ldr r4, [r0]");
  halves("r4", "r4", "r5");
  code.op("strd r4, r5, [r1]");
  code.label(3);
  code.op("pop {{r4-r7, pc}}");
  return code;
}

// r0 source, r1 weights, r2 r3 words of the source, r4-r7 accumulators, r8-r11 weights, r12 0x8000,
// which turns the borrow of a product's lower half into none.
void group(Assembly& code) {
  code.op("ldrd r2, r3, [r0], #8");
  for (int lane = 0; lane < kLanes; lane += 2) {
    code.op("ldmia r1!, {{r8-r11}}");
    for (int word = 8; word < 12; word += 2) {
      code.op("mla r{0}, r{0}, r2, r12", word);
      code.op("mla r{0}, r{1}, r3, r{0}", word, word + 1);
      code.op("add r{0}, r{0}, r{1}, asr #16", 4 + lane + (word - 8) / 2, word);
    }
  }
}

void store(Assembly& code, const RescaleStage& stage) {
  code.op("ldr r1, [lr, #{}]", kWordsRescale);
  code.op("ldr r0, [lr, #{}]", kWordsDst);
  for (int lane = 0; lane < kLanes; ++lane) {
    std::string out =
        rescale_thumb2(code, stage, fmt::format("r{}", 4 + lane), "r1!", {"r2", "r3", "r8", "r9"});
    code.op("strb {}, [r0, #{}]", out, lane);
  }
}

// r4-r7 := start values with the extras, r0 x.
void start(Assembly& code) {
  static_assert(kWordsExtras == kWordsStart + 4);
  code.op("ldrd r0, r1, [lr, #{}]", kWordsStart);
  code.op("ldmia r0, {{r4-r7}}");
  code.op("ldr r2, [r1], #4");
  code.op("ldr r0, [lr, #{}]", kWordsX);
  code.op("cmp r2, #0");
  code.op("beq 3f");
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("ldrh r2, [r1], #2");
    code.op("cbz r2, 2f");
    code.label(1);
    code.op("ldrh r3, [r1], #2");
    code.op("ldrsh r8, [r1], #2");
    code.op("ldrsh r9, [r0, r3]");
    code.op("subs r2, r2, #1");
    code.op("mla r{0}, r9, r8, r{0}", 4 + lane);
    code.op("bne 1b");
    code.label(2);
  }
  code.label(3);
}

Assembly block(const RescaleStage& stage) {
  Assembly code;
  code.op("push {{r4-r11, lr}}");
  code.op("sub sp, sp, #{}", kFrameBytes);
  code.op("str r0, [sp]");
  code.op("mov r12, #0x8000");
  code.op("mov lr, r0");
  code.label(10);  // a pixel; lr is the block
  start(code);
  static_assert(kWordsRuns == kWordsWeights + 4);
  code.op("ldrd r1, r2, [lr, #{}]", kWordsWeights);
  code.op("str r2, [sp, #4]");
  code.label(2);  // a run
  code.op("ldr r2, [lr, #{}]", kWordsRunGroups);
  code.op("ands r3, r2, #{}", kUnrolled - 1);
  code.op("beq 4f");
  code.op("mov lr, r3");
  code.label(3);
  group(code);
  code.op("subs lr, lr, #1");
  code.op("bne.w 3b");
  code.op("ldr lr, [sp]");
  code.op("ldr r2, [lr, #{}]", kWordsRunGroups);
  code.label(4);
  code.op("lsrs lr, r2, #2");
  code.op("beq.w 6f");
  code.label(5);
  for (int i = 0; i < kUnrolled; ++i) group(code);
  code.op("subs lr, lr, #1");
  code.op("bne.w 5b");
  code.label(6);
  code.op("ldr r2, [sp, #4]");
  code.op("ldr lr, [sp]");
  code.op("subs r2, r2, #1");
  code.op("beq 7f");
  code.op("ldr r3, [lr, #{}]", kWordsRunSkip);
  code.op("str r2, [sp, #4]");
  code.op("add r0, r0, r3");
  code.op("b.w 2b");
  code.label(7);
  store(code, stage);
  code.op("ldmia lr, {{r0-r3, r8}}");
  code.op("add r0, r0, r1");
  code.op("add r2, r2, r3");
  code.op("subs r8, r8, #1");
  code.op("stmia lr, {{r0-r3, r8}}");
  code.op("bne.w 10b");
  code.op("add sp, sp, #{}", kFrameBytes);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

WordsCore core() {
  WordsCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.fit = {450, 1.25};
  core.lanes = kLanes;
  core.widen = widen;
  core.block = block;
  core.forms = kThumb2Forms;
  core.cycles_of_form = rescale_cycles_thumb2;
  // Cortex-M3: MLA takes two cycles, a load of n words n + 1.
  core.cycles_per_group = (3 + 2 * 5 + 16 + 4) / 4.0 + 0.75;
  core.cycles_per_output = 2 + 34 / 4.0;
  core.cycles_per_run = 14;
  core.cycles_per_widened = 9;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s8_thumb2(const LayerView& layer, const LowerOptions&) {
  return conv2d_words(layer, core());
}

}  // namespace nibble
