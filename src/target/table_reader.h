// Reads the fields of one table of a TOML file and checks each. Inside target/ only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/toml.h"

namespace nibble {

// Remembers the first error, which says file, line and field, and which keys were asked for.
class TableReader {
 public:
  // `prefix` stands before the field in messages: "memory."; `owner` is what has no such field.
  TableReader(const toml::table& table, std::string file, std::string prefix,
              std::string owner = "a target")
      : table_(table),
        file_(std::move(file)),
        prefix_(std::move(prefix)),
        owner_(std::move(owner)) {}

  std::string string(std::string_view key, bool required = true);
  std::string one_of(std::string_view key, const std::vector<std::string>& allowed,
                     bool required = true);
  // Of strings that are not empty; [] where the key is absent and not required.
  std::vector<std::string> strings(std::string_view key, bool required = true);
  bool boolean(std::string_view key);
  // A number in (0, max]; 0 if absent and not required.
  double number(std::string_view key, double max, bool required);
  const toml::table* table(std::string_view key, bool required = true);
  // A number in [0, max]; nothing if absent.
  std::optional<double> number_from_zero(std::string_view key, double max);
  // Of [[key]], one at least where it is required or there.
  std::vector<const toml::table*> tables(std::string_view key, bool required = true);
  // Of any type; null if absent.
  const toml::node* node(std::string_view key, bool required) { return find(key, required); }
  bool has(std::string_view key) const { return table_.contains(key); }

  // Call last: a key that no one asked for is an error.
  void refuse_unknown_keys();

  const Status& status() const { return status_; }
  // The error of a table below this one.
  void take(const Status& below) {
    if (status_.ok()) status_ = below;
  }
  void fail(std::string_view key, const std::string& what);
  // At the line of `node`, which stands in or below the field `key`.
  void fail(const toml::node& node, std::string_view key, const std::string& what) {
    fail_at(node.source().begin.line, key, what);
  }

 private:
  const toml::node* find(std::string_view key, bool required);
  std::string misspelt(std::string_view key) const;
  void fail_at(uint32_t line, std::string_view key, const std::string& what);

  const toml::table& table_;
  std::string file_, prefix_, owner_;
  std::vector<std::string> asked_;
  Status status_;
};

}  // namespace nibble
