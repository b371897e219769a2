// quantize_f32_s8 on cores with Helium and its floats, four elements at once, without a division:
// fma(x, h, x * l) with h + l = 1 / scale, 0 < l, to the nearest integer, ties away from zero.
//
// That function never falls, nor does x / scale, and both are odd. So the integers are equal if
// both functions reach each half at the same float: those in reach of the clamps are looked at.
// Infinity stays infinity because l > 0; what is not a number converts to 0.
#include <bit>
#include <cfloat>
#include <cmath>
#include <optional>

#include "lower/assembly.h"
#include "lower/progress.h"
#include "lower/scalar/float_steps.h"

namespace nibble {
namespace {

constexpr int kVector = 4;
constexpr int kMostSteps = 256;  // outputs are at most 255 from the zero point
constexpr float kMostScale = 0x1p40f;

struct Inverse {
  float high = 0, low = 0;
  // For x > 0. Helium flushes subnormal numbers to zero; none occur here.
  float ratio(float x) const {
    float small = x * low;
    return std::fma(x, high, small);
  }
};

std::optional<Inverse> inverse_of(float scale) {
  if (!(scale >= 1 / kMostScale && scale <= kMostScale)) return std::nullopt;
  double exact = 1.0 / static_cast<double>(scale);
  Inverse inverse;
  inverse.high = static_cast<float>(exact);
  if (static_cast<double>(inverse.high) >= exact) inverse.high = std::nextafter(inverse.high, 0.0f);
  inverse.low = static_cast<float>(exact - static_cast<double>(inverse.high));
  for (int step = 1; step <= kMostSteps; ++step) {
    float half = static_cast<float>(step) - 0.5f;
    float x = first_with_quotient(half, scale), below = std::nextafter(x, 0.0f);
    if (below * inverse.low < FLT_MIN) return std::nullopt;
    if (inverse.ratio(x) < half || inverse.ratio(below) >= half) return std::nullopt;
  }
  return inverse;
}

// r0 src, r1 dst, r2 and r3 the inverse, r4 the zero point.
Assembly body(int low, int high) {
  Assembly code;
  code.op("push {{r4-r6, lr}}");
  code.op("ldr r4, [sp, #16]");
  code.op("ldr r5, [sp, #24]");
  if (low < 0)
    code.op("mvn r6, #{}", -1 - low);
  else
    code.op("mov r6, #{}", low);
  code.op("vdup.32 q2, r6");
  if (high < 0)
    code.op("mvn r6, #{}", -1 - high);
  else
    code.op("mov r6, #{}", high);
  code.op("vdup.32 q3, r6");
  code.op("dlstp.32 lr, r5");
  code.label(1);
  code.op("vldrw.u32 q0, [r0], #16");
  code.op("vmul.f32 q1, q0, r3");
  code.op("vfma.f32 q1, q0, r2");
  code.op("vcvta.s32.f32 q1, q1");
  code.op("vqadd.s32 q1, q1, r4");
  code.op("vmax.s32 q1, q1, q2");
  code.op("vmin.s32 q1, q1, q3");
  code.op("vstrb.32 q1, [r1], #4");
  code.op("letp lr, 1b");
  code.op("pop {{r4-r6, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_quantize_f32_s8_mve(const LayerView& layer,
                                                        const LowerOptions&) {
  auto scale = std::bit_cast<float>(static_cast<uint32_t>(layer.field("scale")));
  std::optional<Inverse> inverse = inverse_of(scale);
  if (!inverse) return {};
  int low = layer.int_field("act_min"), high = layer.int_field("act_max");
  int64_t len = layer.field("len");
  CFunction function;
  auto number = [](int value) { return (value < 0 ? "m" : "") + std::to_string(std::abs(value)); };
  function.name = fmt::format("nibble_quantize_f32_s8_mve_{}_{}", number(low), number(high));
  function.comment = "Floats to s8, four at once; inverse_high + inverse_low is 1 / scale.";
  function.parameters = {"const float *src",    "int8_t *dst",  "int32_t inverse_high",
                         "int32_t inverse_low", "int32_t zero", "int32_t scale",
                         "int32_t len"};
  function.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)";
  function.body = body(low, high);
  function.plain_body = fmt::format(
      "  (void)inverse_high;\n  (void)inverse_low;\n"
      "  nibble_quantize_f32_s8_plain(src, dst, len, scale, zero, {}, {});\n",
      low, high);
  KernelVariant variant;
  variant.function = {
      function.name,
      "mve",
      {"common/nibble_common.h", "common/requant.h", "quantize/quantize_f32_s8_elem.h"},
      {"const float *", "int8_t *"},
      false,
      function_text(function)};
  variant.numbers = {std::bit_cast<int32_t>(inverse->high), std::bit_cast<int32_t>(inverse->low),
                     layer.field("out_zero"), layer.field("scale"), len};
  variant.progress = unit_progress(len / kVector, 4 * kVector, kVector);
  variant.cycles = 40 + 20.0 * static_cast<double>((len + kVector - 1) / kVector);
  variant.code_bytes = static_cast<int64_t>(function.body.count()) * 4;
  return {std::move(variant)};
}

}  // namespace nibble
