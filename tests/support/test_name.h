// Names that GoogleTest accepts for the parameters of a test, from any text.
#pragma once

#include <cctype>
#include <string>

namespace nibble {

inline std::string test_name(std::string text) {
  for (char& c : text)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return text;
}

}  // namespace nibble
