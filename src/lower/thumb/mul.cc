// Products on ARMv6-M: one element after the other, rescaled by products of 32 bits (rescale.h).
#include "lower/scalar/mul.h"

#include <algorithm>
#include <array>

#include "lower/thumb/rescale.h"

namespace nibble {
namespace {

constexpr int kNumbersBytes = 24;  // of the table, before the words of the rescaling

AccumulatorRange products_range(int64_t lhs_zero, int64_t rhs_zero) {
  AccumulatorRange range;
  for (int64_t lhs : {-128 - lhs_zero, 127 - lhs_zero})
    for (int64_t rhs : {-128 - rhs_zero, 127 - rhs_zero}) {
      range.low = std::min(range.low, lhs * rhs);
      range.high = std::max(range.high, lhs * rhs);
    }
  return range;
}

std::optional<RescaledLayer> rescaling_of(const LayerView& layer) {
  const std::array<int32_t, 1> multiplier = {static_cast<int32_t>(layer.field("multiplier"))};
  const std::array<int8_t, 1> exponent = {static_cast<int8_t>(layer.field("exponent"))};
  LayerOutput output;
  output.multiplier = multiplier;
  output.exponent = exponent;
  output.zero = layer.int_field("out_zero");
  output.low = layer.int_field("act_min"), output.high = layer.int_field("act_max");
  output.rounding = layer.field("rounding");
  const AccumulatorRange range = products_range(layer.field("lhs_zero"), layer.field("rhs_zero"));
  std::vector<RescaledLayer> ways = rescale_layer_ways(output, std::array{range}, kThumbForms);
  if (ways.empty()) return std::nullopt;
  return std::move(ways.back());
}

// r0 src, r1 the words of the rescaling, r6 the product, r7 elements that are left, r8 rhs, r9 and
// r10 zero points, or r10 the other element less its own, r11 what is added to products, r12 dst.
Assembly body(const MulText& text, const RescaleStage& stage) {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 4 + i, 8 + i);
  code.op("push {{r4-r7}}");
  code.op("mov r12, r2");
  code.op("ldr r7, [sp, #36]");
  code.op("ldr r4, [r3]");
  code.op("mov r9, r4");
  code.op("ldr r4, [r3, #4]");
  if (text.rhs_repeats) {
    code.op("ldrb r5, [r1]");
    code.op("sxtb r5, r5");
    code.op("subs r4, r5, r4");
  }
  code.op("mov r10, r4");
  code.op("ldr r4, [r3, #20]");
  code.op("mov r11, r4");
  code.op("mov r8, r1");
  code.op("movs r1, r3");
  code.op("adds r1, r1, #{}", kNumbersBytes);
  code.label(1);
  code.op("ldrb r6, [r0]");
  code.op("sxtb r6, r6");
  code.op("adds r0, r0, #1");
  code.op("mov r2, r9");
  code.op("subs r6, r6, r2");
  code.op("mov r3, r10");
  if (!text.rhs_repeats) {
    code.op("mov r2, r8");
    code.op("ldrb r4, [r2]");
    code.op("sxtb r4, r4");
    code.op("adds r2, r2, #1");
    code.op("mov r8, r2");
    code.op("subs r3, r4, r3");
  }
  code.op("muls r6, r3, r6");
  code.op("add r6, r11");
  rescale_thumb(code, stage, 6);
  code.op("subs r1, r1, #{}", 4 * stage.words());
  code.op("mov r3, r12");
  code.op("strb r2, [r3]");
  code.op("adds r3, r3, #1");
  code.op("mov r12, r3");
  code.op("subs r7, r7, #1");
  code.op("bne 1b");
  code.op("pop {{r4-r7}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 8 + i, 4 + i);
  code.op("pop {{r4-r7, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_mul_s8_thumb(const LayerView& layer, const LowerOptions&) {
  std::optional<RescaledLayer> rescaling = rescaling_of(layer);
  if (!rescaling) return {};
  MulCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.body = [&](const MulText& text) { return body(text, rescaling->stage); };
  core.words = [&](const MulText&, const MulNumbers&) {
    const RescaledChannel& channel = rescaling->channels[0];
    std::vector<int64_t> words = {channel.start_shift};
    words.insert(words.end(), channel.words.begin(), channel.words.end());
    return words;
  };
  core.most_exponent = 0;
  core.suffix = "_" + rescaling->stage.name();
  core.cycles_per_elem = 26 + rescale_cycles_thumb(rescaling->stage);
  core.cycles_per_call = 60;
  core.bytes_per_instruction = 2;
  return mul_rows(layer, core);
}

}  // namespace nibble
