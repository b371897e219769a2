#include "quantize/rule_reader.h"

#include <algorithm>

#include "base/text.h"

namespace nibble {
namespace {

constexpr std::string_view kLayerKeys[] = {"nodes", "ops", "keep-float"};

}  // namespace

Result<std::vector<const toml::table*>> RuleReader::tables(const toml::table& parent,
                                                           std::string_view key) const {
  std::vector<const toml::table*> found;
  const toml::node* list = parent.get(key);
  if (!list) return found;
  const toml::array* array = list->as_array();
  auto no_tables = [&](const toml::node& node) {
    return fault(node, fmt::format("{} must be a list of tables: [[{}]]", key, key));
  };
  if (!array) return no_tables(*list);
  for (const toml::node& node : *array) {
    if (!node.as_table()) return no_tables(node);
    found.push_back(node.as_table());
  }
  return found;
}

Result<std::vector<LayerRule>> RuleReader::rules(const toml::table& parent) const {
  NIBBLE_ASSIGN(auto layers, tables(parent, "layer"));
  std::vector<LayerRule> found;
  for (const toml::table* layer : layers) {
    NIBBLE_ASSIGN(LayerRule read, rule(*layer));
    found.push_back(std::move(read));
  }
  return found;
}

Result<LayerRule> RuleReader::rule(const toml::table& table) const {
  LayerRule rule;
  for (const std::string_view key : {"nodes", "ops"}) {
    const toml::node* node = table.get(key);
    if (!node) continue;
    NIBBLE_ASSIGN(auto list, names(key, *node));
    if (list.empty()) return fault(*node, fmt::format("{} must be a list of names", key));
    (key == "nodes" ? rule.nodes : rule.ops) = std::move(list);
  }
  if (const toml::node* node = table.get("keep-float")) {
    const auto flag = node->value_exact<bool>();
    if (!flag) return fault(*node, "keep-float must be true or false");
    rule.keep_float = *flag;
  }
  NIBBLE_ASSIGN(rule.settings, settings(table, kLayerKeys));
  if (rule.nodes.empty() && rule.ops.empty())
    return fault(table, "[[layer]] names no layers: nodes = [\"...\"] or ops = [\"...\"]");
  return rule;
}

Result<std::vector<NamedValue>> RuleReader::settings(
    const toml::table& table, std::span<const std::string_view> others) const {
  std::vector<NamedValue> found;
  LayerSettings checked;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (std::ranges::find(others, key.str()) != others.end()) continue;
    NamedValue setting = {name, typed(node)};
    const Status applied = apply_named(checked, setting);
    if (!applied.ok()) return fault(node, applied.error().message);
    found.push_back(std::move(setting));
  }
  std::stable_partition(found.begin(), found.end(),
                        [](const NamedValue& value) { return value.first == "scheme"; });
  return found;
}

Result<std::vector<std::string>> RuleReader::names(std::string_view key,
                                                   const toml::node& node) const {
  std::vector<std::string> list;
  const toml::array* array = node.as_array();
  if (!array) return fault(node, fmt::format("{} must be a list of names", key));
  for (const toml::node& element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text) return fault(node, fmt::format("{} must be a list of names", key));
    list.push_back(*text);
  }
  return list;
}

std::string RuleReader::typed(const toml::node& node) {
  if (auto text = node.value_exact<std::string>()) return *text;
  if (auto integer = node.value_exact<int64_t>()) return std::to_string(*integer);
  if (auto real = node.value_exact<double>()) return format_double(*real);
  if (auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  return "";
}

Error RuleReader::fault(const toml::node& node, const std::string& what) const {
  return usage_error(fmt::format("{}:{}: {}", file_, node.source().begin.line, what));
}

}  // namespace nibble
