// The inner functions of the 16x8 scheme on RV32IM (lower/scalar/groups_s16.h): four pixels by four
// channels, 40 instructions for 16 multiply-accumulates, or one pixel by eight channels, 25 for 8.
#include "lower/scalar/groups_s16.h"

#include <algorithm>

namespace nibble {
namespace {

// a0 window, a1 weights, a2 sums, a3 pitch, a4 window_end.
GroupsKernel four_pixels() {
  constexpr const char* kPixels[] = {"a0", "a3", "a5", "a6"};
  constexpr const char* kAccs[] = {"s0", "s1", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                   "s8", "s9", "s10", "s11", "t6", "a7", "ra", "a2"};
  constexpr int kSaved = 12, kFrameBytes = 64, kStep = 4;
  GroupsKernel result;
  result.pixels = 4, result.lanes = 4;
  Assembly& code = result.body;
  code.op("addi sp, sp, -{}", kFrameBytes);
  for (int i = 0; i < kSaved; ++i) code.op("sw {}, {}(sp)", kAccs[i], 4 * i);
  code.op("sw ra, 48(sp)");
  code.op("sw a2, 52(sp)");
  code.op("add a5, a0, a3");
  code.op("add a6, a5, a3");
  code.op("add t0, a6, a3");
  // Pixels in turn: a0, a0 + pitch, + 2 pitch, + 3 pitch.
  code.op("mv a3, a5");
  code.op("mv a5, a6");
  code.op("mv a6, t0");
  for (const char* acc : kAccs) code.op("li {}, 0", acc);
  code.label(1);
  for (int tap = 0; tap < kStep; ++tap) {
    for (int pixel = 0; pixel < 4; ++pixel)
      code.op("lh t{}, {}({})", pixel, 2 * tap, kPixels[pixel]);
    for (int lane = 0; lane < 4; ++lane) {
      code.op("lb t4, {}(a1)", 4 * tap + lane);
      for (int pixel = 0; pixel < 4; ++pixel) {
        code.op("mul t5, t{}, t4", pixel);
        code.op("add {0}, {0}, t5", kAccs[4 * pixel + lane]);
      }
    }
  }
  for (const char* pixel : kPixels) code.op("addi {0}, {0}, {1}", pixel, 2 * kStep);
  code.op("addi a1, a1, {}", 4 * kStep);
  code.op("bne a0, a4, 1b");
  code.op("lw t0, 52(sp)");
  for (int i = 0; i < 16; ++i) code.op("sw {}, {}(t0)", kAccs[i], 4 * i);
  for (int i = 0; i < kSaved; ++i) code.op("lw {}, {}(sp)", kAccs[i], 4 * i);
  code.op("lw ra, 48(sp)");
  code.op("addi sp, sp, {}", kFrameBytes);
  code.op("ret");
  result.cycles_per_step = 4 * 40 + 6;
  result.cycles_per_call = 80;
  result.cycles_per_output = 14;
  return result;
}

GroupsKernel one_pixel() {
  constexpr const char* kAccs[] = {"t3", "t4", "t5", "t6", "a3", "a5", "a6", "a7"};
  GroupsKernel result;
  result.pixels = 1, result.lanes = 8;
  Assembly& code = result.body;
  for (const char* acc : kAccs) code.op("li {}, 0", acc);
  code.label(1);
  for (int tap = 0; tap < 4; ++tap) {
    code.op("lh t0, {}(a0)", 2 * tap);
    for (int lane = 0; lane < 8; ++lane) {
      code.op("lb t1, {}(a1)", 8 * tap + lane);
      code.op("mul t1, t1, t0");
      code.op("add {0}, {0}, t1", kAccs[lane]);
    }
  }
  code.op("addi a0, a0, 8");
  code.op("addi a1, a1, 32");
  code.op("bne a0, a4, 1b");
  for (int i = 0; i < 8; ++i) code.op("sw {}, {}(a2)", kAccs[i], 4 * i);
  code.op("ret");
  result.cycles_per_step = 4 * 25 + 3;
  result.cycles_per_call = 30;
  result.cycles_per_output = 16;
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_groups_s16_rv32(const LayerView& layer,
                                                    const LowerOptions& options) {
  // Compilers make more of the portable kernels where there are vectors.
  if (has(options, Isa::kRvv)) return {};
  GroupsCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.fit = {800, 1.2};
  core.kernels = {four_pixels(), one_pixel()};
  core.cycles_per_gathered = 1.5;
  return groups_s16(layer, core);
}

}  // namespace nibble
