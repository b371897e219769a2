// Programs that tests use beyond what built them: a test that finds one missing skips, and says
// which and what package has it. `tools/setup test` installs all of them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

inline bool has_tool(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((std::filesystem::path(folder) / program).c_str(), X_OK) == 0) return true;
  return false;
}

// Of Debian; a program that is not listed is in the package of its own name.
inline std::string tool_package(std::string_view program) {
  constexpr std::pair<std::string_view, std::string_view> kPackages[] = {
      {"arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi"},
      {"riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"},
      {"qemu-system-riscv32", "qemu-system-misc"},
      {"ld.lld-19", "lld-19"},
  };
  for (const auto& [name, packages] : kPackages)
    if (name == program) return std::string(packages);
  return std::string(program);
}

// "clang is not installed (Debian: clang)", one after another; empty if all are there.
inline std::string missing_tools(const std::vector<std::string>& programs) {
  std::string text;
  for (const std::string& program : programs) {
    if (has_tool(program)) continue;
    if (!text.empty()) text += ", ";
    text += program + " is not installed (Debian: " + tool_package(program) + ")";
  }
  return text;
}

}  // namespace nibble

// Also at the end of a test that has checked all that can be checked without them: a failure
// before it stays a failure.
#define NIBBLE_NEED_TOOLS(...)                                                        \
  if (std::string missing = ::nibble::missing_tools({__VA_ARGS__}); !missing.empty()) \
  GTEST_SKIP() << "left out: " << missing
