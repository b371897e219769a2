// Lines of a depthwise convolution (kernels/depthwise_conv2d/depthwise_conv2d_s8_planes.h) on
// RV32IM: eight outputs at once, for each tap two loads, two additions, and LW, MUL, ADD per
// output.
#include "lower/rv32/rescale.h"
#include "lower/scalar/planes.h"

namespace nibble {
namespace {

constexpr int kFull = 20;
const char* const kAccs[] = {"t4", "t5", "t6", "s0", "s1", "a5", "a6", "a7"};

// a1 words of the plane, a2 list of taps, a3 weight, t0-t3 elements.
void tap(Assembly& code, int outputs) {
  code.op("lw a4, 4(a2)");
  code.op("lw a3, 0(a2)");
  code.op("addi a2, a2, 8");
  code.op("add a1, a1, a4");
  for (int first = 0; first < outputs; first += 4) {
    int count = std::min(4, outputs - first);
    for (int i = 0; i < count; ++i) code.op("lw t{}, {}(a1)", i, 4 * (first + i));
    for (int i = 0; i < count; ++i) code.op("mul t{0}, t{0}, a3", i);
    for (int i = 0; i < count; ++i) code.op("add {0}, {0}, t{1}", kAccs[first + i], i);
  }
  code.op("addi a1, a1, {}", 4 * outputs);
}

// Stores the outputs from the last to the first; fewer at the end of the line.
void store(Assembly& code, const PlanesLine& line) {
  code.op("lw a1, {}(a0)", kLineDst);
  code.op("lw a2, {}(a0)", kLineDstStep);
  code.op("lw a3, {}(a0)", kLineCount);
  code.op("lw t0, {}(a0)", kLineX);
  code.op("li t1, {}", line.outputs);
  code.op("mul t2, t1, a2");
  code.op("add a1, a1, t2");
  code.op("addi t0, t0, {}", 4 * line.outputs);
  code.op("sub t2, a3, t1");
  code.op("sw a1, {}(a0)", kLineDst);
  code.op("sw t0, {}(a0)", kLineX);
  code.op("sw t2, {}(a0)", kLineCount);
  code.op("bgez t2, 3f");
  code.op("mul t2, t2, a2");
  code.op("add a1, a1, t2");
  code.label(3);
  code.op("lw a4, {}(a0)", kLineRescale);
  rescale_load_rv32(code, "a4", 4);
  code.op("li t3, {}", line.outputs);
  code.op("blt a3, t3, 4f");
  code.op("j {}f", kFull + line.outputs);
  code.label(4);
  for (int i = 1; i < line.outputs; ++i) {
    code.op("li t3, {}", i);
    code.op("bne a3, t3, 4f");
    code.op("j {}f", kFull + i);
    code.label(4);
  }
  for (int i = line.outputs; i > 0; --i) {
    code.label(kFull + i);
    rescale_rv32(code, line.stage, kAccs[i - 1]);
    code.op("sub a1, a1, a2");
    code.op("sb t3, 0(a1)");
  }
}

Assembly body(const PlanesLine& line) {
  Assembly code;
  code.op("addi sp, sp, -16");
  code.op("sw s0, 0(sp)");
  code.op("sw s1, 4(sp)");
  code.label(1);
  code.op("lw a1, {}(a0)", kLineRescale);
  code.op("lw {}, 0(a1)", kAccs[0]);
  code.op("lw a2, {}(a0)", kLineTaps);
  code.op("lw a1, {}(a0)", kLineX);
  for (int i = 1; i < line.outputs; ++i) code.op("mv {}, {}", kAccs[i], kAccs[0]);
  if (line.unrolled() == line.taps) {
    for (int i = 0; i < line.taps; ++i) tap(code, line.outputs);
  } else {
    code.label(2);
    for (int i = 0; i < line.unrolled(); ++i) tap(code, line.outputs);
    code.op("lw t0, {}(a0)", kLineTaps);
    code.op("addi t0, t0, {}", 8 * line.taps);
    code.op("beq a2, t0, 5f");
    code.op("j 2b");
    code.label(5);
  }
  store(code, line);
  code.op("lw t0, {}(a0)", kLineCount);
  code.op("blez t0, 6f");
  code.op("j 1b");
  code.label(6);
  code.op("lw s0, 0(sp)");
  code.op("lw s1, 4(sp)");
  code.op("addi sp, sp, 16");
  code.op("ret");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s8_rv32(const LayerView& layer,
                                                             const LowerOptions&) {
  // The distance to the end of the list is an immediate operand.
  if (layer.field("k_h") * layer.field("k_w") > 255) return {};
  PlanesCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.fit = {300, 1};
  core.outputs = {3, 5, 6, 8};
  core.line = body;
  core.forms = kRv32Forms;
  core.cycles_of_form = rescale_cycles_rv32;
  core.per_group = 40;
  core.per_tap = 5;
  core.per_product = 3;
  core.per_output = 4;
  core.per_word = 6;
  return depthwise_planes(layer, core);
}

}  // namespace nibble
