// Inner products in words (kernels/common/words_s8.h) on RV32IM: two pixels by four channels. Per
// group of four taps: twelve loads, and for each pixel and channel MUL, MUL, ADD, ADD, SRAI, ADD:
// 60 instructions for 32 multiply-accumulates.
#include "lower/scalar/words.h"

#include "lower/rv32/rescale.h"
#include "lower/scalar/words_fields.h"

namespace nibble {
namespace {

constexpr int kLanes = 4, kPixels = 2, kUnrolled = 2;
constexpr int kFrameBytes = 32;

Assembly widen() {
  Assembly code;
  code.op("li t0, 0x80808080");
  code.op("li t1, 0x00ff00ff");
  code.op("li t2, 0x00800080");
  code.op("slli a2, a2, 2");
  code.op("add a2, a2, a0");
  code.label(1);
  code.op("lw a3, 0(a0)");
  code.op("addi a0, a0, 4");
  code.op("addi a1, a1, 8");
  code.op("xor a3, a3, t0");
  code.op("srli a4, a3, 8");
  code.op("and a3, a3, t1");
  code.op("and a4, a4, t1");
  code.op("sub a3, a3, t2");
  code.op("sub a4, a4, t2");
  code.op("sw a3, -8(a1)");
  code.op("sw a4, -4(a1)");
  code.op("bne a0, a2, 1b");
  code.op("ret");
  return code;
}

// a1 a2 sources of the pixels, a3 weights, a4-a7 words of the sources, s0-s7 accumulators (lane by
// lane), t0-t3 weights and products, t4 0x8000, which turns the borrow of a product's lower half
// into none.
void groups(Assembly& code, int count) {
  for (int group = 0; group < count; ++group) {
    for (int word = 0; word < 4; ++word)
      code.op("lw a{}, {}(a{})", 4 + word, 8 * group + 4 * (word % 2), 1 + word / 2);
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int word = 0; word < 2; ++word)
        code.op("lw t{}, {}(a3)", word, 8 * (kLanes * group + lane) + 4 * word);
      code.op("mul t2, a4, t0");
      code.op("mul t3, a6, t0");
      code.op("mul t0, a5, t1");
      code.op("mul t1, a7, t1");
      code.op("add t2, t2, t4");
      code.op("add t3, t3, t4");
      code.op("add t2, t2, t0");
      code.op("add t3, t3, t1");
      for (int pixel = 0; pixel < kPixels; ++pixel) code.op("srai t{0}, t{0}, 16", 2 + pixel);
      for (int pixel = 0; pixel < kPixels; ++pixel)
        code.op("add s{0}, s{0}, t{1}", 2 * lane + pixel, 2 + pixel);
    }
  }
  code.op("addi a1, a1, {}", 8 * count);
  code.op("addi a3, a3, {}", 8 * kLanes * count);
  code.op("addi a2, a2, {}", 8 * count);
}

// a1 a2 destinations of the pixels, a3 rescaling.
void store(Assembly& code, const RescaleStage& stage) {
  for (int lane = 0; lane < kLanes; ++lane) {
    rescale_load_rv32(code, "a3", 12 * lane);
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      rescale_rv32(code, stage, fmt::format("s{}", 2 * lane + pixel));
      code.op("sb t3, {}(a{})", lane, 1 + pixel);
    }
  }
}

// Second := first + step, or first where one pixel is left (t5 is their number).
void second_pixel(Assembly& code, int field) {
  code.op("lw a1, {}(a0)", field);
  code.op("mv a2, a1");
  code.op("blt t5, t6, 9f");
  code.op("lw a2, {}(a0)", field + 4);
  code.op("add a2, a2, a1");
  code.label(9);
}

void saved(Assembly& code, const char* instruction) {
  for (int i = 0; i < 8; ++i) code.op("{} s{}, {}(sp)", instruction, i, 4 * i);
}

// s0-s7 := start values with the extras; a1, a2 are the pixels' sources.
void start(Assembly& code) {
  code.op("lw a3, {}(a0)", kWordsStart);
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("lw s{}, {}(a3)", 2 * lane, 4 * lane);
    code.op("mv s{}, s{}", 2 * lane + 1, 2 * lane);
  }
  code.op("lw a3, {}(a0)", kWordsExtras);
  code.op("lw t0, 0(a3)");
  code.op("beqz t0, 3f");
  code.op("addi a3, a3, 4");
  for (int lane = 0; lane < kLanes; ++lane) {
    code.op("lhu t0, 0(a3)");
    code.op("addi a3, a3, 2");
    code.op("beqz t0, 2f");
    code.label(1);
    code.op("lhu t1, 0(a3)");
    code.op("lh t2, 2(a3)");
    code.op("add a4, a1, t1");
    code.op("add a5, a2, t1");
    code.op("lh a4, 0(a4)");
    code.op("lh a5, 0(a5)");
    code.op("addi a3, a3, 4");
    code.op("mul a4, a4, t2");
    code.op("mul a5, a5, t2");
    code.op("addi t0, t0, -1");
    code.op("add s{0}, s{0}, a4", 2 * lane);
    code.op("add s{0}, s{0}, a5", 2 * lane + 1);
    code.op("bnez t0, 1b");
    code.label(2);
  }
  code.label(3);
}

Assembly block(const RescaleStage& stage) {
  Assembly code;
  code.op("addi sp, sp, -{}", kFrameBytes);
  saved(code, "sw");
  code.op("li t4, 0x8000");
  code.label(10);  // two pixels
  code.op("lw t5, {}(a0)", kWordsPixels);
  code.op("li t6, 2");
  second_pixel(code, kWordsX);
  start(code);
  code.op("lw a3, {}(a0)", kWordsWeights);
  code.op("lw t6, {}(a0)", kWordsRuns);
  code.label(2);  // a run
  code.op("lw t5, {}(a0)", kWordsRunGroups);
  code.op("andi t0, t5, 1");
  code.op("beqz t0, 3f");
  groups(code, 1);
  code.label(3);
  code.op("srli t5, t5, 1");
  code.op("beqz t5, 5f");
  code.label(4);
  groups(code, kUnrolled);
  code.op("addi t5, t5, -1");
  code.op("bnez t5, 4b");
  code.label(5);
  code.op("addi t6, t6, -1");
  code.op("beqz t6, 6f");
  code.op("lw t0, {}(a0)", kWordsRunSkip);
  code.op("add a1, a1, t0");
  code.op("add a2, a2, t0");
  code.op("j 2b");
  code.label(6);
  code.op("lw t5, {}(a0)", kWordsPixels);
  code.op("li t6, 2");
  second_pixel(code, kWordsDst);
  code.op("lw a3, {}(a0)", kWordsRescale);
  store(code, stage);
  code.op("ble t5, t6, 7f");
  for (int field : {kWordsX, kWordsDst}) {
    code.op("lw a1, {}(a0)", field);
    code.op("lw a2, {}(a0)", field + 4);
    code.op("slli a2, a2, 1");
    code.op("add a1, a1, a2");
    code.op("sw a1, {}(a0)", field);
  }
  code.op("addi t5, t5, -2");
  code.op("sw t5, {}(a0)", kWordsPixels);
  code.op("j 10b");
  code.label(7);
  saved(code, "lw");
  code.op("addi sp, sp, {}", kFrameBytes);
  code.op("ret");
  return code;
}

WordsCore core() {
  WordsCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.fit = {0, 1.45};
  core.lanes = kLanes;
  core.widen = widen;
  core.block = block;
  core.forms = kRv32Forms;
  core.cycles_of_form = rescale_cycles_rv32;
  core.cycles_per_group = 60 / 8.0 + 0.5;
  core.cycles_per_output = 6;
  core.cycles_per_run = 8;
  core.cycles_per_widened = 12;
  core.bytes_per_instruction = 3;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s8_rv32(const LayerView& layer, const LowerOptions&) {
  return conv2d_words(layer, core());
}

}  // namespace nibble
