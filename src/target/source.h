// Where a figure of a catalogue file comes from and how sure it is. Part of target.h.
#pragma once

#include <string>
#include <string_view>

namespace nibble {

// kHigh: read in what the maker publishes, or measured. kMedium: from elsewhere, or not read again.
// kLow: commonly said, or sources disagree.
enum class Confidence { kHigh, kMedium, kLow };
std::string_view confidence_name(Confidence confidence);

// Where a figure comes from: {"memory.flash", kHigh, "... datasheet DS12023 ..."}.
struct Source {
  std::string figure;
  Confidence confidence = Confidence::kLow;
  std::string text;
};

}  // namespace nibble
