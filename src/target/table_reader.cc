#include "target/table_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace nibble {

std::string TableReader::string(std::string_view key, bool required) {
  const toml::node* node = find(key, required);
  if (!node) return {};
  auto text = node->value_exact<std::string>();
  if (!text) return fail(*node, key, "must be a string"), std::string();
  if (text->empty()) fail(*node, key, "is empty");
  return *text;
}

std::string TableReader::one_of(std::string_view key, const std::vector<std::string>& allowed,
                                bool required) {
  std::string text = string(key, required);
  if (status_.ok() && has(key) && std::ranges::find(allowed, text) == allowed.end())
    fail(key, fmt::format("is '{}'; known: {}", text, join(allowed, ", ")));
  return text;
}

std::vector<std::string> TableReader::strings(std::string_view key, bool required) {
  std::vector<std::string> texts;
  const toml::node* node = find(key, required);
  if (!node) return texts;
  const toml::array* array = node->as_array();
  if (!array) return fail(*node, key, "must be a list of strings"), texts;
  for (const toml::node& element : *array) {
    auto text = element.value_exact<std::string>();
    if (!text || text->empty())
      return fail(element, key, "must be a list of strings, none empty"), texts;
    texts.push_back(*text);
  }
  return texts;
}

bool TableReader::boolean(std::string_view key) {
  const toml::node* node = find(key, false);
  if (!node) return false;
  auto value = node->value_exact<bool>();
  if (!value) fail(*node, key, "must be true or false");
  return value.value_or(false);
}

double TableReader::number(std::string_view key, double max, bool required) {
  const toml::node* node = find(key, required);
  if (!node) return 0;
  auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value) return fail(*node, key, "must be a number"), 0;
  if (!(*value > 0) || *value > max)
    return fail(*node, key, fmt::format("is {}; it must be above 0 and at most {}", *value, max)),
           0;
  return *value;
}

std::optional<double> TableReader::number_from_zero(std::string_view key, double max) {
  const toml::node* node = find(key, false);
  if (!node) return std::nullopt;
  auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value) return fail(*node, key, "must be a number"), std::nullopt;
  if (!(*value >= 0) || *value > max)
    return fail(*node, key, fmt::format("is {}; it must be from 0 to {}", *value, max)),
           std::nullopt;
  return value;
}

const toml::table* TableReader::table(std::string_view key, bool required) {
  const toml::node* node = find(key, required);
  if (node && !node->is_table()) fail(*node, key, fmt::format("must be a table [{}]", key));
  return node ? node->as_table() : nullptr;
}

std::vector<const toml::table*> TableReader::tables(std::string_view key, bool required) {
  std::vector<const toml::table*> found;
  const toml::node* node = find(key, required);
  if (!node) return found;
  const toml::array* array = node->as_array();
  if (array)
    for (const toml::node& element : *array) found.push_back(element.as_table());
  if (found.empty() || std::ranges::find(found, nullptr) != found.end()) {
    fail(*node, key, fmt::format("must be tables [[{}]], one at least", key));
    found.clear();
  }
  return found;
}

void TableReader::refuse_unknown_keys() {
  for (const auto& [key, node] : table_) {
    if (std::ranges::find(asked_, key.str()) != asked_.end()) continue;
    std::string near = nearest_word(key.str(), asked_);
    fail_at(
        key.source().begin.line, key.str(),
        "is not a field of " + owner_ +
            (near.empty() ? "; known: " + join(asked_, ", ") : "; did you mean '" + near + "'?"));
    return;
  }
}

void TableReader::fail(std::string_view key, const std::string& what) {
  const toml::node* node = table_.get(key);
  fail_at(node ? node->source().begin.line : table_.source().begin.line, key, what);
}

// What may be meant by it.
std::string TableReader::misspelt(std::string_view key) const {
  std::vector<std::string> others;
  for (const auto& [other, node] : table_)
    if (std::ranges::find(asked_, other.str()) == asked_.end()) others.emplace_back(other.str());
  const std::string near = nearest_word(key, others);
  if (near.empty()) return "";
  return fmt::format("; '{}' in line {} is nearly it", near, table_.get(near)->source().begin.line);
}

const toml::node* TableReader::find(std::string_view key, bool required) {
  asked_.emplace_back(key);
  const toml::node* node = table_.get(key);
  if (!node && required) fail(key, "is missing" + misspelt(key));
  return node;
}

void TableReader::fail_at(uint32_t line, std::string_view key, const std::string& what) {
  if (!status_.ok()) return;
  status_ = input_error(fmt::format("{}:{}: {}{} {}", file_, line, prefix_, key, what));
}

}  // namespace nibble
