// Where the source tree and the real data are. The one file that knows the tree's path, so that the
// others compile to the same objects in every clone.
#include "support/shared_data.h"

#include <cstdlib>

namespace nibble {

std::filesystem::path source_path(const std::string& relative) {
  return std::filesystem::path(NIBBLE_SOURCE_DIR) / relative;
}

std::filesystem::path shared_path(const std::string& relative) {
  const char* folder = std::getenv("NIBBLE_SHARED");
  std::filesystem::path root = folder ? std::filesystem::path(folder) : source_path("../shared");
  return root / relative;
}

}  // namespace nibble
