// Which nibble this is: what --version prints and reports record.
#pragma once

#include <string>

namespace nibble {

// "nibble 0.1.0"
std::string version_text();

}  // namespace nibble
