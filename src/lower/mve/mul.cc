// Products on cores with Helium, eight elements at once.
#include "lower/scalar/mul.h"

#include "lower/mve/octet_loop.h"
#include "lower/mve/output_stage.h"

namespace nibble {
namespace {

// As in add.cc: whole vectors have one predicate; what is left over takes another turn with its
// own. r0 src, r1 rhs, r2 dst, r4-r8 the table: zero points, multiplier, exponent, the output's
// zero point. q4: the other element where that is one.
Assembly body(const MulText& text, const HeliumOutput& output) {
  Assembly code;
  code.op("push {{r4-r8, lr}}");
  if (text.rhs_repeats) code.op("vpush {{d8-d9}}");
  code.op("mov r12, #8");
  code.op("vctp.16 r12");
  code.op("ldm r3, {{r4-r8}}");
  code.op("ldr r3, [sp, #{}]", text.rhs_repeats ? 40 : 24);
  if (text.rhs_repeats) {
    code.op("ldrsb r1, [r1]");
    code.op("subs r1, r1, r5");
    code.op("vdup.16 q4, r1");
  }
  begin_octets(code);
  code.op("{}", text.rhs_repeats ? "vpst" : "vpstt");
  code.op("vldrbt.s16 q0, [r0], #8");
  if (!text.rhs_repeats) code.op("vldrbt.s16 q1, [r1], #8");
  code.op("vsub.i16 q0, q0, r4");
  if (!text.rhs_repeats) code.op("vsub.i16 q1, q1, r5");
  const char* rhs = text.rhs_repeats ? "q4" : "q1";
  code.op("vmullb.s16 q2, q0, {}", rhs);
  code.op("vmullt.s16 q3, q0, {}", rhs);
  std::string low = output.rescale(code, "q2", "q0", "r6", "r7");
  std::string high = output.rescale(code, "q3", "q1", "r6", "r7");
  output.narrow(code, low, high, low == "q2" ? "q0" : "q2", "r8");
  code.op("vpst");
  code.op("vstrbt.16 {}, [r2], #8", low);
  end_octets(code);
  if (text.rhs_repeats) code.op("vpop {{d8-d9}}");
  code.op("pop {{r4-r8, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_mul_s8_mve(const LayerView& layer, const LowerOptions&) {
  std::optional<HeliumOutput> output = HeliumOutput::of_product(layer);
  if (!output) return {};
  MulCore core;
  core.isa = "mve";
  core.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
  core.body = [&](const MulText& text) { return body(text, *output); };
  core.most_exponent = 0;  // what the output stage covers
  core.cycles_per_elem = 2 * 20.0 / 8;
  core.cycles_per_call = 40;
  return mul_rows(layer, core);
}

}  // namespace nibble
