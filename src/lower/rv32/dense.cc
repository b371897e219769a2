// Blocks of four outputs of a dense layer (kernels/dense/dense_s8_sums.h) on RV32IM: nine
// instructions for four taps of an output.
#include "lower/scalar/dense.h"

#include "lower/rv32/rescale.h"

namespace nibble {
namespace {

constexpr int kLanes = 4;

// a1 x, a2 weights, a3 q, a4 a5 words of the source, a6 mask, t0-t3 weights, t4-t6 s0
// accumulators, s1 odd bytes.
const char* const kAccs[] = {"t4", "t5", "t6", "s0"};

void sum(Assembly& code) {
  code.op("lw a3, 0(a1)");
  code.op("lw a4, 4(a1)");
  code.op("lw a5, 8(a1)");
  for (int lane = 0; lane < kLanes; ++lane) code.op("lw t{}, {}(a2)", lane, 4 * lane);
  code.op("addi a1, a1, 12");
  code.op("addi a2, a2, {}", 4 * kLanes);
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("srli s1, t{}, 8", lane);
    code.op("and s1, s1, a6");
    code.op("mul t{0}, t{0}, a4", lane);
    code.op("mul s1, s1, a5");
    code.op("add t{0}, t{0}, a3", lane);
    code.op("add t{0}, t{0}, s1", lane);
    code.op("srai t{0}, t{0}, 16", lane);
    code.op("add {0}, {0}, t{1}", kAccs[lane], lane);
  }
}

// The start values and extras to the accumulators; they pass through the stack.
void starts(Assembly& code) {
  code.op("lw a1, {}(a0)", kDenseStartLow);
  code.op("lw a2, {}(a0)", kDenseStartHigh);
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("lhu t0, {}(a1)", 2 * lane);
    code.op("lb t1, {}(a2)", lane);
    code.op("slli t1, t1, 16");
    code.op("add t0, t0, t1");
    code.op("sw t0, {}(sp)", 4 * lane);
  }
  code.op("addi a1, a1, {}", 2 * kLanes);
  code.op("addi a2, a2, {}", kLanes);
  code.op("sw a1, {}(a0)", kDenseStartLow);
  code.op("sw a2, {}(a0)", kDenseStartHigh);
  code.op("lw a1, {}(a0)", kDenseExtras);
  code.op("lw a2, {}(a0)", kDenseBlock);
  code.label(2);
  code.op("lw t0, 0(a1)");
  code.op("slli t1, t0, 6");
  code.op("srli t1, t1, 6");
  code.op("bne t1, a2, 3f");
  code.op("lw a3, {}(a0)", kDenseX);
  code.op("lhu t1, 4(a1)");
  code.op("lb a4, 6(a1)");
  code.op("lb a5, 7(a1)");
  code.op("addi a1, a1, 8");
  code.op("add a3, a3, t1");
  code.op("lh t2, 0(a3)");
  code.op("lw t3, 4(a3)");
  code.op("slli t1, t2, 8");
  code.op("add t3, t3, t1");
  code.op("slli t3, t3, 16");
  code.op("srai t3, t3, 16");
  code.op("mul t2, t2, a4");
  code.op("mul t3, t3, a5");
  code.op("add t2, t2, t3");
  code.op("srli t0, t0, 26");
  code.op("slli t0, t0, 2");
  code.op("add t0, t0, sp");
  code.op("lw t3, 0(t0)");
  code.op("add t3, t3, t2");
  code.op("sw t3, 0(t0)");
  code.op("j 2b");
  code.label(3);
  code.op("addi a2, a2, 1");
  code.op("sw a1, {}(a0)", kDenseExtras);
  code.op("sw a2, {}(a0)", kDenseBlock);
  for (int lane = 0; lane < kLanes; ++lane) code.op("lw {}, {}(sp)", kAccs[lane], 4 * lane);
}

Assembly blocks(const DenseBlocks& dense) {
  Assembly code;
  code.op("addi sp, sp, -32");
  code.op("sw s0, 16(sp)");
  code.op("sw s1, 20(sp)");
  code.label(1);
  starts(code);
  code.op("li a6, 0x00ff00ff");
  code.op("lw a1, {}(a0)", kDenseX);
  code.op("lw a2, {}(a0)", kDenseWeights);
  code.op("lw a7, {}(a0)", kDenseSums);
  code.op("andi t0, a7, 1");
  code.op("srli a7, a7, 1");
  code.op("beqz t0, 4f");
  sum(code);
  code.op("beqz a7, 5f");
  code.label(4);
  for (int i = 0; i < 2; ++i) sum(code);
  code.op("addi a7, a7, -1");
  code.op("bnez a7, 4b");
  code.label(5);
  code.op("sw a2, {}(a0)", kDenseWeights);
  code.op("lw a1, {}(a0)", kDenseDst);
  code.op("lw a2, {}(a0)", kDenseRescale);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (lane == 0 || !dense.uniform) rescale_load_rv32(code, "a2", dense.uniform ? 0 : 12 * lane);
    rescale_rv32(code, dense.stage, kAccs[lane]);
    code.op("sb t3, {}(a1)", lane);
  }
  code.op("addi a1, a1, {}", kLanes);
  code.op("sw a1, {}(a0)", kDenseDst);
  if (!dense.uniform) {
    code.op("addi a2, a2, {}", 12 * kLanes);
    code.op("sw a2, {}(a0)", kDenseRescale);
  }
  code.op("lw t0, {}(a0)", kDenseBlocks);
  code.op("addi t0, t0, -1");
  code.op("sw t0, {}(a0)", kDenseBlocks);
  code.op("beqz t0, 6f");
  code.op("j 1b");
  code.label(6);
  code.op("lw s0, 16(sp)");
  code.op("lw s1, 20(sp)");
  code.op("addi sp, sp, 32");
  code.op("ret");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_dense_s8_rv32(const LayerView& layer, const LowerOptions&) {
  DenseCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.fit = {210, 0.9};
  core.lanes = kLanes;
  core.groups = {1};
  core.blocks = blocks;
  core.forms = kRv32Forms;
  core.cycles_of_form = rescale_cycles_rv32;
  core.per_group = 9;
  core.per_sum = 6;
  core.per_output = 25;
  return dense_by_sums(layer, core);
}

}  // namespace nibble
