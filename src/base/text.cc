// Numbers, sizes and names as text and back. Used wherever nibble prints for people, writes exact
// text forms, or reads an option.
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace nibble {
namespace {

template <class T>
std::string format_real(T value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 64> digits;
  auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return std::string(digits.data(), end);
}

// from_chars takes no plus sign, and reports too large and too small alike.
template <class T>
Result<T> parse_number(std::string_view text, std::string_view kind) {
  std::string_view digits = text;
  bool plus = digits.size() > 1 && digits[0] == '+' && digits[1] != '-';
  if (plus) digits.remove_prefix(1);
  T value{};
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range)
    return input_error(fmt::format("'{}' is out of the range of {}", text, kind));
  if (error != std::errc{} || end != digits.data() + digits.size())
    return input_error(fmt::format("'{}' is not {}", text, kind));
  return value;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

constexpr std::array kKeywords = std::to_array<std::string_view>({
    "alignas",     "alignof",      "and",       "and_eq",
    "asm",         "auto",         "bitand",    "bitor",
    "bool",        "break",        "case",      "catch",
    "char",        "char16_t",     "char32_t",  "char8_t",
    "class",       "co_await",     "co_return", "co_yield",
    "compl",       "concept",      "const",     "const_cast",
    "consteval",   "constexpr",    "constinit", "continue",
    "decltype",    "default",      "delete",    "do",
    "double",      "dynamic_cast", "else",      "enum",
    "explicit",    "export",       "extern",    "false",
    "float",       "for",          "friend",    "goto",
    "if",          "inline",       "int",       "long",
    "main",        "mutable",      "namespace", "new",
    "noexcept",    "not",          "not_eq",    "nullptr",
    "operator",    "or",           "or_eq",     "private",
    "protected",   "public",       "register",  "reinterpret_cast",
    "requires",    "restrict",     "return",    "short",
    "signed",      "sizeof",       "static",    "static_assert",
    "static_cast", "struct",       "switch",    "template",
    "this",        "thread_local", "throw",     "true",
    "try",         "typedef",      "typeid",    "typename",
    "union",       "unsigned",     "using",     "virtual",
    "void",        "volatile",     "wchar_t",   "while",
    "xor",         "xor_eq",
});

// Damerau's distance: insertions, deletions, replacements and swaps of neighbours.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

// "-12,345.6", "3e-5", "22.3 KB", "87.5%": a number with at most a short unit behind it.
bool looks_like_number(std::string_view cell) {
  if (cell == "-") return true;
  size_t at = !cell.empty() && (cell[0] == '-' || cell[0] == '+') ? 1 : 0;
  if (at >= cell.size() || !is_digit(cell[at])) return false;
  while (at < cell.size() && (is_digit(cell[at]) || cell[at] == ',' || cell[at] == '.')) ++at;
  if (at + 1 < cell.size() && cell[at] == 'e' && (cell[at + 1] == '-' || cell[at + 1] == '+')) {
    at += 2;
    while (at < cell.size() && is_digit(cell[at])) ++at;
  }
  std::string_view unit = trim(cell.substr(at));
  return unit.size() <= 4 && std::none_of(unit.begin(), unit.end(), is_digit);
}

// Characters of UTF-8 text: every byte that does not continue another.
size_t display_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string format_float(float value) { return format_real(value); }
std::string format_double(double value) { return format_real(value); }

Result<double> parse_double(std::string_view text) {
  return parse_number<double>(text, "a number");
}
Result<float> parse_float(std::string_view text) {
  return parse_number<float>(text, "a 32-bit floating-point number");
}
Result<int64_t> parse_int(std::string_view text) {
  return parse_number<int64_t>(text, "a whole number");
}

Result<double> parse_with_unit(std::string_view text, std::span<const Unit> units,
                               std::string_view expected) {
  std::string_view whole = trim(text);
  size_t split_at = whole.size();
  while (split_at > 0 && !is_digit(whole[split_at - 1]) && whole[split_at - 1] != '.') --split_at;
  auto number = parse_double(trim(whole.substr(0, split_at)));
  std::string unit = lower_case(trim(whole.substr(split_at)));
  if (number.ok() && std::isfinite(*number) && *number >= 0)
    for (const Unit& known : units)
      if (known.name == unit) return *number * known.factor;
  return usage_error(fmt::format("'{}' is not {}", text, expected));
}

Result<int64_t> parse_bytes(std::string_view text) {
  static constexpr std::array<Unit, 11> kUnits = {{{"", 1},
                                                   {"b", 1},
                                                   {"k", 0x1p10},
                                                   {"kb", 0x1p10},
                                                   {"kib", 0x1p10},
                                                   {"m", 0x1p20},
                                                   {"mb", 0x1p20},
                                                   {"mib", 0x1p20},
                                                   {"g", 0x1p30},
                                                   {"gb", 0x1p30},
                                                   {"gib", 0x1p30}}};
  constexpr std::string_view kExpected =
      "a size; write whole bytes (98304) or a number with KB (1024 bytes), MB or GB (96KB)";
  NIBBLE_ASSIGN(double bytes, parse_with_unit(text, kUnits, kExpected));
  if (bytes > 0x1p62) return usage_error(fmt::format("'{}' is larger than any memory", text));
  if (bytes != std::floor(bytes))
    return usage_error(fmt::format("'{}' is not {}", text, kExpected));
  return static_cast<int64_t>(bytes);
}

Result<double> parse_seconds(std::string_view text) {
  static constexpr std::array<Unit, 4> kUnits = {
      {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}}};
  return parse_with_unit(text, kUnits, "a time; write a number with s, ms, us or ns (12ms)");
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

std::string with_thousands(int64_t value) {
  std::string digits = fmt::format("{}", value);
  size_t first = value < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string human_bytes(int64_t bytes) {
  static constexpr std::array<std::string_view, 5> kNames = {"KB", "MB", "GB", "TB", "PB"};
  auto amount = static_cast<double>(bytes);
  if (std::abs(amount) < 1024) return fmt::format("{} B", bytes);
  size_t unit = 0;
  amount /= 1024;
  // 1023.95 would print as 1024.0 of the smaller unit.
  for (; std::abs(amount) >= 1023.95 && unit + 1 < kNames.size(); ++unit) amount /= 1024;
  return fmt::format("{:.1f} {}", amount, kNames[unit]);
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts.begin(), parts.end(), separator));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    size_t end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string c_identifier(std::string_view name) {
  std::string result;
  for (char c : name) {
    char kept = is_letter(c) || is_digit(c) ? c : '_';
    // C++ reserves identifiers with two underscores in a row.
    if (kept != '_' || result.empty() || result.back() != '_') result += kept;
  }
  // File scope reserves a leading underscore too.
  if (result.empty() || !is_letter(result[0])) result = 'n' + result;
  if (std::find(kKeywords.begin(), kKeywords.end(), result) != kKeywords.end()) result += '_';
  return result;
}

std::string nearest_word(std::string_view word, std::span<const std::string> candidates) {
  // A table of letters × letters must stay small, whatever a file calls an operator.
  if (word.empty() || word.size() > 256) return "";
  std::string wanted = lower_case(word);
  std::string best;
  size_t best_distance = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 256) continue;
    size_t distance = edit_distance(wanted, lower_case(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string wrap_text(std::string_view text, size_t columns, size_t indent) {
  std::string wrapped;
  size_t column = indent;
  for (const std::string& word : split(text, ' ')) {
    if (column > indent && column + 1 + word.size() > columns) {
      wrapped += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      wrapped += ' ';
      ++column;
    }
    wrapped += word;
    column += word.size();
  }
  return wrapped;
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row.size());
  std::vector<size_t> width(columns, 0);
  std::vector<bool> numeric(columns, rows.size() > 1);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      width[c] = std::max(width[c], display_width(rows[r][c]));
      if (r > 0 && !rows[r][c].empty() && !looks_like_number(rows[r][c])) numeric[c] = false;
    }
  }
  std::string text;
  auto add_row = [&](auto cell_at) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      const std::string cell = cell_at(c);
      std::string gap(width[c] - display_width(cell), ' ');
      if (c > 0) line += "  ";
      line += numeric[c] ? gap + cell : cell + gap;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  for (size_t r = 0; r < rows.size(); ++r) {
    add_row([&](size_t c) { return c < rows[r].size() ? rows[r][c] : std::string(); });
    if (r == 0) add_row([&](size_t c) { return std::string(width[c], '-'); });
  }
  return text;
}

}  // namespace nibble
