// Enumerations as words of a catalogue file, and what targets and accelerators have in common there.
// Inside target/ only.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "target/source.h"
#include "target/table_reader.h"

namespace nibble {

// A word of a file for each of an enumeration's values, in its order.
template <class T>
struct Word {
  T value;
  std::string_view name;
};
template <class T, size_t N>
std::string_view name_of(const Word<T> (&words)[N], T value) {
  return std::ranges::find(words, value, &Word<T>::value)->name;
}

// The value whose name the field has; the first where the field is wrong or absent.
template <class T, size_t N>
T read_word(TableReader& reader, std::string_view key, const Word<T> (&words)[N],
            bool required = true) {
  std::vector<std::string> names;
  for (const Word<T>& word : words) names.emplace_back(word.name);
  const std::string name = reader.one_of(key, names, required);
  const auto found = std::ranges::find(words, name, &Word<T>::name);
  return found == std::end(words) ? words[0].value : found->value;
}

inline constexpr Word<Confidence> kConfidences[] = {
    {Confidence::kHigh, "high"}, {Confidence::kMedium, "medium"}, {Confidence::kLow, "low"}};

// { confidence = "...", source = "..." } of `figure`; nothing else may stand there.
Source read_source(TableReader& entry, std::string figure);

// Lower-case letters, digits and `joint`, one of them at least.
bool is_lower_name(std::string_view name, char joint);

}  // namespace nibble
