// --config FILE.toml: options of a verb in a file. They become words of the command line, so that
// they mean, and are checked as, what is typed there; what is typed wins.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

// The value of the last such option ("--config") among these words.
std::string typed_value(const std::string& option, std::span<const std::string> words) {
  std::string value;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == option && i + 1 < words.size()) value = words[i + 1];
    if (words[i].starts_with(option + "=")) value = words[i].substr(option.size() + 1);
  }
  return value;
}

// Whether another calibrator than the one that reads the option was typed.
bool is_outdone(const std::string& option, std::span<const std::string> words) {
  std::string reader = calibrator_of(option), typed = typed_value("--calibrator", words);
  return !reader.empty() && !typed.empty() && typed != reader;
}

bool is_typed(const CLI::Option& option, std::span<const std::string> words) {
  return std::ranges::any_of(words, [&](const std::string& word) {
    for (const std::string& name : option.get_lnames())
      if (word == "--" + name || word.starts_with("--" + name + "=")) return true;
    for (const std::string& name : option.get_snames())
      if (word.starts_with("-" + name)) return true;
    return false;
  });
}

// The options that a file may hold: all with a long name but those about the command line itself.
std::vector<std::string> option_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options())
    for (const std::string& name : option->get_lnames())
      if (name != "help" && name != "config") names.push_back(name);
  return names;
}

// "" where the value has no form on the command line.
std::string value_text(const toml::node& node) {
  if (auto text = node.value_exact<std::string>()) return *text;
  if (auto integer = node.value_exact<int64_t>()) return std::to_string(*integer);
  if (auto real = node.value_exact<double>()) return format_double(*real);
  return "";
}

// One line of the file.
class ConfigLine {
 public:
  ConfigLine(const std::string& file, std::string key, const toml::node& node)
      : file_(file), key_(std::move(key)), node_(node) {}

  Status add_words(const CLI::Option& option, std::vector<std::string>& words) const {
    bool is_flag = option.get_items_expected_max() == 0;
    if (is_flag) {
      auto on = node_.value_exact<bool>();
      if (!on) return fault("is a flag: true or false");
      if (*on) words.push_back("--" + key_);
      return {};
    }
    const toml::array* list = node_.as_array();
    if (!list) return add_value(node_, words);
    if (option.get_items_expected_max() == 1) return fault("takes one value, not a list");
    for (const toml::node& element : *list) NIBBLE_TRY(add_value(element, words));
    return {};
  }

  Error fault(const std::string& what) const {
    return usage_error(fmt::format("{}:{}: {} {}", file_, node_.source().begin.line, key_, what));
  }

 private:
  Status add_value(const toml::node& node, std::vector<std::string>& words) const {
    std::string text = value_text(node);
    if (text.empty()) return fault("must be a number or a text that is not empty");
    words.push_back("--" + key_ + "=" + text);
    return {};
  }

  const std::string& file_;
  std::string key_;
  const toml::node& node_;
};

}  // namespace

Result<std::vector<std::string>> with_config(const CLI::App& app, std::vector<std::string> words) {
  size_t position = verb_position(app, words);
  const CLI::App* verb = position < words.size() ? find_verb(app, words[position]) : nullptr;
  if (!verb) return words;
  auto behind = words.begin() + static_cast<std::ptrdiff_t>(position) + 1;
  std::vector<std::string> typed(behind, words.end());
  std::string file = typed_value("--config", typed);
  if (file.empty()) return words;
  NIBBLE_ASSIGN(std::string text, read_text_file(file));
  NIBBLE_ASSIGN(toml::table table, parse_toml(text, file));
  std::vector<std::string> names = option_names(*verb), added;
  for (const auto& [key, node] : table) {
    // What holds for some layers: read with the other settings of quantization.
    if (key.str() == "layer" && verb->get_option_no_throw("--scheme")) continue;
    ConfigLine line(file, std::string(key.str()), node);
    if (std::ranges::find(names, key.str()) == names.end()) {
      std::string near = nearest_word(key.str(), names);
      return line.fault(fmt::format(
          "is no option of `nibble {}`{}", verb->get_name(),
          near.empty() ? "; known: " + join(names, ", ") : "; did you mean '" + near + "'?"));
    }
    const CLI::Option& option = *verb->get_option_no_throw("--" + std::string(key.str()));
    if (!is_typed(option, typed) && !is_outdone(std::string(key.str()), typed))
      NIBBLE_TRY(line.add_words(option, added));
  }
  words.insert(behind, added.begin(), added.end());
  return words;
}

}  // namespace nibble
