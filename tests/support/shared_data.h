// The real models and data that lie beside the repository, in ../shared. Tests that need them skip,
// by name, where the folder is missing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace nibble {

inline std::filesystem::path source_path(const std::string& relative) {
  return std::filesystem::path(NIBBLE_SOURCE_DIR) / relative;
}

// $NIBBLE_SHARED or ../shared beside the source tree.
inline std::filesystem::path shared_path(const std::string& relative) {
  const char* folder = std::getenv("NIBBLE_SHARED");
  std::filesystem::path root = folder ? std::filesystem::path(folder) : source_path("../shared");
  return root / relative;
}

}  // namespace nibble

#define NIBBLE_NEED_SHARED(relative)                                       \
  if (!std::filesystem::exists(::nibble::shared_path(relative)))           \
  GTEST_SKIP() << "left out: " << ::nibble::shared_path(relative).string() \
               << " is missing (real models and data are not part of the repository)"
