#include "run/machines.h"

#include <fmt/format.h>

#include "base/text.h"
#include "run/process.h"

namespace nibble {

namespace {

constexpr int64_t kMb = 1 << 20;

const std::vector<Toolchain>& toolchains() {
  static const std::vector<Toolchain> table = {
      {"arm-none-eabi",
       "arm-none-eabi-gcc",
       "",
       "gcc-arm-none-eabi libnewlib-arm-none-eabi",
       {"--specs=nano.specs"},
       {},
       {}},
      {"riscv64-unknown-elf",
       "riscv64-unknown-elf-gcc",
       "",
       "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
       {"--specs=picolibc.specs"},
       {},
       {}},
      // GCC 12 knows no vectors. The C library and the helpers for 64-bit numbers are GCC's.
      {"riscv32-clang",
       "clang-19",
       "ld.lld-19",
       "clang-19 lld-19 gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
       {"--target=riscv32-unknown-elf"},
       {"-fuse-ld=lld-19", "-nostdlib", "-lc", "-lgcc"},
       {"riscv64-unknown-elf-gcc", "--specs=picolibc.specs", "-march=rv32imac", "-mabi=ilp32"}},
  };
  return table;
}

// Memories as in Arm's application notes AN385, AN386, AN500, AN505 and AN547: the large external
// RAM for data, so that a big model runs too. AN505 and AN547 boot in the secure state and use the
// secure aliases.
const std::vector<Machine>& machines() {
  static const std::vector<Machine> table = {
      {"mps2-an385",
       "mps2-an385",
       "cortex_m",
       "qemu-system-arm",
       "qemu-system-arm",
       {},
       0x00000000,
       0x00000000,
       4 * kMb,
       0x21000000,
       16 * kMb},
      {"mps2-an386",
       "mps2-an386",
       "cortex_m",
       "qemu-system-arm",
       "qemu-system-arm",
       {},
       0x00000000,
       0x00000000,
       4 * kMb,
       0x21000000,
       16 * kMb},
      {"mps2-an500",
       "mps2-an500",
       "cortex_m",
       "qemu-system-arm",
       "qemu-system-arm",
       {},
       0x00000000,
       0x00000000,
       4 * kMb,
       0x60000000,
       16 * kMb},
      {"mps2-an505",
       "mps2-an505",
       "cortex_m",
       "qemu-system-arm",
       "qemu-system-arm",
       {},
       0x10000000,
       0x10000000,
       4 * kMb,
       0x80000000,
       16 * kMb},
      {"mps3-an547",
       "mps3-an547",
       "cortex_m",
       "qemu-system-arm",
       "qemu-system-arm",
       {},
       0x10000000,
       0x70000000,
       16 * kMb,
       0x71000000,
       16 * kMb},
      {"virt",
       "virt",
       "riscv_virt",
       "qemu-system-riscv32",
       "qemu-system-misc",
       {"-bios", "none"},
       0x80000000,
       0x80000000,
       16 * kMb,
       0x81000000,
       16 * kMb},
      {"virt-v",
       "virt",
       "riscv_virt",
       "qemu-system-riscv32",
       "qemu-system-misc",
       {"-bios", "none", "-cpu", "rv32,v=true,vlen=128,vext_spec=v1.0"},
       0x80000000,
       0x80000000,
       16 * kMb,
       0x81000000,
       16 * kMb},
  };
  return table;
}

template <class T>
Result<const T*> find_named(const std::vector<T>& table, const std::string& name,
                            std::string_view what) {
  std::vector<std::string> known;
  for (const T& row : table) {
    if (row.name == name) return &row;
    known.emplace_back(row.name);
  }
  return input_error(fmt::format("{} '{}' is not known; known: {}", what, name, join(known, ", ")));
}

}  // namespace

Result<const Toolchain*> find_toolchain(const std::string& name) {
  return find_named(toolchains(), name, "toolchain");
}

Result<const Machine*> find_machine(const std::string& name) {
  return find_named(machines(), name, "emulated machine");
}

Result<std::string> require_program(std::string_view program, std::string_view packages) {
  auto path = find_program(std::string(program));
  if (path) return path->string();
  return input_error(fmt::format(
      "{} is not installed; on Debian: apt install {} (or tools/setup for all that nibble uses)",
      program, packages));
}

}  // namespace nibble
