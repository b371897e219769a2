// Where the benches find the real models and data.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace nibble {

// $NIBBLE_SHARED, or ../shared beside the source tree.
inline std::filesystem::path shared_folder() {
  const char* folder = std::getenv("NIBBLE_SHARED");
  return folder ? std::filesystem::path(folder)
                : std::filesystem::path(NIBBLE_SOURCE_DIR) / "../shared";
}

}  // namespace nibble
