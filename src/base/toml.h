// The TOML parser, made safe for files from users. Include it from .cc files only: it is large.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nibble {
// toml++ 3.3 guards some of its steps by assert only ("[[[" trips one). A file must not end the
// program.
struct TomlParserGaveUp {};
[[noreturn]] inline void toml_give_up() { throw TomlParserGaveUp(); }
}  // namespace nibble

#define TOML_ASSERT(condition) ((condition) ? void() : nibble::toml_give_up())
#define TOML_ASSERT_ASSUME(condition) TOML_ASSERT(condition)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace nibble {

// Error: file and line. `name` stands for the file in messages.
Result<toml::table> parse_toml(std::string_view text, const std::string& name);

}  // namespace nibble
