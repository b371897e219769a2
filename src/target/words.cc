#include "target/words.h"

namespace nibble {

std::string_view confidence_name(Confidence confidence) {
  return name_of(kConfidences, confidence);
}

Source read_source(TableReader& entry, std::string figure) {
  Source source{std::move(figure), read_word(entry, "confidence", kConfidences),
                entry.string("source")};
  entry.refuse_unknown_keys();
  return source;
}

bool is_lower_name(std::string_view name, char joint) {
  return !name.empty() && std::ranges::all_of(name, [joint](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == joint;
  });
}

}  // namespace nibble
