// clamp_s8 on cores with Helium, sixteen elements at once.
#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

std::vector<KernelVariant> generate_clamp_s8_mve(const LayerView& layer, const LowerOptions&) {
  CFunction function;
  function.name = "nibble_clamp_s8_mve";
  function.comment = "dst = src, clamped to [low, high]";
  function.parameters = {"const int8_t *src", "int8_t *dst", "int32_t low", "int32_t high",
                         "int32_t len"};
  function.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
  Assembly& code = function.body;
  code.op("push {{r4, lr}}");
  code.op("ldr r4, [sp, #8]");
  code.op("vdup.8 q1, r2");
  code.op("vdup.8 q2, r3");
  code.op("dlstp.8 lr, r4");
  code.label(1);
  code.op("vldrb.u8 q0, [r0], #16");
  code.op("vmax.s8 q0, q0, q1");
  code.op("vmin.s8 q0, q0, q2");
  code.op("vstrb.8 q0, [r1], #16");
  code.op("letp lr, 1b");
  code.op("pop {{r4, pc}}");
  function.plain_body =
      "  for (int32_t i = 0; i < len; ++i) dst[i] = (int8_t)nibble_clamp(src[i], low, high);\n";
  KernelVariant variant;
  variant.function = {function.name,
                      "mve",
                      {"common/nibble_common.h", "common/requant.h"},
                      {"const int8_t *", "int8_t *"},
                      false,
                      function_text(function)};
  const int64_t len = layer.field("len");
  variant.numbers = {layer.field("act_min"), layer.field("act_max"), len};
  variant.in_place = true;
  variant.cycles = 30 + 8.0 * static_cast<double>(len) / 16;
  variant.function.code_bytes = 4 * static_cast<int64_t>(code.count());
  return {std::move(variant)};
}

}  // namespace nibble
