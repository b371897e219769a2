// add_s16 with the tflite rounding on cores with SMMLA and on cores with Helium. The operand of the
// larger scale has the factor 1/2 exactly (a shift); the other, and the sum, are rescaled. With h =
// round(x * m / 2^31), ties up, h + (h >> 31) turns "ties up" of the shift that follows into "ties
// away from zero". Thirteen instructions for an element, or some four with Helium.
#include "add/add_elem_s16.h"
#include "lower/assembly.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"
#include "lower/variant.h"

namespace nibble {
namespace {

constexpr int32_t kHalf = 1 << 30;  // the multiplier of 1/2; its exponent is 0

struct SumText {
  bool rhs_halved = true;  // or src is
  bool both_halved = false;
  int rhs_sign = 1;
  int shift = 0, out_shift = 0;  // -exponents
  int32_t multiplier = 0, out_multiplier = 0;
  int low = -32768, high = 32767, len = 0;
};

std::optional<SumText> sum_text(const LayerView& layer) {
  if (layer.field("rounding") != NIBBLE_ROUNDING_TFLITE) return std::nullopt;
  auto halved = [&](const std::string& side) {
    return layer.field(side + "_multiplier") == kHalf && layer.field(side + "_exponent") == 0;
  };
  SumText text;
  text.rhs_halved = halved("rhs");
  text.both_halved = halved("lhs") && text.rhs_halved;
  if (!text.rhs_halved && !halved("lhs")) return std::nullopt;
  const std::string other = text.rhs_halved ? "lhs" : "rhs";
  text.multiplier = static_cast<int32_t>(layer.field(other + "_multiplier"));
  text.shift = -layer.int_field(other + "_exponent");
  text.out_multiplier = static_cast<int32_t>(layer.field("out_multiplier"));
  text.out_shift = -layer.int_field("out_exponent");
  text.rhs_sign = layer.int_field("rhs_sign");
  text.low = layer.int_field("act_min"), text.high = layer.int_field("act_max");
  text.len = layer.int_field("len");
  auto covered = [](int32_t multiplier, int shift) {
    return multiplier >= kHalf && shift >= 1 && shift <= 30;
  };
  if (!text.both_halved && !covered(text.multiplier, text.shift)) return std::nullopt;
  if (!covered(text.out_multiplier, text.out_shift)) return std::nullopt;
  return text;
}

void load_constant(Assembly& code, const char* to, uint32_t value) {
  code.op("movw {}, #{}", to, value & 0xffff);
  if (value >> 16) code.op("movt {}, #{}", to, value >> 16);
}

// sum := the operand of the other scale in `x`, and the halved one in `halved`, both as they stand.
void dsp_element(const SumText& text, Assembly& code) {
  code.op("ldrsh r8, [{}], #2", text.rhs_halved ? "r0" : "r1");
  code.op("ldrsh r9, [{}], #2", text.rhs_halved ? "r1" : "r0");
  if (text.both_halved) {
    code.op("lsl r8, r8, #14");
  } else {
    code.op("lsl r8, r8, #16");
    code.op("smmulr r8, r8, r4");
    code.op("add r8, r8, r8, asr #31");
    code.op("add r8, r8, #{}", 1 << (text.shift - 1));
    code.op("asr r8, r8, #{}", text.shift);
  }
  // src -+ rhs, whichever of them r8 is.
  const char* combine = text.rhs_sign > 0 ? "add" : text.rhs_halved ? "sub" : "rsb";
  code.op("{} r8, r8, r9, lsl #14", combine);
  code.op("smmlar r8, r8, r5, r8");
  code.op("add r8, r8, r8, asr #31");
  code.op("add r8, r8, #{}", 1 << (text.out_shift - 1));
  bool relu = text.low == 0 && text.high > 0;
  code.op("{} r8, #{}, r8, asr #{}", relu ? "usat" : "ssat", relu ? 15 : 16, text.out_shift);
  if (text.low != -32768 && !relu) {
    code.op("cmp r8, r6");
    code.op("it lt");
    code.op("movlt r8, r6");
  }
  if (text.high != 32767) {
    code.op("cmp r8, r7");
    code.op("it gt");
    code.op("movgt r8, r7");
  }
  code.op("strh r8, [r2], #2");
}

// r0 src, r1 rhs, r2 dst, r3 len.
Assembly dsp_code(const SumText& text, Assembly& round) {
  Assembly code;
  code.op("push {{r4-r9, lr}}");
  load_constant(code, "r4", static_cast<uint32_t>(text.multiplier));
  load_constant(code, "r5", 2u * static_cast<uint32_t>(text.out_multiplier));
  load_constant(code, "r6", static_cast<uint32_t>(text.low));
  load_constant(code, "r7", static_cast<uint32_t>(text.high));
  code.op("ands r9, r3, #1");
  code.op("beq 1f");
  dsp_element(text, code);
  code.label(1);
  code.op("subs r3, r3, #2");
  code.op("blt 3f");
  code.label(2);
  dsp_element(text, round);
  dsp_element(text, round);
  round.op("subs r3, r3, #2");
  round.op("bge 2b");
  code.append(round);
  code.label(3);
  code.op("pop {{r4-r9, pc}}");
  return code;
}

Assembly mve_code(const SumText& text, Assembly& round) {
  Assembly code;
  code.op("push {{r4-r9, lr}}");
  load_constant(code, "r4", static_cast<uint32_t>(text.multiplier));
  load_constant(code, "r5", static_cast<uint32_t>(text.out_multiplier));
  load_constant(code, "r6", static_cast<uint32_t>(text.low) & 0xffff);
  load_constant(code, "r7", static_cast<uint32_t>(text.high) & 0xffff);
  if (text.low != -32768) code.op("vdup.16 q2, r6");
  if (text.high != 32767) code.op("vdup.16 q3, r7");
  code.op("mvn r8, #{}", text.shift - 1);
  code.op("mvn r9, #{}", text.out_shift - 1);
  code.op("wlstp.32 lr, r3, 3f");
  code.label(2);
  // The halves of the registers above q3 belong to the caller: q0 and q1 must do.
  auto rescale = [&](const char* multiplier, const char* shift) {
    round.op("vqrdmulh.s32 q0, q0, {}", multiplier);
    round.op("vshr.s32 q1, q0, #31");
    round.op("vadd.i32 q0, q0, q1");
    round.op("vrshl.s32 q0, {}", shift);
  };
  round.op("vldrh.s32 q0, [{}], #8", text.rhs_halved ? "r0" : "r1");
  round.op("vshl.i32 q0, q0, #{}", text.both_halved ? 14 : 15);
  if (!text.both_halved) rescale("r4", "r8");
  round.op("vldrh.s32 q1, [{}], #8", text.rhs_halved ? "r1" : "r0");
  round.op("vshl.i32 q1, q1, #14");
  if (text.rhs_sign > 0)
    round.op("vadd.i32 q0, q0, q1");
  else
    round.op("vsub.i32 q0, {}", text.rhs_halved ? "q0, q1" : "q1, q0");
  rescale("r5", "r9");
  round.op("vqmovnb.s32 q0, q0");
  if (text.low != -32768) round.op("vmax.s16 q0, q0, q2");
  if (text.high != 32767) round.op("vmin.s16 q0, q0, q3");
  round.op("vstrh.32 q0, [r2], #8");
  round.op("letp lr, 2b");
  code.append(round);
  code.label(3);
  code.op("pop {{r4-r9, pc}}");
  return code;
}

std::vector<KernelVariant> generate(const LayerView& layer, bool helium) {
  std::optional<SumText> text = sum_text(layer);
  if (!text) return {};
  Assembly round;
  CFunction function;
  function.body = helium ? mve_code(*text, round) : dsp_code(*text, round);
  function.condition = helium ? "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)"
                              : "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  function.comment = "sum or difference of s16";
  function.parameters = {"const int16_t *src", "const int16_t *rhs", "int16_t *dst", "int32_t len"};
  auto number = [&](const char* name) { return layer.field(name); };
  std::string scaling = fmt::format(
      "{}, {}, {}, {}, {}, {}, {}, {}, {}, {}", number("lhs_multiplier"), number("lhs_exponent"),
      number("rhs_multiplier"), number("rhs_exponent"), text->rhs_sign, text->out_multiplier,
      -text->out_shift, text->low, text->high, int{NIBBLE_ROUNDING_TFLITE});
  function.plain_body = fmt::format(
      "  static const nibble_add_scaling_s16 cfg = {{\n      {}}};\n"
      "  for (int32_t i = 0; i < len; ++i) dst[i] = nibble_add_elem_s16(&cfg, src[i], rhs[i]);\n",
      scaling);
  const char* isa = helium ? "mve" : "dsp";
  function.name = fmt::format("nibble_add_s16_{}_{}", isa, text_hash(scaling));
  KernelVariant variant;
  variant.function.name = function.name;
  variant.function.isa = isa;
  variant.function.files = {"common/nibble_common.h", "common/requant.h", "add/add_elem_s16.h"};
  variant.function.parameters = {"const int16_t *", "const int16_t *", "int16_t *"};
  variant.function.text = function_text(function);
  variant.numbers = {text->len};
  variant.in_place = true;
  variant.cycles = helium ? 40 + text->len / 4.0 * static_cast<double>(round.count()) * 1.3
                          : 40 + text->len / 2.0 * thumb2_cycles(round);
  variant.function.code_bytes = 4 * static_cast<int64_t>(function.body.count());
  return {variant};
}

}  // namespace

std::vector<KernelVariant> generate_add_s16_dsp(const LayerView& layer, const LowerOptions&) {
  return generate(layer, false);
}

std::vector<KernelVariant> generate_add_s16_mve(const LayerView& layer, const LowerOptions&) {
  return generate(layer, true);
}

}  // namespace nibble
