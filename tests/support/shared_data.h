// The real models and data that lie beside the repository, in ../shared. Tests that need them skip,
// by name, where the folder is missing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace nibble {

// A file of the source tree.
std::filesystem::path source_path(const std::string& relative);
// A file below $NIBBLE_SHARED, or ../shared beside the source tree.
std::filesystem::path shared_path(const std::string& relative);

}  // namespace nibble

#define NIBBLE_NEED_SHARED(relative)                                       \
  if (!std::filesystem::exists(::nibble::shared_path(relative)))           \
  GTEST_SKIP() << "left out: " << ::nibble::shared_path(relative).string() \
               << " is missing (real models and data are not part of the repository)"
