// mul_s16 and mul_broadcast_s16 on cores with SMMLA and on cores with Helium, for factors up to
// 1/2. With SMMLA two elements of a word at once: h = round(x * m / 2^31), ties up, is one SMMLAR;
// h + (h >> 31) turns "ties up" of the shift that follows into "ties away from zero"; the single
// rounding takes SMMLA, which rounds down, and no correction. Seven instructions for an element
// with its part of the loop, or some two with Helium.
#include "lower/dsp/timing.h"
#include "lower/portable/elements_s16.h"

namespace nibble {
namespace {

void load_constant(Assembly& code, const char* to, uint32_t value) {
  code.op("movw {}, #{}", to, value & 0xffff);
  if (value >> 16) code.op("movt {}, #{}", to, value >> 16);
}

// acc := the product in `acc`, rescaled. r4 2m, r5 and r6 the limits.
void dsp_rescale(const ProductText& text, Assembly& code, const char* acc) {
  code.op("{0} {1}, {1}, r4, {1}", text.single ? "smmla" : "smmlar", acc);
  if (!text.single) code.op("add {0}, {0}, {0}, asr #31", acc);
  // A constant of one bit, or of eight bits shifted, as all powers of two.
  code.op("add {0}, {0}, #{1}", acc, 1 << (text.shift - 1));
  bool relu = text.low == 0 && text.high > 0;
  code.op("{} {}, #{}, {}, asr #{}", relu ? "usat" : "ssat", acc, relu ? 15 : 16, acc, text.shift);
  auto limit = [&](const char* reg, const char* when) {
    code.op("cmp {}, {}", acc, reg);
    code.op("it {}", when);
    code.op("mov{} {}, {}", when, acc, reg);
  };
  if (text.low != -32768 && !relu) limit("r5", "lt");
  if (text.high != 32767) limit("r6", "gt");
}

// r0 src, r1 rhs, r2 dst, r3 len.
Assembly dsp_code(const ProductText& text, Assembly& round) {
  Assembly code;
  code.op("push {{r4-r11, lr}}");
  load_constant(code, "r4", 2u * static_cast<uint32_t>(text.multiplier));
  load_constant(code, "r5", static_cast<uint32_t>(text.low));
  load_constant(code, "r6", static_cast<uint32_t>(text.high));
  code.op("subs r3, r3, #4");
  code.op("blt 3f");
  code.label(2);
  for (int word = 0; word < 2; ++word) {
    round.op("ldr r7, [r0], #4");
    round.op("ldr r8, [r1], #4");
    round.op("smulbb r9, r7, r8");
    round.op("smultt r10, r7, r8");
    dsp_rescale(text, round, "r9");
    dsp_rescale(text, round, "r10");
    round.op("pkhbt r9, r9, r10, lsl #16");
    round.op("str r9, [r2], #4");
  }
  round.op("subs r3, r3, #4");
  round.op("bge 2b");
  code.append(round);
  code.label(3);
  code.op("adds r3, r3, #4");
  code.op("beq 5f");
  code.label(4);
  code.op("ldrsh r7, [r0], #2");
  code.op("ldrsh r8, [r1], #2");
  code.op("mul r9, r7, r8");
  dsp_rescale(text, code, "r9");
  code.op("strh r9, [r2], #2");
  code.op("subs r3, r3, #1");
  code.op("bne 4b");
  code.label(5);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

// Lanes of 32 bits := rescaled. r4 multiplier, r8 -shift.
void mve_rescale(const ProductText& text, Assembly& code, const char* acc, const char* temp) {
  code.op("{0}.s32 {1}, {1}, r4", text.single ? "vqdmulh" : "vqrdmulh", acc);
  if (!text.single) {
    code.op("vshr.s32 {}, {}, #31", temp, acc);
    code.op("vadd.i32 {0}, {0}, {1}", acc, temp);
  }
  code.op("vrshl.s32 {}, r8", acc);
}

void mve_limits(const ProductText& text, Assembly& code, const char* acc) {
  auto limit = [&](const char* op, const char* reg) {
    code.op("vdup.16 q1, {}", reg);
    code.op("{0}.s16 {1}, {1}, q1", op, acc);
  };
  if (text.low != -32768) limit("vmax", "r5");
  if (text.high != 32767) limit("vmin", "r6");
}

// Eight elements at once, the even and the odd ones; what is left four at once.
Assembly mve_code(const ProductText& text, Assembly& round) {
  Assembly code;
  code.op("push {{r4-r8, lr}}");
  load_constant(code, "r4", static_cast<uint32_t>(text.multiplier));
  load_constant(code, "r5", static_cast<uint32_t>(text.low) & 0xffff);
  load_constant(code, "r6", static_cast<uint32_t>(text.high) & 0xffff);
  code.op("mvn r8, #{}", text.shift - 1);
  code.op("lsr lr, r3, #3");
  code.op("and r3, r3, #7");
  code.op("wls lr, lr, 2f");
  code.label(1);
  round.op("vldrh.u16 q0, [r0], #16");
  round.op("vldrh.u16 q1, [r1], #16");
  round.op("vmullb.s16 q2, q0, q1");
  round.op("vmullt.s16 q0, q0, q1");
  mve_rescale(text, round, "q2", "q1");
  mve_rescale(text, round, "q0", "q3");
  round.op("vqmovnb.s32 q2, q2");
  round.op("vqmovnt.s32 q2, q0");
  mve_limits(text, round, "q2");
  round.op("vstrh.16 q2, [r2], #16");
  round.op("le lr, 1b");
  code.append(round);
  code.label(2);
  code.op("wlstp.32 lr, r3, 4f");
  code.label(3);
  code.op("vldrh.s32 q0, [r0], #8");
  code.op("vldrh.s32 q1, [r1], #8");
  code.op("vmul.i32 q0, q0, q1");
  mve_rescale(text, code, "q0", "q1");
  code.op("vqmovnb.s32 q0, q0");
  mve_limits(text, code, "q0");
  code.op("vstrh.32 q0, [r2], #8");
  code.op("letp lr, 3b");
  code.label(4);
  code.op("pop {{r4-r8, pc}}");
  return code;
}

std::vector<KernelVariant> generate(const LayerView& layer, bool helium) {
  std::optional<ProductText> text = product_text(layer, 1);
  if (!text) return {};
  Assembly round;
  CFunction function;
  function.body = helium ? mve_code(*text, round) : dsp_code(*text, round);
  function.condition = helium ? "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)"
                              : "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  function.comment = "product of s16";
  function.parameters = {"const int16_t *src", "const int16_t *rhs", "int16_t *dst", "int32_t len"};
  function.plain_body =
      fmt::format("  nibble_mul_s16_plain(src, rhs, dst, len, {});\n", text->c_fields());
  ElementFunction inner;
  inner.isa = helium ? "mve" : "dsp";
  function.name = inner.name =
      fmt::format("nibble_mul_s16_{}_{}_{}_{}_{}_{}", inner.isa, text->single ? "s" : "d",
                  text->multiplier, text->shift, text->low & 0xffff, text->high & 0xffff);
  inner.text = function_text(function);
  inner.files = {"common/nibble_common.h", "common/requant.h", "common/rescale_s16.h",
                 "mul/mul_s16_plain.h"};
  inner.cycles_per_elem =
      helium ? static_cast<double>(round.count()) * 1.3 / 8 : thumb2_cycles(round) / 4;
  inner.cycles_per_call = 40;
  inner.code_bytes = 4 * static_cast<int64_t>(function.body.count());
  return element_variants(layer, inner);
}

}  // namespace

std::vector<KernelVariant> generate_mul_s16_dsp(const LayerView& layer, const LowerOptions&) {
  return generate(layer, false);
}

std::vector<KernelVariant> generate_mul_s16_mve(const LayerView& layer, const LowerOptions&) {
  return generate(layer, true);
}

}  // namespace nibble
