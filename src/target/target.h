// The public header of target/: what a microcontroller or board has, read from targets/NAME.toml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace nibble {

// Instruction sets a kernel variant may need, as in kernels.def.
enum class Isa { kPortable, kDsp, kMve, kRvv };
std::string_view isa_name(Isa isa);

struct Target {
  std::string name;         // "stm32l4r5", as on the command line
  std::string title;        // "STM32L4R5ZI (Nucleo-L4R5ZI)"
  std::string core;         // "cortex-m4"
  std::vector<Isa> isa;     // beside kPortable
  std::string machine;      // QEMU machine that stands for it ("mps2-an386"); empty: cannot be emulated
  std::string port;         // folder in ports/ with start-up code and linker script
  std::string toolchain;    // "arm-none-eabi" | "riscv64-unknown-elf" | "clang"
  std::vector<std::string> compile_flags;  // -mcpu=... -mfloat-abi=...
  int64_t flash_bytes = 0;
  int64_t ram_bytes = 0;
  int64_t clock_hz = 0;
  bool emulator_board = false;  // the bare machine: memory sizes are the emulator's own
};

// Folders searched: --target-dir, $NIBBLE_TARGETS, the source tree's or installation's targets/.
std::vector<std::filesystem::path> target_folders();
// Errors: unknown name (with the nearest one), file and field that is wrong.
Result<Target> find_target(const std::string& name);
Result<std::vector<Target>> all_targets();
Result<Target> read_target(const std::filesystem::path& path);

}  // namespace nibble
