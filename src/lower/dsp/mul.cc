// Products on cores with SMMLA: four elements from words, in lanes of 16 bits until they are
// multiplied. The rescaling is that of output_stage.h.
#include "lower/scalar/mul.h"

namespace nibble {
namespace {

constexpr int kTogether = 4;

// r6 twice the multiplier, r7 the shift less one, r8 the addend.
void rescale(Assembly& code, const MulText& text, const char* acc) {
  code.op("{1} {0}, {0}, r6, {0}", acc, text.single ? "smmla" : "smmlar");
  if (text.away) code.op("add {0}, {0}, {0}, asr #31", acc);
  code.op("asr {0}, {0}, r7", acc);
  code.op("add {0}, {0}, r8", acc);
  code.op("ssat {0}, #8, {0}, asr #1", acc);
  if (text.low > -128) {
    code.op("cmp {}, #{}", acc, text.low);
    code.op("it lt");
    code.op("movlt {}, #{}", acc, text.low);
  }
  if (text.high < 127) {
    code.op("cmp {}, #{}", acc, text.high);
    code.op("it gt");
    code.op("movgt {}, #{}", acc, text.high);
  }
}

// r9 and r10, or r5, hold elements; products in lr, r12, r11, r9.
void products(Assembly& code, const MulText& text) {
  code.op("sxtab16 r11, r4, r9");
  code.op("sxtab16 r9, r4, r9, ror #8");
  if (text.rhs_repeats) {
    code.op("smulbb lr, r11, r5");
    code.op("smulbb r12, r9, r5");
    code.op("smultb r11, r11, r5");
    code.op("smultb r9, r9, r5");
    return;
  }
  code.op("sxtab16 r12, r5, r10");
  code.op("sxtab16 r10, r5, r10, ror #8");
  code.op("smulbb lr, r11, r12");
  code.op("smultt r11, r11, r12");
  code.op("smulbb r12, r9, r10");
  code.op("smultt r9, r9, r10");
}

// r0 src, r1 rhs, r2 dst, r3 elements that are left, r4 r5 both lanes the negative zero points; r5
// the other element where that is one.
Assembly body(const MulText& text) {
  Assembly code;
  code.op("push {{r4-r11, lr}}");
  code.op("add r3, r3, #20");
  code.op("ldm r3, {{r4-r8}}");
  code.op("ldr r3, [sp, #36]");
  if (text.rhs_repeats) {
    code.op("ldrsb r1, [r1]");
    code.op("add r5, r5, r1");
  }
  code.op("subs r3, r3, #{}", kTogether);
  code.op("blt.w 2f");
  code.label(1);
  code.op("ldr r9, [r0], #4");
  if (!text.rhs_repeats) code.op("ldr r10, [r1], #4");
  products(code, text);
  for (const char* acc : {"lr", "r12", "r11", "r9"}) rescale(code, text, acc);
  for (const char* acc : {"lr", "r12", "r11", "r9"}) code.op("strb {}, [r2], #1", acc);
  code.op("subs r3, r3, #{}", kTogether);
  code.op("bge.w 1b");
  code.label(2);
  code.op("adds r3, r3, #{}", kTogether);
  code.op("beq.w 4f");
  code.label(3);
  code.op("ldrsb r9, [r0], #1");
  code.op("sxtah r9, r4, r9");
  if (!text.rhs_repeats) {
    code.op("ldrsb r10, [r1], #1");
    code.op("sxtah r10, r5, r10");
  }
  code.op("smulbb r9, r9, {}", text.rhs_repeats ? "r5" : "r10");
  rescale(code, text, "r9");
  code.op("strb r9, [r2], #1");
  code.op("subs r3, r3, #1");
  code.op("bne.w 3b");
  code.label(4);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

int64_t both_lanes(int64_t value) {
  return static_cast<int64_t>((static_cast<uint32_t>(value) & 0xffff) * 0x10001u);
}

std::vector<int64_t> words(const MulText&, const MulNumbers& numbers) {
  return {both_lanes(-numbers.lhs_zero), both_lanes(-numbers.rhs_zero), 2 * numbers.multiplier,
          -numbers.exponent - 1, 2 * numbers.out_zero + 1};
}

}  // namespace

std::vector<KernelVariant> generate_mul_s8_dsp(const LayerView& layer, const LowerOptions&) {
  MulCore core;
  core.isa = "dsp";
  core.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  core.body = body;
  core.words = words;
  core.cycles_per_elem = 10;
  core.cycles_per_call = 45;
  // 2m must not be taken for m: 0 stands for 0.
  if (layer.field("multiplier") == 0) return {};
  return mul_rows(layer, core);
}

}  // namespace nibble
