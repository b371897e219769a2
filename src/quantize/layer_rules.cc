// The tables [[layer]] of a file: which nodes, and what holds for them.
//   [[layer]]
//   nodes = ["block1/*"]       # and/or  ops = ["dense"]
//   weight-bits = 8
//   keep-float = false
#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "quantize/settings.h"

namespace nibble {
namespace {

// A value as it would be typed; "" for what cannot be.
std::string typed(const toml::node& node) {
  if (auto text = node.value_exact<std::string>()) return *text;
  if (auto integer = node.value_exact<int64_t>()) return std::to_string(*integer);
  if (auto real = node.value_exact<double>()) return format_double(*real);
  if (auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  return "";
}

class RuleReader {
 public:
  explicit RuleReader(std::string file) : file_(std::move(file)) {}

  Result<LayerRule> read(const toml::table& table) const {
    LayerRule rule;
    LayerSettings checked;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (name == "nodes" || name == "ops") {
        NIBBLE_ASSIGN(auto list, names(name, node));
        (name == "nodes" ? rule.nodes : rule.ops) = std::move(list);
        continue;
      }
      const std::string value = typed(node);
      if (name == "keep-float" && (value == "true" || value == "false")) {
        rule.keep_float = value == "true";
        continue;
      }
      const Status applied =
          name == "scheme" ? apply_scheme(checked, value) : apply_setting(checked, name, value);
      if (!applied.ok()) return fault(node, applied.error().message);
      rule.settings.emplace_back(name, value);
    }
    if (rule.nodes.empty() && rule.ops.empty())
      return fault(table, "[[layer]] names no layers: nodes = [\"...\"] or ops = [\"...\"]");
    return rule;
  }

  Error fault(const toml::node& node, const std::string& what) const {
    return usage_error(fmt::format("{}:{}: {}", file_, node.source().begin.line, what));
  }

 private:
  Result<std::vector<std::string>> names(const std::string& key, const toml::node& node) const {
    std::vector<std::string> list;
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& element : *array)
        if (auto text = element.value_exact<std::string>()) list.push_back(*text);
      if (!list.empty() && list.size() == array->size()) return list;
    }
    return fault(node, key + " must be a list of names");
  }

  std::string file_;
};

}  // namespace

Result<std::vector<LayerRule>> read_layer_rules(const std::filesystem::path& file) {
  NIBBLE_ASSIGN(std::string text, read_text_file(file));
  NIBBLE_ASSIGN(toml::table table, parse_toml(text, file.string()));
  std::vector<LayerRule> rules;
  const toml::node* layers = table.get("layer");
  if (!layers) return rules;
  const RuleReader reader(file.string());
  const toml::array* array = layers->as_array();
  if (!array) return reader.fault(*layers, "layer must be a list of tables: [[layer]]");
  for (const toml::node& node : *array) {
    if (!node.as_table()) return reader.fault(node, "layer must be a list of tables: [[layer]]");
    NIBBLE_ASSIGN(LayerRule rule, reader.read(*node.as_table()));
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace nibble
