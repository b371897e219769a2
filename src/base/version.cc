#include "base/version.h"

namespace nibble {

std::string version_text() { return "nibble " NIBBLE_VERSION; }

}  // namespace nibble
