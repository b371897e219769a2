// Running on emulated cores: a small hand-written library in the style that emit/ writes gives, on
// every machine, the values computed by hand; instruction counts are exact.
#include "run/run.h"

#include <map>

#include "base/file.h"
#include "run/emulator.h"
#include "run/firmware.h"
#include "run/test_library.h"
#include "support/tools.h"

namespace nibble {
namespace {

class OnMachine : public testing::TestWithParam<const char*> {};

TEST_P(OnMachine, BootsComputesAndCounts) {
  Target target = target_named(GetParam());
  NIBBLE_NEED_TOOLS(compiler_of(target),
                    target.port == "cortex_m" ? "qemu-system-arm" : "qemu-system-riscv32");
  Example example = tiny();
  auto result = run_on_target(example.library, example.program, target, counting_samples(3, 16));
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->outputs.size(), 3u);
  for (size_t s = 0; s < 3; ++s)
    EXPECT_EQ(result->outputs[s][0].data<int32_t>()[0], expected_sum(s)) << "sample " << s;
  ASSERT_EQ(result->layers.size(), 2u);
  EXPECT_EQ(result->layers[0].name, "first");
  EXPECT_EQ(result->macs, 16);
  // Layers are the whole but for the few instructions that return.
  int64_t layers = result->layers[0].instructions + result->layers[1].instructions;
  EXPECT_GT(result->layers[0].instructions, 16 * 5);
  EXPECT_GT(result->layers[1].instructions, 200 * 2);
  EXPECT_GE(result->instructions_per_inference, layers);
  EXPECT_LE(result->instructions_per_inference, layers + 10);
  EXPECT_EQ(result->ram.arena, 36);
  EXPECT_EQ(result->flash.weights, 16 + result->flash.tables);
  EXPECT_GE(result->flash.tables, 8);
  EXPECT_GT(result->flash.code, 60);
  EXPECT_LT(result->flash.code, 1000);
  EXPECT_EQ(result->flash.total, result->flash.code + result->flash.weights);
  std::map<FlashOwner::Kind, int64_t> flash;
  std::map<std::string, int64_t> owners;
  for (const FlashOwner& owner : result->flash_owners) {
    flash[owner.kind] += owner.bytes;
    owners[owner.owner] += owner.bytes;
  }
  EXPECT_EQ(flash[FlashOwner::Kind::kWeights], 16);
  EXPECT_EQ(flash[FlashOwner::Kind::kTables], result->flash.tables);
  EXPECT_EQ(flash[FlashOwner::Kind::kCode] + flash[FlashOwner::Kind::kOther], result->flash.code);
  EXPECT_EQ(owners["first"], 16);
  for (const char* function : {"add", "sum", "memcpy"}) EXPECT_GT(owners[function], 4) << function;
  EXPECT_GE(result->ram.stack, 200);
  EXPECT_LE(result->ram.stack, 300);
  EXPECT_GE(result->ram.static_data, 4);
  EXPECT_LE(result->ram.static_data, 16);
}

INSTANTIATE_TEST_SUITE_P(All, OnMachine,
                         testing::Values("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505",
                                         "mps3-an547", "riscv32-virt", "riscv32-virt-v",
                                         "stm32l4r5", "stm32f411", "nrf52840", "rp2040"));

TEST(RunOnTarget, RepeatsAndSplitsGiveTheSameNumbers) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  Example example = tiny();
  Target target = target_named("mps2-an386");
  auto few = run_on_target(example.library, example.program, target, counting_samples(2, 16));
  auto many = run_on_target(example.library, example.program, target, counting_samples(21, 16));
  auto again = run_on_target(example.library, example.program, target, counting_samples(21, 16));
  ASSERT_TRUE(few.ok() && many.ok() && again.ok());
  EXPECT_EQ(few->instructions_per_inference, many->instructions_per_inference);
  EXPECT_EQ(many->instructions_per_inference, again->instructions_per_inference);
  ASSERT_EQ(many->outputs.size(), 21u);
  for (size_t s = 0; s < 21; ++s) {
    EXPECT_EQ(many->outputs[s][0].data<int32_t>()[0], expected_sum(s)) << "sample " << s;
    EXPECT_EQ(many->outputs[s][0], again->outputs[s][0]);
  }
  for (size_t i = 0; i < 2; ++i)
    EXPECT_EQ(many->layers[i].instructions, few->layers[i].instructions);
}

// A library whose invoke is these instructions and no others.
Example naked(const std::string& assembly) {
  Example example = one_function("int8_t", DType::kS8, 4, 4, "");
  example.library.files[1].text =
      "#include \"loop.h\"\n"
      "static uint8_t loop_arena[LOOP_ARENA_BYTES];\n"
      "void *loop_static_arena(void) { return loop_arena; }\n"
      "__attribute__((naked)) int loop_invoke(const int8_t *input __attribute__((unused)),\n"
      "    int8_t *output __attribute__((unused))) {\n"
      "  __asm__ volatile(\"" +
      assembly + "\");\n}\n";
  return example;
}

TEST(RunOnTarget, KnownLoopHasTheExactCount) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  // ldr + 1,000,000 * (subs, bne) + movs + bx
  Example example =
      naked("ldr r3, =1000000\\n1: subs r3, #1\\nbne 1b\\nmovs r0, #0\\nbx lr\\n.ltorg");
  for (const char* name : {"mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547"}) {
    auto result =
        run_on_target(example.library, example.program, target_named(name), counting_samples(2, 4));
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->instructions_per_inference, 2000003) << name;
    EXPECT_EQ(result->ram.stack, 0) << name;
    RecordProperty(name, std::to_string(result->emulator_mips));
  }
}

TEST(RunOnTarget, KnownLoopOnRiscvHasTheExactCount) {
  NIBBLE_NEED_TOOLS("riscv64-unknown-elf-gcc", "qemu-system-riscv32");
  // li of 1,000,000 is lui and addi.
  Example example = naked("li t0, 1000000\\n1: addi t0, t0, -1\\nbnez t0, 1b\\nli a0, 0\\nret");
  auto result = run_on_target(example.library, example.program, target_named("riscv32-virt"),
                              counting_samples(1, 4));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->instructions_per_inference, 2000004);
}

// What the loops above are made of, class by class.
TEST(RunOnTarget, KnownLoopHasTheExactMix) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  // Each turn: a load behind a load, which is read at once; a list; a long multiply.
  Example example = naked(
      "push {r4, r5, lr}\\nmovs r3, #100\\n1: ldr r1, [r0]\\nldr r2, [r0]\\nadds r2, r1\\n"
      "smull r4, r5, r1, r2\\nmla r4, r1, r2, r5\\nsubs r3, #1\\nbne 1b\\nmovs r0, #0\\n"
      "pop {r4, r5, pc}");
  for (const char* name : {"mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547"}) {
    auto result =
        run_on_target(example.library, example.program, target_named(name), counting_samples(2, 4));
    ASSERT_TRUE(result.ok()) << result.error().message;
    InstructionMix expected{};
    expected.load = 200;
    expected.load_behind_load = expected.load_use = 100;
    expected.alu = 202;
    expected.multiply = expected.multiply_long = 100;
    expected.branch = 100;
    expected.branch_taken = 100;  // 99 of the loop, and the return
    expected.store_multiple = expected.load_multiple = 1;
    expected.store_words = expected.load_words = 3;
    for (const MixCounter& counter : kMixClasses)
      EXPECT_EQ(result->mix.*counter.count, expected.*counter.count) << name << counter.name;
    for (const MixCounter& counter : kMixEvents)
      EXPECT_EQ(result->mix.*counter.count, expected.*counter.count) << name << counter.name;
    EXPECT_EQ(result->instructions_per_inference, 704) << name;
  }
}

TEST(RunOnTarget, KnownVectorsHaveTheExactMix) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  // The end of a loop that the core keeps is no branch taken.
  Example example = naked(
      "movs r3, #50\\ndls lr, r3\\n1: vldrw.u32 q0, [r0]\\nvmla.s32 q1, q0, r3\\nle lr, 1b\\n"
      "movs r0, #0\\nbx r12");
  example.library.files[1].text.insert(example.library.files[1].text.find("movs r3, #50"),
                                       "mov r12, lr\\n");
  auto result = run_on_target(example.library, example.program, target_named("mps3-an547"),
                              counting_samples(1, 4));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->mix.vector_load, 50u);
  EXPECT_EQ(result->mix.vector_multiply, 50u);
  EXPECT_EQ(result->mix.vector_overlap, 50u);
  EXPECT_EQ(result->mix.loop, 51u);
  EXPECT_EQ(result->mix.alu, 3u);
  EXPECT_EQ(result->mix.branch, 1u);
  EXPECT_EQ(result->mix.branch_taken, 1u);
}

TEST(RunOnTarget, KnownVectorsOnRiscvHaveTheExactMix) {
  NIBBLE_NEED_TOOLS("clang-19", "ld.lld-19", "riscv64-unknown-elf-gcc", "qemu-system-riscv32");
  // The group of four is set outside of the loop whose vectors pass over it.
  Example example = naked(
      "li t0, 50\\nli t1, 64\\nvsetvli x0, t1, e8, m4, ta, ma\\nvmv.v.i v8, 0\\nj 1f\\n"
      "1: vadd.vv v8, v8, v8\\nvmul.vv v8, v8, v8\\naddi t0, t0, -1\\nbnez t0, 1b\\n"
      "li a0, 0\\nret");
  auto result = run_on_target(example.library, example.program, target_named("riscv32-virt-v"),
                              counting_samples(1, 4));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->mix.vector_other, 51u);
  EXPECT_EQ(result->mix.vector_multiply, 50u);
  EXPECT_EQ(result->mix.vector_groups, 3u * 101);
  EXPECT_EQ(result->mix.alu, 54u);
  EXPECT_EQ(result->mix.branch, 52u);
}

// An independent clock: under -icount shift=0 an instruction takes 1 ns of the machine's time, and
// SysTick counts its 25 MHz, so 40 instructions are one tick.
TEST(RunOnTarget, CountAgreesWithTheMachinesOwnTimer) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  Example example = one_function("int32_t", DType::kS32, 64, 2, R"(
  volatile uint32_t *systick = (volatile uint32_t *)0xE000E010u;
  uint32_t before, after;
  int32_t acc = 0, i, round;
  systick[1] = 0xFFFFFFu;
  systick[2] = 0;
  systick[0] = 5;
  before = systick[2];
  for (round = 0; round < 5000; ++round)
    for (i = 0; i < 64; ++i) acc += (input[i] ^ round) * acc + i;
  __asm__ volatile("" : "+r"(acc));
  after = systick[2];
  output[0] = (int32_t)((before - after) & 0xFFFFFFu);
  output[1] = acc;
)");
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  Target target = target_named("mps2-an386");
  auto builder = FirmwareBuilder::create(example.library, example.program, target, {}, dir->path());
  ASSERT_TRUE(builder.ok()) << builder.error().message;
  auto firmware = builder->build(Hooks::kNone, builder->machine_memory());
  ASSERT_TRUE(firmware.ok()) << firmware.error().message;
  EmulatorJob job{&*firmware, &builder->machine(), &example.library,       &example.program,
                  60,         dir->path() / "run", {"-icount", "shift=0"}, nullptr};
  std::vector<std::vector<Tensor>> samples = counting_samples(1, 64);
  auto timed = emulate(job, samples);
  ASSERT_TRUE(timed.ok()) << timed.error().message;
  job.emulator_arguments.clear();
  auto plain = emulate(job, samples);
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain->samples[0].outputs[0].data<int32_t>()[1],
            timed->samples[0].outputs[0].data<int32_t>()[1]);
  auto ticks = timed->samples[0].outputs[0].data<int32_t>()[0];
  auto counted = static_cast<int64_t>(instructions_of(plain->counts[0].total));
  EXPECT_GT(counted, 5000 * 64 * 4);
  // Around the two reads stand fewer than 40 instructions of the function, and a tick is 40.
  EXPECT_NEAR(static_cast<double>(ticks), static_cast<double>(counted) / 40, 2.0);
}

TEST(RunOnTarget, LayerTraceHoldsEachDst) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  Example example = tiny();
  RunOptions options;
  options.layer_trace = true;
  options.buffer_offsets = {0, 20, 16};
  auto result = run_on_target(example.library, example.program, target_named("stm32f411"),
                              counting_samples(2, 16), options);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->trace.size(), 2u);
  std::vector<uint8_t> hidden;
  for (int i = 0; i < 16; ++i) hidden.push_back(static_cast<uint8_t>(-2 * i + i));
  EXPECT_EQ(result->trace[0], hidden);
}

TEST(RunOnHostSanitized, ComputesTheSame) {
  Example example = tiny();
  auto outputs = run_on_host_sanitized(example.library, example.program, counting_samples(5, 16));
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  for (size_t s = 0; s < 5; ++s) EXPECT_EQ((*outputs)[s][0].data<int32_t>()[0], expected_sum(s));
}

}  // namespace
}  // namespace nibble
