// Reads the text forms of graphs and programs token by token, with line and column in every error.
// Inside graph/ only; parser.cc and program_text.cc stand on it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/operators.h"
#include "graph/tensor.h"

namespace nibble {

// kName is %x or %"any bytes"; kWord is a bare word; a line's end counts, because statements end
// there.
enum class TokenKind { kWord, kNumber, kString, kName, kPunct, kNewline, kEnd, kInvalid };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // unescaped; of kInvalid, what is wrong
  int line = 1, column = 1;
};

class TextReader {
 public:
  explicit TextReader(std::string_view text);

  const Token& peek() const { return token_; }
  Token take();
  // "line 3, column 7: expected EXPECTED, found 'x'"; at the token ahead.
  Error expected(const std::string& what) const;
  static Error error_at(const Token& token, const std::string& message);

  bool accept(char punct);
  bool accept_word(std::string_view word);
  Status expect(char punct);
  Status expect_word(std::string_view word);
  Status expect_line_end();
  void skip_empty_lines();

  Result<std::string> word(const std::string& what);
  Result<std::string> string(const std::string& what);
  Result<std::string> name(const std::string& what);
  Result<int64_t> integer(const std::string& what, int64_t low = INT64_MIN,
                          int64_t high = INT64_MAX);
  Result<float> number(const std::string& what);
  Result<bool> boolean(const std::string& what);
  Result<std::vector<int64_t>> integers(const std::string& what, int64_t low = INT64_MIN,
                                        int64_t high = INT64_MAX);
  Result<std::vector<float>> numbers(const std::string& what);
  Result<Bounds> bounds(const std::string& what);
  // s8[2,4] {scale=[0.5], zero_point=[0], bits=8, range=[-127,127]}
  Result<TensorType> tensor_type();
  // hex:00ff or blob:OFFSET, exactly `bytes` long.
  Result<std::vector<uint8_t>> data(int64_t bytes, std::span<const uint8_t> blob);

 private:
  void advance();
  void lex_name();
  void lex_string();
  bool at_end() const { return position_ >= text_.size(); }
  char current() const { return text_[position_]; }
  Result<QuantParams> quant_params();

  std::string_view text_;
  size_t position_ = 0;    // of the first character after token_
  size_t line_start_ = 0;  // of the line that position_ is on
  int line_ = 1;
  Token token_;
};

}  // namespace nibble
