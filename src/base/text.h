// Text helpers shared by every folder: exact number formats, human sizes, near-miss suggestions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble {

// The shortest decimal that reads back as exactly the same float ("inf", "-inf", "nan" included).
std::string format_float(float value);
std::string format_double(double value);
// The whole text must be one number; nullopt-like error names the text.
Result<double> parse_double(std::string_view text);
Result<float> parse_float(std::string_view text);
Result<int64_t> parse_int(std::string_view text);
struct Unit {
  std::string_view name;  // lower case
  double factor;
};
// A number that is not negative and one of `units` in any case, spaces between them allowed; the
// unit is what follows the last digit or point. Error: "'TEXT' is not EXPECTED".
Result<double> parse_with_unit(std::string_view text, std::span<const Unit> units,
                               std::string_view expected);
// "96KB" (1024), "1MB", "512" (bytes).
Result<int64_t> parse_bytes(std::string_view text);
// "12ms" "300us" "2s" as seconds.
Result<double> parse_seconds(std::string_view text);
// ASCII letters only.
std::string lower_case(std::string_view text);
// 12345678 as "12,345,678".
std::string with_thousands(int64_t value);
// Bytes as "512 B", "22.3 KB", "1.2 MB".
std::string human_bytes(int64_t bytes);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
// A C identifier made from any name: letters, digits and underscores, not starting with a digit,
// and not a C or C++ keyword.
std::string c_identifier(std::string_view name);
// The candidate with the smallest edit distance to `word`, if it is near enough to be a typing
// slip.
std::string nearest_word(std::string_view word, std::span<const std::string> candidates);
// Lines of at most `columns` characters, broken at spaces (a longer word has a line of its own);
// all but the first begin with `indent` spaces, which count. The first is taken to stand behind so
// many characters, too.
std::string wrap_text(std::string_view text, size_t columns, size_t indent);
// Rows of cells as aligned columns; the first row is the header. Numbers are right-aligned.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace nibble
