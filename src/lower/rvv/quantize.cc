// quantize_f32_s8 on cores with RISC-V vectors and their floats, 32 elements at once, without a
// division (lower/scalar/float_steps.h).
//
// Ties go away from zero whatever the rounding mode of conversions is: to t is added the float
// below 1/2, with the sign of t, and the rest is cut off. The sum reaches an integer where |t|
// reaches the half before it, because from there it rounds up, and the float below that half does
// not. What is not a number would become the largest integer, so it is set to 0.
#include "lower/scalar/float_steps.h"

namespace nibble {
namespace {

constexpr unsigned kBelowHalf = 0x3effffff;

// a0 src, a1 dst, a2 and a3 the inverse, a4 the zero point, a6 elements that are left.
Assembly body(int low, int high) {
  Assembly code;
  code.op("fmv.w.x fa0, a2");
  code.op("fmv.w.x fa1, a3");
  code.op("li t1, {}", kBelowHalf);
  code.op("li t2, {}", low);
  code.op("li t3, {}", high);
  code.op("csrwi vxrm, 0");
  code.op("vsetvli t0, zero, e32, m8, ta, ma");
  code.op("vmv.v.x v24, t1");
  code.label(1);
  code.op("vsetvli t0, a6, e32, m8, ta, ma");
  code.op("vle32.v v8, (a0)");
  code.op("vfmul.vf v16, v8, fa1");
  code.op("vfmacc.vf v16, fa0, v8");
  code.op("vfsgnj.vv v8, v24, v16");
  code.op("vfadd.vv v16, v16, v8");
  code.op("vmfne.vv v0, v16, v16");
  code.op("vfcvt.rtz.x.f.v v16, v16");
  code.op("vmerge.vim v16, v16, 0, v0");
  code.op("vsadd.vx v16, v16, a4");
  code.op("vmax.vx v16, v16, t2");
  code.op("vmin.vx v16, v16, t3");
  code.op("vsetvli zero, zero, e16, m4, ta, ma");
  code.op("vnclip.wi v8, v16, 0");
  code.op("vsetvli zero, zero, e8, m2, ta, ma");
  code.op("vnclip.wi v12, v8, 0");
  code.op("vse8.v v12, (a1)");
  code.op("slli t1, t0, 2");
  code.op("add a0, a0, t1");
  code.op("add a1, a1, t0");
  code.op("sub a6, a6, t0");
  code.op("bnez a6, 1b");
  code.op("ret");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_quantize_f32_s8_rvv(const LayerView& layer,
                                                        const LowerOptions&) {
  return quantize_by_inverse(
      layer, {"rvv", "defined(__riscv_v) && defined(__riscv_flen)", body, 32, 22.0 / 32});
}

}  // namespace nibble
