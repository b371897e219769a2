#include "base/toml.h"

#include <fmt/format.h>

namespace nibble {

Result<toml::table> parse_toml(std::string_view text, const std::string& name) {
  try {
    toml::parse_result parsed = toml::parse(text, name);
    if (!parsed)
      return input_error(fmt::format("{}:{}: not valid TOML: {}", name,
                                     parsed.error().source().begin.line,
                                     parsed.error().description()));
    return std::move(parsed).table();
  } catch (const TomlParserGaveUp&) {
    return input_error(name + ": not valid TOML: a key was expected after '['");
  }
}

}  // namespace nibble
