// Products on cores with RISC-V vectors, 32 elements at once.
#include "lower/scalar/mul.h"

#include "lower/packing.h"
#include "lower/rvv/output_stage.h"

namespace nibble {
namespace {

// a0 src, a1 rhs, or the other element less its zero point, a2 dst, a3 the table, then free, a4
// what is left, a5 a6 zero points, a7 multiplier, t1 shift.
Assembly body(const MulText& text, const VectorOutput& output) {
  Assembly code;
  code.op("lw a5, 0(a3)");
  code.op("lw a6, 4(a3)");
  code.op("lw a7, 8(a3)");
  code.op("lw t1, 12(a3)");
  code.op("neg t1, t1");
  if (text.rhs_repeats) {
    code.op("lb a1, 0(a1)");
    code.op("sub a1, a1, a6");
  }
  output.begin(code);
  code.label(1);
  code.op("vsetvli t0, a4, e16, m4, ta, ma");
  code.op("vle8.v v0, (a0)");
  code.op("vsext.vf2 v4, v0");
  code.op("vsub.vx v4, v4, a5");
  if (text.rhs_repeats) {
    code.op("vwmul.vx v16, v4, a1");
  } else {
    code.op("vle8.v v2, (a1)");
    code.op("vsext.vf2 v8, v2");
    code.op("vsub.vx v8, v8, a6");
    code.op("vwmul.vv v16, v4, v8");
  }
  code.op("vsetvli zero, zero, e32, m8, ta, ma");
  output.rescale(code, {"v16"}, "v24", "a7", [] { return std::string("t1"); });
  code.op("vsetvli zero, zero, e16, m4, ta, ma");
  code.op("vnclip.wi v0, v16, 0");
  output.add_zero(code, "v0", "a3");
  code.op("vsetvli zero, zero, e8, m2, ta, ma");
  code.op("vnclip.wi v4, v0, 0");
  code.op("vse8.v v4, (a2)");
  code.op("add a0, a0, t0");
  if (!text.rhs_repeats) code.op("add a1, a1, t0");
  code.op("add a2, a2, t0");
  code.op("sub a4, a4, t0");
  code.op("bnez a4, 1b");
  code.op("ret");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_mul_s8_rvv(const LayerView& layer, const LowerOptions&) {
  std::optional<VectorOutput> output = VectorOutput::of_product(layer);
  if (!output) return {};
  MulCore core;
  core.isa = "rvv";
  core.condition = "defined(__riscv_v)";
  core.body = [&](const MulText& text) { return body(text, *output); };
  core.most_exponent = 0;  // what the output stage covers
  core.cycles_per_elem = 25.0 / 32;
  // The text holds the output's zero point.
  core.suffix = "_z" + number_in_name(output->zero());
  return mul_rows(layer, core);
}

}  // namespace nibble
