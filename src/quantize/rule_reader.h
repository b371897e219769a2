// What the TOML files about quantization have in common: settings by name, lists of names, tables
// [[layer]]. Inside quantize/ only, and in .cc files only: the parser is large.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/toml.h"
#include "quantize/settings.h"

namespace nibble {

// Errors name the file and the line.
class RuleReader {
 public:
  explicit RuleReader(std::string file) : file_(std::move(file)) {}

  // The tables [[KEY]] of a table; none is no error.
  Result<std::vector<const toml::table*>> tables(const toml::table& parent,
                                                 std::string_view key) const;
  // The tables [[layer]] of a table.
  Result<std::vector<LayerRule>> rules(const toml::table& parent) const;
  // What the scheme and all settings of a table are, checked: the scheme first, as a table has no
  // order. `others`: keys that are none of these.
  Result<std::vector<NamedValue>> settings(const toml::table& table,
                                           std::span<const std::string_view> others) const;
  // A list of texts, which may be empty.
  Result<std::vector<std::string>> names(std::string_view key, const toml::node& node) const;
  // A value as it would be typed; "" for what cannot be.
  static std::string typed(const toml::node& node);
  Error fault(const toml::node& node, const std::string& what) const;

 private:
  Result<LayerRule> rule(const toml::table& table) const;

  std::string file_;
};

}  // namespace nibble
