// Running on emulated cores: a small hand-written library in the style that emit/ writes gives, on
// every machine, the values computed by hand; instruction counts are exact; what does not fit says
// by how much.
#include "run/run.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "base/file.h"
#include "run/emulator.h"
#include "run/firmware.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

using testing::HasSubstr;

#define NIBBLE_NEED_EMULATOR(program) \
  if (!find_test_program(program)) GTEST_SKIP() << "left out: " << (program) << " is not installed"

bool find_test_program(const std::string& program) { return require_program(program, "").ok(); }

ProgramPort port(const std::string& name, int64_t elems, DType dtype) {
  ProgramPort result;
  result.name = name;
  result.type = TensorType{{1, elems}, dtype, std::nullopt};
  return result;
}

// Two layers through a static arena: double every element and add a weight; then sum up into 32
// bits.
constexpr const char* kTinySource = R"(
static const int8_t tiny_offsets[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static int32_t tiny_calls;
typedef struct { int32_t len; const int8_t *offsets; } add_args;
static const add_args tiny_args = {16, tiny_offsets};
static __attribute__((noipa)) void add(const add_args *args, const int8_t *src, int8_t *dst) {
  int32_t i;
  memcpy(dst, src, (size_t)args->len); /* a call: the C library of every core must link */
  for (i = 0; i < args->len; ++i) dst[i] = (int8_t)(2 * dst[i] + args->offsets[i]);
}
static __attribute__((noipa)) void sum(const int8_t *src, int32_t *dst) {
  volatile uint8_t on_stack[200];
  int32_t i, acc = 0;
  for (i = 0; i < 200; ++i) on_stack[i] = 1;
  for (i = 0; i < 16; ++i) acc += src[i];
  *dst = acc + on_stack[0] - 1;
}
static void run(uint8_t *arena, const int8_t *input, int32_t *output) {
  ++tiny_calls;
  add(&tiny_args, input, (int8_t *)arena + 20);
  TINY_LAYER_HOOK(0);
  sum((const int8_t *)arena + 20, output);
  TINY_LAYER_HOOK(1);
}
)";

struct Example {
  Library library;
  Program program;
};

// The frame that emit/ writes around the calls: `run` is called with the arena and the ports, which
// lie at its start.
Example framed(const std::string& name, const std::string& macro, const std::string& code,
               std::pair<std::string, ProgramPort> in, std::pair<std::string, ProgramPort> out,
               int64_t scratch_bytes, const std::string& status = "0") {
  Example example;
  Program& program = example.program;
  program.name = name;
  program.inputs = {in.second};
  program.outputs = {out.second};
  auto bytes = [](const ProgramPort& p) {
    return elem_count(p.type.shape) * dtype_bytes(p.type.dtype);
  };
  int64_t out_offset = (bytes(in.second) + 3) / 4 * 4;
  Library& library = example.library;
  library.name = name;
  library.macro_prefix = macro;
  library.arena_bytes = out_offset + bytes(out.second) + scratch_bytes;
  library.inputs = {{in.second.name, "input", macro + "_INPUT", in.first,
                     elem_count(in.second.type.shape), bytes(in.second), 0}};
  library.outputs = {{out.second.name, "output", macro + "_OUTPUT", out.first,
                      elem_count(out.second.type.shape), bytes(out.second), out_offset}};
  std::string arguments = fmt::format("const {} *input, {} *output", in.first, out.first);
  std::string header = fmt::format(
      "#include <stdint.h>\n#define {1}_ARENA_BYTES {2}\n#define {1}_ARENA_ALIGN 16\n"
      "int {0}_invoke_in(void *arena, {3});\n"
      "#ifndef {1}_ARENA_EXTERNAL\nint {0}_invoke({3});\nvoid *{0}_static_arena(void);\n#endif\n"
      "static inline {4} *{0}_input_in(void *arena) {{ return ({4} *)arena; }}\n"
      "static inline {5} *{0}_output_in(void *arena) {{ return ({5} *)(void *)((uint8_t *)arena + "
      "{6}); }}\n",
      name, macro, library.arena_bytes, arguments, in.first, out.first, out_offset);
  std::string source = fmt::format(
      "#include \"{0}.h\"\n#include <string.h>\n"
      "#ifndef {1}_LAYER_HOOK\n#define {1}_LAYER_HOOK(index) ((void)0)\n#endif\n{2}\n"
      "int {0}_invoke_in(void *arena, {3}) {{ run((uint8_t *)arena, input, output); return {4}; "
      "}}\n"
      "#ifndef {1}_ARENA_EXTERNAL\n_Alignas(16) static uint8_t {0}_arena[{1}_ARENA_BYTES];\n"
      "int {0}_invoke({3}) {{ return {0}_invoke_in({0}_arena, input, output); }}\n"
      "void *{0}_static_arena(void) {{ return {0}_arena; }}\n#endif\n",
      name, macro, code, arguments, status);
  library.files = {{name + ".h", header}, {name + ".c", source}};
  return example;
}

Example tiny() {
  Example example = framed("tiny", "TINY", kTinySource, {"int8_t", port("x", 16, DType::kS8)},
                           {"int32_t", port("y", 1, DType::kS32)}, 16);
  Program& program = example.program;
  program.buffers = {{"x", 16, 4}, {"hidden", 16, 4}, {"y", 4, 4}};
  program.constants = {{"offsets", "int8_t", std::vector<uint8_t>(16)}};
  KernelCall add, sum;
  add.layer = "first";
  add.op = "add";
  add.kernel = "add";
  add.macs = 16;
  add.operands = {{}, {}};
  add.operands[0].role = Operand::Role::kSrc;
  add.operands[0].buffer = 0;
  add.operands[1].role = Operand::Role::kDst;
  add.operands[1].buffer = 1;
  sum.layer = "second";
  sum.op = "sum";
  sum.kernel = "sum";
  program.calls = {add, sum};
  return example;
}

// A library of one function whose body is given; it sees input and output.
Example one_function(const std::string& ctype, DType out_type, int64_t in_elems, int64_t out_elems,
                     const std::string& body, const std::string& before = "",
                     const std::string& status = "0") {
  return framed("loop", "LOOP",
                before + "static void run(uint8_t *arena, const int8_t *input, " + ctype +
                    " *output) {\n  (void)arena;\n" + body + "}\n",
                {"int8_t", port("x", in_elems, DType::kS8)},
                {ctype, port("y", out_elems, out_type)}, 0, status);
}

std::vector<std::vector<Tensor>> counting_samples(size_t samples, int64_t elems) {
  std::vector<std::vector<Tensor>> result;
  for (size_t s = 0; s < samples; ++s) {
    std::vector<int8_t> values;
    for (int64_t i = 0; i < elems; ++i)
      values.push_back(static_cast<int8_t>(static_cast<int64_t>(s) * 3 - i));
    result.push_back({Tensor::of<int8_t>({1, elems}, DType::kS8, values)});
  }
  return result;
}

// sum_i 2 * (3 s - i) + i, i in [0, 16), without wrapping for small s
int32_t expected_sum(size_t sample) { return static_cast<int32_t>(sample) * 96 - 120; }

Target target_named(const std::string& name) {
  auto target = find_target(name);
  EXPECT_TRUE(target.ok()) << (target.ok() ? "" : target.error().message);
  return *target;
}

class OnMachine : public testing::TestWithParam<const char*> {};

TEST_P(OnMachine, BootsComputesAndCounts) {
  Target target = target_named(GetParam());
  NIBBLE_NEED_EMULATOR(target.toolchain + "-gcc");
  NIBBLE_NEED_EMULATOR(target.port == "cortex_m" ? "qemu-system-arm" : "qemu-system-riscv32");
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
  EXPECT_GE(result->ram.stack, 200);
  EXPECT_LE(result->ram.stack, 300);
  EXPECT_GE(result->ram.static_data, 4);
  EXPECT_LE(result->ram.static_data, 16);
}

INSTANTIATE_TEST_SUITE_P(All, OnMachine,
                         testing::Values("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505",
                                         "mps3-an547", "riscv32-virt", "stm32l4r5", "stm32f411",
                                         "nrf52840", "rp2040"));

TEST(RunOnTarget, RepeatsAndSplitsGiveTheSameNumbers) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
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

// movs; 1,000,000 x (subs, bne); then str of the output as the compiler likes: the loop's share is
// known.
TEST(RunOnTarget, KnownLoopHasTheExactCount) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
  // Naked: what is written here is what runs. 1 ldr + 2 * 1,000,000 + movs + bx.
  Example example = one_function("int8_t", DType::kS8, 4, 4, "");
  example.library.files[1].text =
      "#include \"loop.h\"\n"
      "static uint8_t loop_arena[LOOP_ARENA_BYTES];\n"
      "void *loop_static_arena(void) { return loop_arena; }\n"
      "__attribute__((naked)) int loop_invoke(const int8_t *input, int8_t *output) {\n"
      "  __asm__ volatile(\"ldr r3, =1000000\\n1: subs r3, #1\\nbne 1b\\nmovs r0, #0\\nbx "
      "lr\\n.ltorg\");\n"
      "  (void)input;\n  (void)output;\n}\n";
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
  NIBBLE_NEED_EMULATOR("riscv64-unknown-elf-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-riscv32");
  Example example = one_function("int8_t", DType::kS8, 4, 4, "");
  // li of 1,000,000 is lui and addi.
  example.library.files[1].text =
      "#include \"loop.h\"\n"
      "static uint8_t loop_arena[LOOP_ARENA_BYTES];\n"
      "void *loop_static_arena(void) { return loop_arena; }\n"
      "__attribute__((naked)) int loop_invoke(const int8_t *input, int8_t *output) {\n"
      "  __asm__ volatile(\"li t0, 1000000\\n1: addi t0, t0, -1\\nbnez t0, 1b\\nli a0, "
      "0\\nret\");\n"
      "  (void)input;\n  (void)output;\n}\n";
  auto result = run_on_target(example.library, example.program, target_named("riscv32-virt"),
                              counting_samples(1, 4));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->instructions_per_inference, 2000004);
}

// An independent clock: under -icount shift=0 an instruction takes 1 ns of the machine's time, and
// SysTick counts its 25 MHz, so 40 instructions are one tick.
TEST(RunOnTarget, CountAgreesWithTheMachinesOwnTimer) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
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
  auto counted = static_cast<int64_t>(plain->counts[0].total);
  EXPECT_GT(counted, 5000 * 64 * 4);
  // Around the two reads stand fewer than 40 instructions of the function, and a tick is 40.
  EXPECT_NEAR(static_cast<double>(ticks), static_cast<double>(counted) / 40, 2.0);
}

TEST(RunOnTarget, LayerTraceHoldsEachDst) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
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

TEST(RunOnTarget, DoesNotFitStatesRequiredAvailableAndExcess) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
  Example example = tiny();
  Target target = target_named("stm32f411");
  auto fits = run_on_target(example.library, example.program, target, counting_samples(1, 16));
  ASSERT_TRUE(fits.ok()) << fits.error().message;

  // Shrunk to a byte less than the firmware: the excess is that byte.
  Target small = target;
  small.flash_bytes = fits->flash.total + fits->flash.harness - 1;
  auto result = run_on_target(example.library, example.program, small, counting_samples(1, 16));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kDoesNotFit);
  EXPECT_THAT(result.error().message, HasSubstr("'tiny' does not fit stm32f411. flash:"));
  EXPECT_THAT(result.error().message, HasSubstr("available, excess 1 (weights and tables 24,"));

  small = target;
  small.ram_bytes = 256;
  result = run_on_target(example.library, example.program, small, counting_samples(1, 16));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kDoesNotFit);
  EXPECT_THAT(result.error().message, HasSubstr("RAM: "));
  EXPECT_THAT(result.error().message, HasSubstr("256 available"));
  EXPECT_THAT(result.error().message, HasSubstr("arena 36, stack "));

  // To the byte: what the message says is required is enough, 8 bytes (the stack's alignment) less
  // is not.
  size_t at = result.error().message.find("RAM: ") + 5;
  int64_t required = 0;
  for (; result.error().message[at] != ' '; ++at)
    if (result.error().message[at] != ',')
      required = required * 10 + (result.error().message[at] - '0');
  small.ram_bytes = required;
  result = run_on_target(example.library, example.program, small, counting_samples(1, 16));
  EXPECT_TRUE(result.ok()) << result.error().message;
  small.ram_bytes = required - 16;
  EXPECT_FALSE(
      run_on_target(example.library, example.program, small, counting_samples(1, 16)).ok());
}

TEST(RunOnTarget, TooLargeForTheEmulatorIsStillSized) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
  Example example =
      one_function("int8_t", DType::kS8, 1, 1, "  big[input[0] & 7] = 1;\n  output[0] = big[5];\n",
                   "static volatile int8_t big[40000000];\n");
  auto result = run_on_target(example.library, example.program, target_named("stm32l4r5"),
                              counting_samples(1, 1));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kDoesNotFit);
  EXPECT_THAT(result.error().message, HasSubstr("655,360 available"));
  EXPECT_THAT(result.error().message, HasSubstr("other variables 40,000,0"));
}

TEST(RunOnTarget, FaultsTimeoutsAndStatusesAreReported) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
  Target target = target_named("mps2-an386");
  Example fault = one_function("int8_t", DType::kS8, 1, 1,
                               "  *(volatile int32_t *)0xF0000000u = input[0] + output[0];\n");
  auto result = run_on_target(fault.library, fault.program, target, counting_samples(1, 1));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("stopped in a fault of the core"));
  EXPECT_THAT(result.error().message, HasSubstr("nibble: fault: exception 00000003"));

  Example deep = one_function("int8_t", DType::kS8, 1, 1,
                              "  output[0] = (int8_t)(deep(input[0] + 100000) & 1);\n",
                              "static __attribute__((noinline)) int deep(int n) {\n"
                              "  volatile int here[64];\n  here[0] = n;\n"
                              "  return n <= 0 ? 0 : deep(n - 1) + here[0];\n}\n");
  for (const char* name : {"mps2-an386", "mps2-an505", "mps3-an547", "rp2040"}) {
    result = run_on_target(deep.library, deep.program, target_named(name), counting_samples(1, 1));
    ASSERT_FALSE(result.ok()) << name;
    EXPECT_THAT(result.error().message, HasSubstr("fault")) << name;
  }

  Example endless =
      one_function("int8_t", DType::kS8, 1, 1,
                   "  while (*(volatile const int8_t *)input < 127) {}\n  output[0] = 1;\n");
  RunOptions options;
  options.timeout_seconds = 1;
  result = run_on_target(endless.library, endless.program, target, counting_samples(1, 1), options);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("did not end within 1 s"));

  Example refuses = one_function("int8_t", DType::kS8, 1, 1, "  output[0] = input[0];\n", "", "3");
  result = run_on_target(refuses.library, refuses.program, target, counting_samples(1, 1));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("loop_invoke returned 3 for sample 0"));
}

TEST(RunOnTarget, CompileErrorsCarryTheLog) {
  NIBBLE_NEED_EMULATOR("arm-none-eabi-gcc");
  NIBBLE_NEED_EMULATOR("qemu-system-arm");
  Example broken =
      one_function("int8_t", DType::kS8, 1, 1, "  output[0] = input[0] + not_there;\n");
  auto result = run_on_target(broken.library, broken.program, target_named("stm32l4r5"),
                              counting_samples(1, 1));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("not_there"));
  EXPECT_THAT(result.error().message, HasSubstr("compile.log"));
}

TEST(RunOnTarget, MissingProgramsAreNamedWithTheirPackage) {
  Example example = tiny();
  std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  auto arm = run_on_target(example.library, example.program, target_named("stm32l4r5"),
                           counting_samples(1, 16));
  auto riscv = run_on_target(example.library, example.program, target_named("riscv32-virt"),
                             counting_samples(1, 16));
  auto host = run_on_host_sanitized(example.library, example.program, counting_samples(1, 16));
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_FALSE(arm.ok() || riscv.ok() || host.ok());
  EXPECT_THAT(
      arm.error().message,
      HasSubstr("arm-none-eabi-gcc is not installed; on Debian: apt install gcc-arm-none-eabi"));
  EXPECT_THAT(riscv.error().message, HasSubstr("apt install gcc-riscv64-unknown-elf picolibc"));
  EXPECT_THAT(host.error().message, HasSubstr("gcc is not installed"));
  EXPECT_THAT(require_program("qemu-no-such", "qemu-system-arm").error().message,
              HasSubstr("qemu-no-such is not installed; on Debian: apt install qemu-system-arm"));
}

TEST(RunOnTarget, WrongSamplesAreRefused) {
  Example example = tiny();
  auto result = run_on_target(example.library, example.program, target_named("stm32l4r5"),
                              counting_samples(2, 15));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message,
              HasSubstr("sample 0: input 'x' of 'tiny' takes s8[1x16], not s8[1x15]"));
  Target host_only = target_named("stm32l4r5");
  host_only.machine.clear();
  result = run_on_target(example.library, example.program, host_only, counting_samples(2, 16));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("has no emulated machine"));
}

TEST(RunOnHostSanitized, ComputesTheSame) {
  Example example = tiny();
  auto outputs = run_on_host_sanitized(example.library, example.program, counting_samples(5, 16));
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  for (size_t s = 0; s < 5; ++s) EXPECT_EQ((*outputs)[s][0].data<int32_t>()[0], expected_sum(s));
}

TEST(RunOnHostSanitized, FindsReadsAndWritesBesideBuffers) {
  Example past_input = one_function("int8_t", DType::kS8, 5, 1, "  output[0] = input[5];\n");
  auto outputs =
      run_on_host_sanitized(past_input.library, past_input.program, counting_samples(1, 5));
  ASSERT_FALSE(outputs.ok());
  EXPECT_THAT(outputs.error().message, HasSubstr("heap-buffer-overflow"));
  Example past_output = one_function("int8_t", DType::kS8, 5, 3, "  output[3] = input[0];\n");
  outputs = run_on_host_sanitized(past_output.library, past_output.program, counting_samples(1, 5));
  ASSERT_FALSE(outputs.ok());
  Example overflow =
      one_function("int32_t", DType::kS32, 1, 1, "  output[0] = 2147483647 + input[0] + 1;\n");
  outputs = run_on_host_sanitized(overflow.library, overflow.program, counting_samples(2, 1));
  ASSERT_FALSE(outputs.ok());
  EXPECT_THAT(outputs.error().message, HasSubstr("signed integer overflow"));
}

}  // namespace
}  // namespace nibble
