// The counter's decoders against instructions whose class and registers stand beside them:
// encodings from the manuals, and whole tables that the assembler encodes.
#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "base/file.h"
#include "run/decode_rv32.h"
#include "run/decode_thumb.h"
#include "support/shell.h"
#include "support/tools.h"

namespace nibble {
namespace {

using Decode = nibble_decoded (*)(const uint16_t[2]);

constexpr std::string_view kClassNames[] = {
#define NIBBLE_NAME(name) #name,
    NIBBLE_MIX_CLASSES(NIBBLE_NAME)
#undef NIBBLE_NAME
};

uint32_t mask(std::initializer_list<int> registers) {
  uint32_t bits = 0;
  for (int number : registers) bits |= uint32_t{1} << number;
  return bits;
}

struct Case {
  std::string text;
  std::string_view what;
  uint32_t reads = 0, loads = 0;
  unsigned words = 0;
};

void expect_decoded(const nibble_decoded& insn, const Case& c) {
  EXPECT_EQ(kClassNames[insn.what], c.what) << c.text;
  EXPECT_EQ(insn.reads, c.reads) << c.text << ": registers read";
  EXPECT_EQ(insn.loads, c.loads) << c.text << ": register loaded";
  EXPECT_EQ(insn.words, c.words) << c.text << ": words";
}

// Assembles the cases in their order and decodes what comes out.
void expect_assembled(const std::string& assembler, const std::string& objcopy,
                      const std::string& head, const std::vector<Case>& cases, Decode decode,
                      bool is_long(uint16_t)) {
  Result<TempDir> dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  std::string source = head;
  for (const Case& c : cases) source += "1: " + c.text + "\n";
  std::ofstream(dir->path() / "code.s") << source;
  const ShellResult built = run_shell(
      assembler + " code.s -o code.o && " + objcopy + " -O binary -j .text code.o code.bin",
      dir->path(), "/");
  ASSERT_EQ(built.exit_code, 0) << built.err;
  Result<std::vector<uint8_t>> bytes = read_file(dir->path() / "code.bin");
  ASSERT_TRUE(bytes.ok());
  size_t at = 0;
  auto half = [&] {
    const auto value = static_cast<uint16_t>((*bytes)[at] | (*bytes)[at + 1] << 8);
    at += 2;
    return value;
  };
  for (const Case& c : cases) {
    ASSERT_LE(at + 2, bytes->size()) << c.text;
    uint16_t halves[2] = {half(), 0};
    if (is_long(halves[0])) halves[1] = half();
    expect_decoded(decode(halves), c);
  }
}

bool is_wide(uint16_t first) { return first >> 11 >= 29; }
bool is_full(uint16_t first) { return (first & 3) == 3; }

// Armv6-M Architecture Reference Manual, A6.7.
TEST(DecodeThumb, KnowsEncodingsOfTheManual) {
  struct Known {
    uint16_t first, second;
    Case expected;
  };
  const Known known[] = {
      {0x6848, 0, {"ldr r0, [r1, #4]", "load", mask({1}), mask({0})}},
      {0x4b01, 0, {"ldr r3, [pc, #4]", "load", 0, mask({3})}},
      {0x5453, 0, {"strb r3, [r2, r1]", "store", mask({1, 2, 3})}},
      {0xb5f0, 0, {"push {r4-r7, lr}", "store_multiple", mask({4, 5, 6, 7, 13, 14}), 0, 5}},
      {0xbdf0, 0, {"pop {r4-r7, pc}", "load_multiple", mask({13}), mask({7}), 5}},
      {0x4348, 0, {"muls r0, r1", "multiply", mask({0, 1})}},
      {0x1888, 0, {"adds r0, r1, r2", "alu", mask({1, 2})}},
      {0x3b01, 0, {"subs r3, #1", "alu", mask({3})}},
      {0xd1fd, 0, {"bne", "branch"}},
      {0x4770, 0, {"bx lr", "branch", mask({14})}},
      {0xb131, 0, {"cbz r1", "branch", mask({1})}},
      {0xf7ff, 0xfffe, {"bl", "branch"}},
      {0xe8bd, 0x81f0, {"pop {r4-r8, pc}", "load_multiple", mask({13}), mask({8}), 6}},
      {0xe9d1, 0x2300, {"ldrd r2, r3, [r1]", "load_multiple", mask({1}), mask({3}), 2}},
      {0xfb21, 0x0302, {"smlad r3, r1, r2, r0", "multiply", mask({0, 1, 2})}},
      {0xfb81, 0x2304, {"smull r2, r3, r1, r4", "multiply_long", mask({1, 4})}},
      {0xf00f, 0xc801, {"le lr", "loop"}},
  };
  for (const Known& k : known) {
    const uint16_t halves[2] = {k.first, k.second};
    expect_decoded(nibble_decode_thumb(halves), k.expected);
  }
}

TEST(DecodeThumb, KnowsWhatTheAssemblerWritesOfIntegers) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-as", "arm-none-eabi-objcopy");
  const std::vector<Case> cases = {
      {"movs r1, #3", "alu"},
      {"cmp r1, #3", "alu", mask({1})},
      {"lsls r1, r2, #3", "alu", mask({2})},
      {"adds r1, r2, #3", "alu", mask({2})},
      {"ands r1, r2", "alu", mask({1, 2})},
      {"mvns r1, r2", "alu", mask({2})},
      {"mov r9, r2", "alu", mask({2})},
      {"add r9, r2", "alu", mask({2, 9})},
      {"sxtb r1, r2", "alu", mask({2})},
      {"add sp, #8", "alu", mask({13})},
      {"add r1, sp, #8", "alu", mask({13})},
      {"nop", "alu"},
      {"ldrsh r1, [r2, r3]", "load", mask({2, 3}), mask({1})},
      {"str r1, [r2, r3]", "store", mask({1, 2, 3})},
      {"ldrh r1, [r2, #4]", "load", mask({2}), mask({1})},
      {"str r1, [sp, #4]", "store", mask({1, 13})},
      {"ldr r1, [sp, #4]", "load", mask({13}), mask({1})},
      {"ldmia r1!, {r2, r3}", "load_multiple", mask({1}), mask({3}), 2},
      {"stmia r1!, {r2, r3}", "store_multiple", mask({1, 2, 3}), 0, 2},
      {"blx r3", "branch", mask({3})},
      {"b.n 1b", "branch"},
      {"b.w 1b", "branch"},
      {"bne.w 1b", "branch"},
      {"add.w r1, r2, r3, lsl #2", "alu", mask({2, 3})},
      {"mov.w r1, r9", "alu", mask({9})},
      {"movw r1, #1234", "alu"},
      {"movt r1, #1234", "alu", mask({1})},
      {"mov.w r1, #0x10001", "alu"},
      {"add.w r1, r2, #0x1000", "alu", mask({2})},
      {"ubfx r1, r2, #3, #4", "alu", mask({2})},
      {"ssat r1, #8, r2", "alu", mask({2})},
      {"sxtb16 r1, r2, ror #8", "alu", mask({2})},
      {"sxtab16 r1, r2, r3", "alu", mask({2, 3})},
      {"pkhbt r1, r2, r3, lsl #16", "alu", mask({2, 3})},
      {"sel r1, r2, r3", "alu", mask({2, 3})},
      {"clz r1, r2", "alu", mask({2})},
      {"mrs r1, primask", "alu", 0},
      {"dsb sy", "alu", 0},
      {"ldr.w r1, [r2], #4", "load", mask({2}), mask({1})},
      {"ldr.w r1, [r2, r3, lsl #2]", "load", mask({2, 3}), mask({1})},
      {"ldrsb.w r9, [r2, #-3]", "load", mask({2}), mask({9})},
      {"str.w r9, [r2, #64]", "store", mask({2, 9})},
      {"strd r2, r3, [r1], #8", "store_multiple", mask({1, 2, 3}), 0, 2},
      {"stmdb sp!, {r4-r11, lr}", "store_multiple", mask({4, 5, 6, 7, 8, 9, 10, 11, 13, 14}), 0, 9},
      {"ldrex r1, [r2]", "load", mask({2}), mask({1})},
      {"tbb [r1, r2]", "load", mask({1, 2})},
      {"mla r1, r2, r3, r4", "multiply", mask({2, 3, 4})},
      {"mul.w r1, r2, r9", "multiply", mask({2, 9})},
      {"smlabt r1, r2, r3, r4", "multiply", mask({2, 3, 4})},
      {"smmlar r1, r2, r3, r4", "multiply", mask({2, 3, 4})},
      {"smuad r1, r2, r3", "multiply", mask({2, 3})},
      {"umlal r1, r2, r3, r4", "multiply_long", mask({1, 2, 3, 4})},
      {"smlald r1, r2, r3, r4", "multiply_long", mask({1, 2, 3, 4})},
      {"sdiv r1, r2, r3", "divide", mask({2, 3})},
      {"udiv r1, r2, r3", "divide", mask({2, 3})},
      {"vldr s0, [r1]", "load", mask({1})},
      {"vstr d0, [r1]", "store_multiple", mask({1}), 0, 2},
      {"vldmia r1!, {s0-s3}", "load_multiple", mask({1}), 0, 4},
      {"vpush {d8-d9}", "store_multiple", mask({13}), 0, 4},
      {"vmov s0, r1", "fpu", mask({1})},
      {"vmov r1, s0", "fpu"},
      {"vmov r1, r2, d0", "fpu"},
      {"vmla.f32 s0, s1, s2", "fpu"},
      {"vcvt.s32.f32 s0, s1", "fpu"},
      {"vmrs apsr_nzcv, fpscr", "fpu"},
      {"vdiv.f32 s0, s1, s2", "fpu_divide"},
      {"vsqrt.f32 s0, s1", "fpu_divide"},
  };
  expect_assembled("arm-none-eabi-as -mcpu=cortex-m7 -mfpu=fpv5-d16 -mthumb",
                   "arm-none-eabi-objcopy", ".syntax unified\n.thumb\n", cases, nibble_decode_thumb,
                   is_wide);
}

TEST(DecodeThumb, KnowsWhatTheAssemblerWritesOfHelium) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-as", "arm-none-eabi-objcopy");
  const std::string_view load = "vector_load", store = "vector_store";
  const std::string_view multiply = "vector_multiply", other = "vector_other";
  const std::vector<Case> cases = {
      {"wls lr, r1, 9f", "loop", mask({1})},
      {"dls lr, r1", "loop", mask({1})},
      {"9: nop", "alu"},
      {"le lr, 1b", "loop"},
      {"vldrw.u32 q0, [r1], #16", load, mask({1})},
      {"vldrb.s16 q0, [r1]", load, mask({1})},
      {"vldrb.u8 q0, [r1, q1]", load, mask({1})},
      {"vld20.8 {q0, q1}, [r1]", load, mask({1})},
      {"vstrb.8 q0, [r1], #16", store, mask({1})},
      {"vstrb.32 q0, [r1]", store, mask({1})},
      {"vst43.16 {q0, q1, q2, q3}, [r1]", store, mask({1})},
      {"vmladava.s8 r0, q0, q1", multiply},
      {"vmladav.s16 r0, q0, q1", multiply},
      {"vmladavax.s32 r0, q0, q1", multiply},
      {"vmladava.u8 r0, q0, q1", multiply},
      {"vmlaldava.s16 r0, r1, q0, q1", multiply},
      {"vrmlaldavha.s32 r0, r1, q0, q1", multiply},
      {"vmla.s8 q0, q1, r1", multiply},
      {"vmlas.s16 q0, q1, r1", multiply},
      {"vmul.i16 q0, q1, q2", multiply},
      {"vmul.i32 q0, q1, r1", multiply},
      {"vmullb.s8 q0, q1, q2", multiply},
      {"vmullt.u16 q0, q1, q2", multiply},
      {"vmulh.s32 q0, q1, q2", multiply},
      {"vrmulh.u32 q0, q1, q2", multiply},
      {"vqdmulh.s32 q0, q1, q2", multiply},
      {"vqrdmulh.s32 q0, q1, q2", multiply},
      {"vqrdmulh.s32 q0, q1, r1", multiply},
      {"vqdmlah.s32 q0, q1, r1", multiply},
      {"vqdmullb.s16 q0, q1, q2", multiply},
      {"vqdmullt.s32 q0, q1, r1", multiply},
      {"vmul.f32 q0, q1, q2", multiply},
      {"vfma.f32 q0, q1, q2", multiply},
      {"vadd.i32 q0, q1, q2", other},
      {"vadd.i32 q0, q1, r1", other},
      {"vhadd.s8 q0, q1, r1", other},
      {"vadd.f32 q0, q1, q2", other},
      {"vabd.f32 q0, q1, q2", other},
      {"vsub.i8 q0, q1, q2", other},
      {"vmax.s8 q0, q1, q2", other},
      {"vmaxv.s8 r0, q1", other},
      {"vaddva.s32 r0, q1", other},
      {"vaddlva.s32 r0, r1, q1", other},
      {"vabav.s8 r0, q1, q2", other},
      {"vshl.i32 q0, q1, #3", other},
      {"vrshl.s32 q0, q1, q2", other},
      {"vrshr.s32 q0, q1, #3", other},
      {"vrshl.s32 q0, r1", other},
      {"vmovlb.s8 q0, q1", other},
      {"vmovnb.i16 q0, q1", other},
      {"vqmovnb.s32 q0, q1", other},
      {"vqmovunt.s16 q0, q1", other},
      {"vqrshrnb.s32 q0, q1, #3", other},
      {"vbrsr.8 q0, q1, r1", other},
      {"vmov.i32 q0, #0", other},
      {"vmov q0, q1", other},
      {"vand q0, q1, q2", other},
      {"vdup.32 q0, r1", other, mask({1})},
      {"vcmp.s32 ge, q0, q1", other},
      {"vpst", other},
      {"vaddt.i32 q0, q1, q2", other},
      {"vctp.8 r1", other, mask({1})},
      {"vpsel q0, q1, q2", other},
      {"vidup.u32 q0, r0, #1", other},
      {"vcvt.s32.f32 q0, q1", other},
      {"vmov.32 q0[1], r1", "fpu", mask({1})},
  };
  expect_assembled("arm-none-eabi-as -march=armv8.1-m.main+mve.fp+fp.dp -mthumb",
                   "arm-none-eabi-objcopy", ".syntax unified\n.thumb\n", cases, nibble_decode_thumb,
                   is_wide);
}

TEST(DecodeRv32, KnowsWhatTheAssemblerWrites) {
  NIBBLE_NEED_TOOLS("riscv64-unknown-elf-as", "riscv64-unknown-elf-objcopy");
  const std::vector<Case> cases = {
      {"lw a0, 4(a1)", "load", mask({11}), mask({10})},
      {"lbu t0, -1(t1)", "load", mask({6}), mask({5})},
      {"lw a0, 4(sp)", "load", mask({2}), mask({10})},
      {"sw a0, 4(a1)", "store", mask({10, 11})},
      {"sb t0, 4(t1)", "store", mask({5, 6})},
      {"sw t0, 4(sp)", "store", mask({2, 5})},
      {"addi t0, t1, 100", "alu", mask({6})},
      {"addi t0, t0, -1", "alu", mask({5})},
      {"addi sp, sp, -64", "alu", mask({2})},
      {"addi a0, sp, 8", "alu", mask({2})},
      {"li a0, 5", "alu"},
      {"lui a0, 0x12345", "alu"},
      {"lui t6, 3", "alu"},
      {"mv a0, a1", "alu", mask({11})},
      {"add a0, a0, a1", "alu", mask({10, 11})},
      {"sub a0, a1, t0", "alu", mask({5, 11})},
      {"sub a0, a0, a1", "alu", mask({10, 11})},
      {"slli a0, a0, 3", "alu", mask({10})},
      {"srai a0, a0, 3", "alu", mask({10})},
      {"mul a0, a1, a2", "multiply", mask({11, 12})},
      {"mulhu a0, a1, a2", "multiply_long", mask({11, 12})},
      {"div a0, a1, a2", "divide", mask({11, 12})},
      {"remu a0, a1, a2", "divide", mask({11, 12})},
      {"beqz a0, 1b", "branch", mask({10})},
      {"bne t0, t1, 1b", "branch", mask({5, 6})},
      {"j 1b", "branch"},
      {"jr t0", "branch", mask({5})},
      {"ret", "branch", mask({1})},
      {"jalr ra, 8(t0)", "branch", mask({5})},
      {"amoadd.w a0, a1, (a2)", "load", mask({11, 12}), mask({10})},
      {"sc.w a0, a1, (a2)", "store", mask({11, 12})},
      {"ebreak", "alu"},
      {"fence", "alu"},
      {"flw fa0, 4(a1)", "load", mask({11})},
      {"fsw ft0, 400(t1)", "store", mask({6})},
      {"fadd.s fa0, fa1, fa2", "fpu"},
      {"fmadd.s fa0, fa1, fa2, fa3", "fpu"},
      {"fdiv.s fa0, fa1, fa2", "fpu_divide"},
      {"fsqrt.s fa0, fa1", "fpu_divide"},
      {"vsetvli t0, a0, e8, m4, ta, ma", "alu", mask({10})},
      {"vsetivli t0, 16, e8, m1, ta, ma", "alu"},
      {"vle8.v v0, (a0)", "vector_load", mask({10})},
      {"vlse32.v v0, (a0), a1", "vector_load", mask({10})},
      {"vse32.v v0, (a0)", "vector_store", mask({10})},
      {"vmacc.vx v0, a0, v4", "vector_multiply", mask({10})},
      {"vwmacc.vv v0, v8, v16", "vector_multiply"},
      {"vwmul.vv v0, v8, v16", "vector_multiply"},
      {"vmul.vv v0, v8, v16", "vector_multiply"},
      {"vsmul.vx v0, v8, a0", "vector_multiply", mask({10})},
      {"vfmacc.vv v0, v8, v16", "vector_multiply"},
      {"vadd.vv v0, v8, v16", "vector_other"},
      {"vadd.vx v0, v8, a0", "vector_other", mask({10})},
      {"vadd.vi v0, v8, 3", "vector_other"},
      {"vredsum.vs v0, v8, v16", "vector_other"},
      {"vmv1r.v v0, v8", "vector_other"},
      {"vnclip.wi v0, v8, 3", "vector_other"},
  };
  expect_assembled("riscv64-unknown-elf-as -march=rv32imafdcv -mabi=ilp32d",
                   "riscv64-unknown-elf-objcopy", ".option norelax\n", cases, nibble_decode_rv32,
                   is_full);
}

TEST(DecodeRv32, SaysHowManyRegistersAGroupHas) {
  // vsetvli x0, x0, e8 with m1, m2, m4, m8, mf2; vsetvl has its type in a register.
  const std::pair<uint32_t, unsigned> known[] = {{0x00007057, 1}, {0x00107057, 2}, {0x00207057, 4},
                                                 {0x00307057, 8}, {0x00707057, 1}, {0x80007057, 1}};
  for (const auto& [code, lmul] : known) {
    const uint16_t halves[2] = {static_cast<uint16_t>(code), static_cast<uint16_t>(code >> 16)};
    EXPECT_EQ(nibble_decode_rv32(halves).sets_lmul, lmul) << std::hex << code;
  }
}

// ldr r0, [r1]; ldr r2, [r1, #4]; adds r3, r0, r2; pop {r4, pc}
TEST(DecodedMix, CountsPairsAndWords) {
  const uint16_t codes[] = {0x6808, 0x684a, 0x1883, 0xbd10};
  nibble_mix mix = {};
  nibble_decoded before = {};
  for (size_t i = 0; i < std::size(codes); ++i) {
    const uint16_t halves[2] = {codes[i], 0};
    const nibble_decoded insn = nibble_decode_thumb(halves);
    nibble_add_decoded(&insn, i > 0 ? &before : nullptr, &mix);
    before = insn;
  }
  EXPECT_EQ(mix.load, 2u);
  EXPECT_EQ(mix.load_behind_load, 1u);
  EXPECT_EQ(mix.load_use, 1u);
  EXPECT_EQ(mix.alu, 1u);
  EXPECT_EQ(mix.load_multiple, 1u);
  EXPECT_EQ(mix.load_words, 2u);
  EXPECT_EQ(instructions_of(mix), 4u);
}

// Whatever the bits, an instruction is counted once, and nothing reads a program counter.
TEST(DecodedMix, EveryEncodingIsOneInstruction) {
  uint64_t state = 88172645463325252u;
  nibble_mix thumb = {}, rv32 = {};
  constexpr uint64_t kTried = 200'000;
  for (uint64_t i = 0; i < kTried; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const uint16_t halves[2] = {static_cast<uint16_t>(state), static_cast<uint16_t>(state >> 16)};
    const nibble_decoded arm = nibble_decode_thumb(halves), riscv = nibble_decode_rv32(halves);
    nibble_add_decoded(&arm, nullptr, &thumb);
    nibble_add_decoded(&riscv, nullptr, &rv32);
    ASSERT_EQ(arm.reads >> 15, 0u) << std::hex << halves[0] << ' ' << halves[1];
    ASSERT_EQ(riscv.reads & 1, 0u) << std::hex << halves[0] << ' ' << halves[1];
  }
  EXPECT_EQ(instructions_of(thumb), kTried);
  EXPECT_EQ(instructions_of(rv32), kTried);
}

}  // namespace
}  // namespace nibble
