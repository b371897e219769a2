// conv2d_s16s8 and dense_s16s8 on cores with RISC-V vectors (lower/scalar/groups_s16.h): output
// channels in the lanes. Of a tap: weights of all lanes are loaded and widened, then each pixel
// loads its element and is one VWMACC.VX: nine instructions for three pixels by 32 channels.
// (acc * doubled + 2^31) >> 32 is one VSMUL by doubled / 2.
#include "lower/scalar/groups_s16.h"

namespace nibble {
namespace {

constexpr const char* kPixels[] = {"t3", "t5", "t6", "a1"};

// a0 args, a2 window, a3 pitch, a4 weights, a5 table, a6 dst, a7 step. Accumulators from v8 on;
// weights in v0, widened in v4.
GroupsKernel kernel(int pixels, int lanes) {
  GroupsKernel result;
  result.pixels = pixels, result.lanes = lanes, result.whole_block = true;
  const int wide = lanes / 4;  // registers of 32-bit lanes
  auto acc = [&](int pixel) { return fmt::format("v{}", 8 + pixel * wide); };
  auto set = [&](Assembly& code, int bits) {
    code.op("vsetvli zero, t2, e{}, m{}, ta, ma", bits, bits == 32 ? wide : wide / 2);
  };
  Assembly& code = result.body;
  code.op("lw t0, 12(a0)");
  code.op("lw t1, 20(a0)");
  code.op("slli t0, t0, 1");
  code.op("slli a3, a3, 1");
  code.op("slli a7, a7, 1");
  code.op("add t0, t0, a2");
  code.op("csrwi vxrm, 0");
  code.label(1);
  code.op("li t2, {}", lanes);
  code.op("bgeu t1, t2, 2f");
  code.op("mv t2, t1");
  code.label(2);
  set(code, 32);
  code.op("li t4, 8");
  code.op("vlse32.v v8, (a5), t4");
  for (int pixel = 1; pixel < pixels; ++pixel) code.op("vmv.v.v {}, v8", acc(pixel));
  code.op("mv t3, a2");
  for (int pixel = 1; pixel < pixels; ++pixel)
    code.op("add {}, {}, a3", kPixels[pixel], kPixels[pixel - 1]);
  set(code, 16);
  code.label(3);
  for (int tap = 0; tap < 4; ++tap) {
    code.op("vle8.v v0, (a4)");
    code.op("addi a4, a4, {}", lanes);
    code.op("vsext.vf2 v4, v0");
    for (int pixel = 0; pixel < pixels; ++pixel) {
      code.op("lh t4, {}({})", 2 * tap, kPixels[pixel]);
      code.op("vwmacc.vx {}, t4, v4", acc(pixel));
    }
  }
  for (int pixel = 0; pixel < pixels; ++pixel) code.op("addi {0}, {0}, 8", kPixels[pixel]);
  code.op("bne t3, t0, 3b");
  set(code, 32);
  code.op("addi t3, a5, 4");
  code.op("li t4, 8");
  code.op("vlse32.v v0, (t3), t4");
  code.op("vsrl.vi v0, v0, 1");
  for (int pixel = 0; pixel < pixels; ++pixel) code.op("vsmul.vv {0}, {0}, v0", acc(pixel));
  set(code, 16);
  code.op("lw t4, 24(a0)");
  code.op("lw t5, 28(a0)");
  code.op("mv t3, a6");
  for (int pixel = 0; pixel < pixels; ++pixel) {
    code.op("vnclip.wi v0, {}, 0", acc(pixel));
    code.op("vmax.vx v0, v0, t4");
    code.op("vmin.vx v0, v0, t5");
    code.op("vse16.v v0, (t3)");
    if (pixel + 1 < pixels) code.op("add t3, t3, a7");
  }
  code.op("slli t3, t2, 1");
  code.op("add a6, a6, t3");
  code.op("slli t3, t2, 3");
  code.op("add a5, a5, t3");
  code.op("sub t1, t1, t2");
  code.op("bnez t1, 1b");
  code.op("ret");
  result.cycles_per_step = 4 * (3 + 2 * pixels) + pixels + 1;
  result.cycles_per_call = 25 + 7 * pixels;
  result.cycles_per_output = 0.2;
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_groups_s16_rvv(const LayerView& layer, const LowerOptions&) {
  GroupsCore core;
  core.isa = "rvv";
  core.condition = "defined(__riscv_v)";
  core.fit = {300, 1.35};
  core.kernels = {kernel(4, 16), kernel(3, 32), kernel(1, 16), kernel(1, 32)};
  core.cycles_per_gathered = 0.2;
  return groups_s16(layer, core);
}

}  // namespace nibble
