// What run/ knows of each cross-toolchain and of each machine of the emulator: programs, the Debian
// packages that have them, addresses of the memories.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble {

struct Toolchain {
  std::string_view name;      // as in a target's file
  std::string_view compiler;  // also links
  std::string_view linker;    // a program that it needs beside itself; empty: its own
  std::string_view packages;  // of Debian, that have it and its C library
  std::vector<std::string>
      flags;  // that choose the C library (for string.h and what the compiler calls)
  std::vector<std::string> link_flags;
  // A GCC whose C library and libgcc it uses, with the flags that choose them; empty: its own.
  std::vector<std::string> library_of;
};

struct Machine {
  std::string_view name;   // as in a target's file
  std::string_view board;  // the emulator's name for it
  std::string_view port;   // folder in ports/
  std::string_view emulator;
  std::string_view package;
  std::vector<std::string> arguments;
  uint32_t vectors_origin;  // where the core looks for its vector table
  uint32_t flash_origin;
  int64_t flash_bytes;  // what the machine has there
  uint32_t ram_origin;
  int64_t ram_bytes;
};

// Errors: the name is unknown; the known ones are listed.
Result<const Toolchain*> find_toolchain(const std::string& name);
Result<const Machine*> find_machine(const std::string& name);

// The path of `program`; the error names it and the package to install.
Result<std::string> require_program(std::string_view program, std::string_view packages);

}  // namespace nibble
