// The public header of target/: what a microcontroller or board has, read from targets/NAME.toml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace nibble {

// Instruction sets a kernel variant may need, as in kernels.def and in a target's `isa`: ARMv6-M
// (thumb), ARMv7-M and later (thumb2), the Arm DSP extension, Helium, RV32IM, the RISC-V vectors.
enum class Isa { kPortable, kThumb, kThumb2, kDsp, kMve, kRv32, kRvv };
std::string_view isa_name(Isa isa);

struct Target {
  std::string name;      // "stm32l4r5", as on the command line and as the file's name
  std::string title;     // "STM32L4R5ZI (Nucleo-L4R5ZI)"
  std::string vendor;    // "STMicroelectronics"
  std::string core;      // "cortex-m4"
  std::vector<Isa> isa;  // beside kPortable; with those that one of them implies
  std::string machine;  // QEMU machine that stands for it ("mps2-an386"); empty: cannot be emulated
  std::string port;     // folder in ports/ with start-up code and linker script; empty with machine
  std::string toolchain;                   // as in run/machines.cc: "arm-none-eabi"
  std::vector<std::string> compile_flags;  // -mcpu=... -mfloat-abi=...
  int64_t flash_bytes = 0;
  int64_t ram_bytes = 0;
  // Cycles at clock_hz that four bytes of a long stream from flash take beyond what they take from
  // RAM; 0: none, or unknown.
  double flash_wait_cycles = 0;
  int64_t clock_hz = 0;         // 0 only for an emulator board that has no clock of its own
  bool emulator_board = false;  // the bare machine: memory sizes are the emulator's own
  // Where each figure comes from: ("core", "... datasheet DS12023 ..."), in the order of the file.
  std::vector<std::pair<std::string, std::string>> sources;
};

// Folders searched, in this order: those of add_target_folder (--target-dir), $NIBBLE_TARGETS (a
// list with ':'), then the first that exists of the source tree's and the installation's targets/.
// A name found in an earlier folder hides later ones.
std::vector<std::filesystem::path> target_folders();
void add_target_folder(const std::filesystem::path& folder);
// Errors: unknown name (with the nearest one), file and field that is wrong.
Result<Target> find_target(const std::string& name);
// Sorted by name: chips first, then the emulator's boards.
Result<std::vector<Target>> all_targets();
// Every field is checked; an unknown one is an error with the nearest name that exists.
Result<Target> read_target(const std::filesystem::path& path);
// `name` stands for the file in messages; the field `name` is not compared with it.
Result<Target> parse_target(std::string_view text, const std::string& name);

// The folder KIND ("targets", "ports") that came with the program: beside the executable as
// ../share/nibble/KIND, or in the source tree it was built from. Empty if neither exists.
std::filesystem::path shipped_folder(std::string_view kind);

}  // namespace nibble
