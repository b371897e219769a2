// The emulated boards that the chain runs on: one for each core that nibble can emulate, with the
// programs it takes. Where one is missing, the chain's host links are tested, and the test skips at
// its end, by name (NIBBLE_NEED_CORE).
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "support/tools.h"

namespace nibble {

struct ChainCore {
  std::string core, target;
  std::vector<std::string> tools;
};

inline void PrintTo(const ChainCore& core, std::ostream* out) {
  *out << core.core << " (" << core.target << ")";
}

inline const ChainCore& cortex_m4() {
  static const ChainCore core = {
      "cortex-m4", "mps2-an386", {"arm-none-eabi-gcc", "qemu-system-arm"}};
  return core;
}

// Beside the Cortex-M4, on which everything runs.
inline const std::vector<ChainCore>& other_cores() {
  const std::vector<std::string> arm = cortex_m4().tools;
  static const std::vector<ChainCore> cores = {
      {"cortex-m0plus", "rp2040", arm},
      {"cortex-m3", "mps2-an385", arm},
      {"cortex-m7", "mps2-an500", arm},
      {"cortex-m33", "mps2-an505", arm},
      {"cortex-m55", "mps3-an547", arm},
      {"rv32imac", "riscv32-virt", {"riscv64-unknown-elf-gcc", "qemu-system-riscv32"}},
      {"rv32imcv",
       "riscv32-virt-v",
       {"clang-19", "ld.lld-19", "riscv64-unknown-elf-gcc", "qemu-system-riscv32"}},
  };
  return cores;
}

inline std::vector<ChainCore> all_cores() {
  std::vector<ChainCore> cores = other_cores();
  cores.push_back(cortex_m4());
  return cores;
}

// For ChainOptions::targets.
inline std::vector<std::string> chain_targets(const ChainCore& core = cortex_m4()) {
  if (!missing_tools(core.tools).empty()) return {};
  return {core.target};
}

}  // namespace nibble

#define NIBBLE_NEED_CORE(chain_core)                                                     \
  if (std::string absent = ::nibble::missing_tools((chain_core).tools); !absent.empty()) \
  GTEST_SKIP() << "left out: the emulated " << (chain_core).core << "; " << absent
