// Tokens of the text forms, and the values made from a few tokens: lists, types, data.
#include "graph/text_reader.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace nibble {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '/' || c == '$' || c == '-';
}
bool is_number_char(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '+' || c == '-';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// What is shown of the offending text in an error.
std::string excerpt(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end of the text";
    case TokenKind::kNewline:
      return "the end of the line";
    default:
      break;
  }
  constexpr size_t kShown = 40;
  std::string shown = token.text.substr(0, kShown);
  if (token.text.size() > kShown) shown += "...";
  return "'" + std::string(token.kind == TokenKind::kName ? "%" : "") + shown + "'";
}

}  // namespace

TextReader::TextReader(std::string_view text) : text_(text) { advance(); }

Token TextReader::take() {
  Token token = token_;
  advance();
  return token;
}

Error TextReader::error_at(const Token& token, const std::string& message) {
  return input_error("line " + std::to_string(token.line) + ", column " +
                     std::to_string(token.column) + ": " + message);
}

Error TextReader::expected(const std::string& what) const {
  if (token_.kind == TokenKind::kInvalid) return error_at(token_, token_.text);
  return error_at(token_, "expected " + what + ", found " + excerpt(token_));
}

void TextReader::lex_string() {
  token_.kind = TokenKind::kString;
  token_.text.clear();
  auto invalid = [&](const std::string& what) {
    token_.kind = TokenKind::kInvalid;
    token_.text = what;
  };
  ++position_;
  while (!at_end() && current() != '"') {
    char c = current();
    if (c == '\n') break;
    ++position_;
    if (c != '\\') {
      token_.text += c;
      continue;
    }
    char kind = at_end() ? '\0' : text_[position_++];
    if (kind == '"' || kind == '\\') {
      token_.text += kind;
    } else if (kind == 'n') {
      token_.text += '\n';
    } else if (kind == 't') {
      token_.text += '\t';
    } else if (kind == 'x' && position_ + 2 <= text_.size() && hex_digit(text_[position_]) >= 0 &&
               hex_digit(text_[position_ + 1]) >= 0) {
      token_.text +=
          static_cast<char>(hex_digit(text_[position_]) * 16 + hex_digit(text_[position_ + 1]));
      position_ += 2;
    } else {
      return invalid("unknown escape in a string; known: \\\" \\\\ \\n \\t \\xHH");
    }
  }
  if (at_end() || current() != '"') return invalid("a string without its closing quote");
  ++position_;
}

void TextReader::lex_name() {
  ++position_;
  if (!at_end() && current() == '"') {
    lex_string();
    if (token_.kind == TokenKind::kString) token_.kind = TokenKind::kName;
    return;
  }
  size_t start = position_;
  while (!at_end() && is_name_char(current())) ++position_;
  token_.text = text_.substr(start, position_ - start);
  token_.kind = token_.text.empty() ? TokenKind::kInvalid : TokenKind::kName;
  if (token_.text.empty()) token_.text = "a '%' without a name";
}

void TextReader::advance() {
  while (!at_end() && (current() == ' ' || current() == '\t' || current() == '\r')) ++position_;
  if (!at_end() && current() == '#')
    while (!at_end() && current() != '\n') ++position_;
  token_ = Token{TokenKind::kEnd, "", line_, static_cast<int>(position_ - line_start_) + 1};
  if (at_end()) return;
  char c = current();
  size_t start = position_;
  if (c == '\n') {
    ++position_;
    ++line_;
    line_start_ = position_;
    token_.kind = TokenKind::kNewline;
  } else if (c == '%') {
    lex_name();
  } else if (c == '"') {
    lex_string();
  } else if (is_letter(c)) {
    while (!at_end() && (is_letter(current()) || is_digit(current()))) ++position_;
    token_.kind = TokenKind::kWord;
    token_.text = text_.substr(start, position_ - start);
  } else if (is_digit(c) || c == '-' || c == '.') {
    while (!at_end() && is_number_char(current())) ++position_;
    token_.kind = TokenKind::kNumber;
    token_.text = text_.substr(start, position_ - start);
  } else if (std::string_view("=()[]{},:+").find(c) != std::string_view::npos) {
    ++position_;
    token_.kind = TokenKind::kPunct;
    token_.text = c;
  } else {
    ++position_;
    token_.kind = TokenKind::kInvalid;
    token_.text = "a character that has no meaning here (byte " +
                  std::to_string(static_cast<unsigned char>(c)) + ")";
  }
}

bool TextReader::accept(char punct) {
  if (token_.kind != TokenKind::kPunct || token_.text[0] != punct) return false;
  advance();
  return true;
}

bool TextReader::accept_word(std::string_view word) {
  if (token_.kind != TokenKind::kWord || token_.text != word) return false;
  advance();
  return true;
}

Status TextReader::expect(char punct) {
  if (!accept(punct)) return expected(std::string("'") + punct + "'");
  return {};
}

Status TextReader::expect_word(std::string_view word) {
  if (!accept_word(word)) return expected("'" + std::string(word) + "'");
  return {};
}

Status TextReader::expect_line_end() {
  if (token_.kind == TokenKind::kEnd) return {};
  if (token_.kind != TokenKind::kNewline) return expected("the end of the line");
  advance();
  return {};
}

void TextReader::skip_empty_lines() {
  while (token_.kind == TokenKind::kNewline) advance();
}

Result<std::string> TextReader::word(const std::string& what) {
  if (token_.kind != TokenKind::kWord) return expected(what);
  return take().text;
}

Result<std::string> TextReader::string(const std::string& what) {
  if (token_.kind != TokenKind::kString) return expected(what + " in quotes");
  return take().text;
}

Result<std::string> TextReader::name(const std::string& what) {
  if (token_.kind != TokenKind::kName) return expected(what);
  return take().text;
}

Result<int64_t> TextReader::integer(const std::string& what, int64_t low, int64_t high) {
  if (token_.kind != TokenKind::kNumber) return expected(what);
  auto value = parse_int(token_.text);
  if (!value.ok()) return expected(what + " (an integer)");
  if (*value < low || *value > high)
    return expected(what + " from " + std::to_string(low) + " to " + std::to_string(high));
  advance();
  return *value;
}

Result<float> TextReader::number(const std::string& what) {
  if (token_.kind != TokenKind::kNumber && token_.kind != TokenKind::kWord) return expected(what);
  auto value = parse_float(token_.text);
  if (!value.ok()) return expected(what + " (a number, inf, -inf or nan)");
  advance();
  return *value;
}

Result<bool> TextReader::boolean(const std::string& what) {
  if (accept_word("true")) return true;
  if (accept_word("false")) return false;
  return expected(what + " (true or false)");
}

Result<std::vector<int64_t>> TextReader::integers(const std::string& what, int64_t low,
                                                  int64_t high) {
  std::vector<int64_t> values;
  NIBBLE_TRY(expect('['));
  if (accept(']')) return values;
  do {
    NIBBLE_ASSIGN(int64_t value, integer(what, low, high));
    values.push_back(value);
  } while (accept(','));
  NIBBLE_TRY(expect(']'));
  return values;
}

Result<std::vector<float>> TextReader::numbers(const std::string& what) {
  std::vector<float> values;
  NIBBLE_TRY(expect('['));
  if (accept(']')) return values;
  do {
    NIBBLE_ASSIGN(float value, number(what));
    values.push_back(value);
  } while (accept(','));
  NIBBLE_TRY(expect(']'));
  return values;
}

Result<Bounds> TextReader::bounds(const std::string& what) {
  Token start = token_;
  NIBBLE_ASSIGN(std::vector<float> pair, numbers(what));
  if (pair.size() != 2) return error_at(start, "expected " + what + " as [min,max]");
  return Bounds{pair[0], pair[1]};
}

Result<QuantParams> TextReader::quant_params() {
  constexpr int64_t kLow = std::numeric_limits<int32_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int32_t>::max();
  QuantParams quant;
  do {
    Token field = token_;
    NIBBLE_ASSIGN(std::string key, word("scale, zero_point, axis, bits, range, codebook, group or "
                                        "group_factor"));
    NIBBLE_TRY(expect('='));
    if (key == "scale") {
      NIBBLE_ASSIGN(quant.scale, numbers("a scale"));
    } else if (key == "zero_point") {
      NIBBLE_ASSIGN(auto points, integers("a zero point", kLow, kHigh));
      quant.zero_point.assign(points.begin(), points.end());
    } else if (key == "axis") {
      NIBBLE_ASSIGN(int64_t axis, integer("an axis", -1, 7));
      quant.axis = static_cast<int>(axis);
    } else if (key == "bits") {
      NIBBLE_ASSIGN(int64_t bits, integer("a number of bits", 1, 64));
      quant.bits = static_cast<int>(bits);
    } else if (key == "range") {
      Token start = token_;
      NIBBLE_ASSIGN(auto range, integers("a bound of the range", kLow, kHigh));
      if (range.size() != 2) return error_at(start, "expected the range as [min,max]");
      quant.q_min = static_cast<int32_t>(range[0]);
      quant.q_max = static_cast<int32_t>(range[1]);
    } else if (key == "codebook") {
      NIBBLE_ASSIGN(auto values, integers("a value of the codebook", kLow, kHigh));
      quant.codebook.assign(values.begin(), values.end());
    } else if (key == "group") {
      NIBBLE_ASSIGN(quant.group, integer("a number of elements", 1, kHigh));
    } else if (key == "group_factor") {
      NIBBLE_ASSIGN(auto factors, integers("a factor", 1, kMaxGroupFactor));
      quant.group_factor.assign(factors.begin(), factors.end());
    } else {
      return error_at(field,
                      "unknown quantization field '" + key +
                          "'; known: scale zero_point axis bits range codebook group group_factor");
    }
  } while (accept(','));
  NIBBLE_TRY(expect('}'));
  return quant;
}

Result<TensorType> TextReader::tensor_type() {
  Token start = token_;
  NIBBLE_ASSIGN(std::string dtype, word("an element type such as f32 or s8"));
  auto parsed = parse_dtype(dtype);
  if (!parsed.ok()) return error_at(start, parsed.error().message);
  TensorType type;
  type.dtype = *parsed;
  Token extents = token_;
  NIBBLE_ASSIGN(type.shape, integers("an extent", 0));
  if (!checked_elem_count(type.shape))
    return error_at(extents, "a shape of more than " + std::to_string(kMaxElems) +
                                 " elements or of more than " + std::to_string(kMaxRank) + " axes");
  if (accept('{')) {
    NIBBLE_ASSIGN(type.quant, quant_params());
  }
  return type;
}

Result<std::vector<uint8_t>> TextReader::data(int64_t bytes, std::span<const uint8_t> blob) {
  Token start = token_;
  if (start.kind == TokenKind::kNumber && start.text == "...")
    return error_at(start,
                    "the data of this constant were left out when the text was printed, so the "
                    "text cannot be read back; print it with its constants");
  NIBBLE_ASSIGN(std::string kind, word("hex:... or blob:OFFSET"));
  if (kind == "blob") {
    NIBBLE_TRY(expect(':'));
    NIBBLE_ASSIGN(int64_t offset, integer("an offset into the blob", 0));
    auto size = static_cast<int64_t>(blob.size());
    if (offset > size || bytes > size - offset)
      return error_at(start, std::to_string(bytes) + " bytes at offset " + std::to_string(offset) +
                                 " are outside the blob of " + std::to_string(size) + " bytes");
    auto part = blob.subspan(static_cast<size_t>(offset), static_cast<size_t>(bytes));
    return std::vector<uint8_t>(part.begin(), part.end());
  }
  if (kind != "hex")
    return error_at(start, "expected hex:... or blob:OFFSET, found '" + kind + "'");
  if (token_.kind != TokenKind::kPunct || token_.text != ":") return expected("':'");
  // The digits are not a token: they may start with a digit or a letter and are read straight from
  // the text.
  size_t begin = position_;
  while (!at_end() && hex_digit(current()) >= 0) ++position_;
  std::string_view digits = text_.substr(begin, position_ - begin);
  if (static_cast<uint64_t>(bytes) * 2 != digits.size())
    return error_at(start, "expected " + std::to_string(bytes * 2) + " hexadecimal digits (" +
                               std::to_string(bytes) + " bytes), found " +
                               std::to_string(digits.size()));
  std::vector<uint8_t> result(static_cast<size_t>(bytes));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<uint8_t>(hex_digit(digits[2 * i]) * 16 + hex_digit(digits[2 * i + 1]));
  advance();
  return result;
}

}  // namespace nibble
