// The public header of target/: what a microcontroller or board has, read from targets/NAME.toml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "target/npu.h"
#include "target/source.h"

namespace nibble {

// Instruction sets a kernel variant may need, as in kernels.def and in a target's `isa`: ARMv6-M
// (thumb), ARMv7-M and later (thumb2), the Arm DSP extension, Helium, RV32IM, the RISC-V vectors.
enum class Isa { kPortable, kThumb, kThumb2, kDsp, kMve, kRv32, kRvv };
std::string_view isa_name(Isa isa);

// What real numbers cost: no unit, or one of these precisions and those below it.
enum class Fpu { kNone, kHalf, kSingle, kDouble };
std::string_view fpu_name(Fpu fpu);

// kFlash: inside the part, code runs from it (flash, MRAM, RRAM). kTcm, kItcm: beside the core,
// never a wait. kExternal...: behind a serial or parallel bus. kNpu...: only the accelerator's.
enum class MemoryKind {
  kFlash,
  kRam,
  kTcm,
  kItcm,
  kExternalFlash,
  kExternalRam,
  kNpuRam,
  kNpuWeights
};
std::string_view memory_kind_name(MemoryKind kind);

// Memory at one stretch of addresses that is equally fast everywhere.
struct MemoryBank {
  std::string name;  // "dtcm"
  MemoryKind kind = MemoryKind::kRam;
  int64_t bytes = 0;
  // Cycles of the core, at the target's clock, that reading one line takes beyond a read without
  // wait; 0: none, or unknown.
  double wait_cycles = 0;
  int64_t line_bytes = 0;   // what such a read brings; 0 only where wait_cycles is
  int64_t cache_bytes = 0;  // of the data cache or accelerator before it
};

// What feeds the core: a linear regulator draws the core's current at any supply, a switching one
// its power.
enum class Regulator { kUnknown, kLdo, kSmps };
std::string_view regulator_name(Regulator regulator);

// What ran when the active figure was taken: kHeadline: a loop ("down to", while(1)); kMeasured: a
// network; kDatasheet: not said.
enum class PowerBasis { kDatasheet, kHeadline, kCoremark, kMeasured };
std::string_view power_basis_name(PowerBasis basis);

// What the part draws; nothing where nobody has said it. At most one of active_ua_per_mhz and
// active_mw is there.
struct PowerFacts {
  std::optional<double> supply_v;           // at which the figures hold
  std::optional<double> active_ua_per_mhz;  // the core running from flash at the target's clock
  std::optional<double> active_mw;          // the whole chip while it computes, at that clock
  PowerBasis basis = PowerBasis::kDatasheet;
  Regulator regulator = Regulator::kUnknown;
  std::optional<double> sleep_ua;  // the deepest sleep that keeps the RAM
  std::optional<double> off_ua;    // the deepest there is
};

// An accelerator for networks; targets/npus/ENGINE.toml (npu.h) has what it can do.
struct NpuFacts {
  std::string engine;
  double macs_per_cycle = 0;             // of 8-bit, at most; 0: unknown
  int64_t clock_hz = 0;                  // 0: unknown
  std::optional<double> active_mw = {};  // the whole chip while it works, at that clock
};

struct Target {
  std::string name;    // "stm32l4r5", as on the command line and as the file's name
  std::string title;   // "STM32L4R5ZI (Nucleo-L4R5ZI)"
  std::string vendor;  // "STMicroelectronics"
  std::string core;    // "cortex-m4"
  int core_count = 1;  // nibble uses one
  std::vector<std::string> other_cores;
  std::vector<Isa> isa;  // beside kPortable; with those that one of them implies
  Fpu fpu = Fpu::kNone;
  std::string machine;  // QEMU machine that stands for it ("mps2-an386"); empty: cannot be emulated
  std::string port;     // folder in ports/ with start-up code and linker script; empty with machine
  std::string
      toolchain;  // as in run/machines.cc: "arm-none-eabi"; empty: none of ours has the core
  std::vector<std::string> compile_flags;  // -mcpu=... -mfloat-abi=...; empty with toolchain
  std::vector<std::string> engines;        // what else runs networks on it: "TFLM + CMSIS-NN"
  int64_t clock_hz = 0;         // 0 only for an emulator board that has no clock of its own
  bool emulator_board = false;  // the bare machine: memory sizes are the emulator's own
  std::vector<MemoryBank> memory;
  PowerFacts power;
  std::optional<NpuFacts> npu;
  std::vector<Source> sources;  // in the order of the file

  // Of `memory`. Flash: what code and weights lie in, all of it inside the part, or outside where
  // there is none inside. RAM: the largest bank that code can have its data in, without external
  // ones unless there is no other; an arena lies in one bank.
  int64_t flash_bytes = 0;
  int64_t ram_bytes = 0;
  // Cycles at clock_hz that four bytes of a long stream from flash take beyond what they take from
  // RAM; 0: none, or unknown.
  double flash_wait_cycles = 0;
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
