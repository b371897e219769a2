// What does not run: firmware that does not fit says by how much; faults, endless loops, accesses
// beside buffers, broken C and missing programs are told apart.
#include <gmock/gmock.h>

#include <cstdlib>

#include "run/machines.h"
#include "run/test_library.h"
#include "support/shell.h"
#include "support/tools.h"

namespace nibble {
namespace {

using testing::HasSubstr;

TEST(RunOnTarget, DoesNotFitStatesRequiredAvailableAndExcess) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
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
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
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
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
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
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  Example broken =
      one_function("int8_t", DType::kS8, 1, 1, "  output[0] = input[0] + not_there;\n");
  // The log is kept, where the test can remove it.
  std::filesystem::path folder = scratch_folder();
  ::setenv("TMPDIR", folder.c_str(), 1);
  auto result = run_on_target(broken.library, broken.program, target_named("stm32l4r5"),
                              counting_samples(1, 1));
  ::unsetenv("TMPDIR");
  EXPECT_FALSE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
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
  auto vectors = run_on_target(example.library, example.program, target_named("riscv32-virt-v"),
                               counting_samples(1, 16));
  auto host = run_on_host_sanitized(example.library, example.program, counting_samples(1, 16));
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_FALSE(arm.ok() || riscv.ok() || vectors.ok() || host.ok());
  EXPECT_THAT(
      arm.error().message,
      HasSubstr("arm-none-eabi-gcc is not installed; on Debian: apt install gcc-arm-none-eabi"));
  EXPECT_THAT(riscv.error().message, HasSubstr("apt install gcc-riscv64-unknown-elf picolibc"));
  EXPECT_THAT(
      vectors.error().message,
      HasSubstr("clang-19 is not installed; on Debian: apt install clang-19 lld-19 gcc-riscv"));
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
