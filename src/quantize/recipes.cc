#include "quantize/recipes.h"

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "ops/ops.h"
#include "quantize/quantize.h"
#include "quantize/rule_reader.h"

namespace nibble {
namespace {

// Keys of [[recipe]] beside the scheme and the settings.
constexpr std::string_view kRecipeKeys[] = {
    "name",        "method",     "method-samples", "smooth-share", "split-share",
    "learn-steps", "drop-share", "rounding",       "keep-float",   "layer"};

void add_argument(Recipe& recipe, std::string_view name, const std::string& value) {
  recipe.arguments +=
      fmt::format("{}--{} {}", recipe.arguments.empty() ? "" : " ", name, shell_word(value));
}

class RecipeReader {
 public:
  explicit RecipeReader(const RuleReader& rules) : rules_(rules) {}

  Result<Recipe> read(const toml::table& table) const {
    Recipe recipe;
    NIBBLE_TRY(check_keys(table));
    NIBBLE_TRY(read_name(table, recipe));
    NIBBLE_TRY(read_settings(table, recipe));
    NIBBLE_TRY(read_methods(table, recipe));
    NIBBLE_TRY(read_rest(table, recipe));
    NIBBLE_ASSIGN(recipe.options.rules, rules_.rules(table));
    NIBBLE_TRY(check_read(table, recipe));
    return recipe;
  }

 private:
  Status check_keys(const toml::table& table) const {
    std::vector<std::string> known(std::begin(kRecipeKeys), std::end(kRecipeKeys));
    known.emplace_back("scheme");
    for (const SettingInfo& info : all_settings()) known.emplace_back(info.name);
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::ranges::find(known, name) != known.end()) continue;
      const std::string near = nearest_word(name, known);
      return rules_.fault(node, fmt::format("unknown key '{}' of a recipe{}", name,
                                            near.empty() ? "; known: " + join(known, ", ")
                                                         : ", did you mean '" + near + "'?"));
    }
    return {};
  }

  Status read_name(const toml::table& table, Recipe& recipe) const {
    const toml::node* node = table.get("name");
    if (node) recipe.name = node->value_exact<std::string>().value_or("");
    if (!recipe.name.empty()) return {};
    return rules_.fault(node ? *node : table, "a recipe needs a name: name = \"...\"");
  }

  Status read_settings(const toml::table& table, Recipe& recipe) const {
    NIBBLE_ASSIGN(auto settings, rules_.settings(table, kRecipeKeys));
    for (const NamedValue& setting : settings) {
      const Status applied = apply_named(recipe.options.all, setting);
      NIBBLE_CHECK(applied.ok(), "{}", applied.error().message);
      add_argument(recipe, setting.first, setting.second);
    }
    return {};
  }

  Status read_methods(const toml::table& table, Recipe& recipe) const {
    const toml::node* node = table.get("method");
    if (!node) return {};
    NIBBLE_ASSIGN(auto names, rules_.names("method", *node));
    Result<std::vector<Method>> methods = parse_methods(names);
    if (!methods.ok()) return rules_.fault(*node, methods.error().message);
    recipe.options.methods = *methods;
    if (!names.empty()) add_argument(recipe, "method", join(names, ","));
    return {};
  }

  Status read_rest(const toml::table& table, Recipe& recipe) const {
    MethodOptions& methods = recipe.options.method_options;
    NIBBLE_TRY(read_count(table, "method-samples", methods.samples, recipe));
    NIBBLE_TRY(read_count(table, "learn-steps", methods.learn_steps, recipe));
    NIBBLE_TRY(read_share(table, "smooth-share", methods.smooth_share, recipe));
    NIBBLE_TRY(read_share(table, "split-share", methods.split_share, recipe));
    NIBBLE_TRY(read_share(table, "drop-share", methods.drop_share, recipe));
    if (const toml::node* node = table.get("rounding")) {
      const std::string rounding = RuleReader::typed(*node);
      if (rounding != "tflite" && rounding != "single")
        return rules_.fault(*node, "rounding must be \"tflite\" or \"single\"");
      recipe.options.rounding = rounding == "single" ? Rounding::kSingle : Rounding::kTflite;
      add_argument(recipe, "rounding", rounding);
    }
    if (const toml::node* node = table.get("keep-float")) {
      NIBBLE_ASSIGN(recipe.options.keep_float, rules_.names("keep-float", *node));
      if (!recipe.options.keep_float.empty())
        add_argument(recipe, "keep-float", join(recipe.options.keep_float, ","));
    }
    return {};
  }

  // Keys that nothing reads must not be passed over in silence.
  Status check_read(const toml::table& table, const Recipe& recipe) const {
    for (const auto& [key, node] : table)
      if (const std::string reader = missing_reader(key.str(), recipe.options); !reader.empty())
        return rules_.fault(node,
                            fmt::format("'{}': {} goes with {}", recipe.name, key.str(), reader));
    return {};
  }

  Status read_count(const toml::table& table, std::string_view key, int64_t& count,
                    Recipe& recipe) const {
    const toml::node* node = table.get(key);
    if (!node) return {};
    const auto value = node->value_exact<int64_t>();
    if (!value || *value < 1)
      return rules_.fault(*node, fmt::format("{} must be a whole number above 0", key));
    count = *value;
    add_argument(recipe, key, std::to_string(*value));
    return {};
  }

  Status read_share(const toml::table& table, std::string_view key, double& share,
                    Recipe& recipe) const {
    const toml::node* node = table.get(key);
    if (!node) return {};
    const auto value = node->value<double>();
    if (!value || !(*value >= 0 && *value <= 1))
      return rules_.fault(*node, fmt::format("{} must be a number from 0 to 1", key));
    share = *value;
    add_argument(recipe, key, format_double(share));
    return {};
  }

  const RuleReader& rules_;
};

}  // namespace

std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+%@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(word);
  std::string text = "'";
  for (char c : word) c == '\'' ? text += "'\\''" : text += c;
  return text + "'";
}

Result<std::vector<Recipe>> read_recipes(const std::filesystem::path& file) {
  NIBBLE_ASSIGN(std::string text, read_text_file(file));
  NIBBLE_ASSIGN(toml::table table, parse_toml(text, file.string()));
  const RuleReader rules(file.string());
  for (const auto& [key, node] : table)
    if (key.str() != "recipe")
      return rules.fault(
          node, fmt::format("'{}' is not known here; what holds for a recipe stands in a table "
                            "[[recipe]]",
                            key.str()));
  NIBBLE_ASSIGN(auto tables, rules.tables(table, "recipe"));
  if (tables.empty())
    return usage_error(
        fmt::format("{}: no recipes; each is a table [[recipe]] with a name, as name = \"small\"",
                    file.string()));
  const RecipeReader reader(rules);
  std::vector<Recipe> recipes;
  std::map<std::string, int> lines;
  for (const toml::table* recipe : tables) {
    NIBBLE_ASSIGN(Recipe read, reader.read(*recipe));
    const auto line = static_cast<int>(recipe->source().begin.line);
    const auto [first, is_new] = lines.emplace(read.name, line);
    if (!is_new)
      return rules.fault(*recipe, fmt::format("the recipe of line {} is called '{}' already",
                                              first->second, read.name));
    recipes.push_back(std::move(read));
  }
  return recipes;
}

Recipe make_recipe(const std::string& name, const std::vector<std::string>& settings,
                   const std::vector<std::string>& methods) {
  Recipe recipe;
  recipe.name = name;
  for (const std::string& setting : settings) {
    const size_t equal = setting.find('=');
    NIBBLE_CHECK(equal != std::string::npos, "{}", setting);
    const NamedValue value = {setting.substr(0, equal), setting.substr(equal + 1)};
    const Status applied = apply_named(recipe.options.all, value);
    NIBBLE_CHECK(applied.ok(), "{}", applied.error().message);
    add_argument(recipe, value.first, value.second);
  }
  recipe.options.methods = *parse_methods(methods);
  if (!methods.empty()) add_argument(recipe, "method", join(methods, ","));
  return recipe;
}

std::vector<Recipe> default_recipes() {
  std::vector<Recipe> recipes;
  auto add = [&](const std::string& scheme, const std::vector<std::string>& methods) {
    recipes.push_back(
        make_recipe(methods.empty() ? scheme : fmt::format("{} {}", scheme, join(methods, ", ")),
                    {"scheme=" + scheme}, methods));
  };
  for (const char* scheme : {"w2a8", "w3a8", "w4a8", "w5a8", "w6a8", "w7a8", "w8a8", "w8a16"}) {
    add(scheme, {});
    add(scheme, {"gptaq"});
    add(scheme, {"gptaq", "correct-bias"});
    const bool few_bits = std::string_view(scheme) < "w5a8";
    if (few_bits) add(scheme, {"equalize", "gptaq", "correct-bias"});
  }
  recipes.push_back(make_recipe("int8, ranges of each sample", {"ranges=dynamic"}));
  for (const char* format : {"mxfp4", "mxfp6-e2m3", "fp8-e4m3", "fp8-e4m3-scaled", "mxfp8-e4m3",
                             "mxint8", "bfp8", "fp16", "bf16"})
    recipes.push_back(make_recipe(format, {std::string("weight-format=") + format,
                                           std::string("activation-format=") + format}));
  return recipes;
}

int activation_bits(const Graph& graph, const QuantizeOptions& options) {
  int bits = 0;
  auto count = [&](const LayerSettings& settings) {
    bits = std::max(bits, settings.activations.bits);
  };
  for (const Port& port : graph.inputs) count(settings_of(options, graph, port));
  for (const Node& node : graph.nodes) count(settings_of(options, node));
  return bits;
}

Result<int64_t> quantized_bytes(const Graph& graph, const CalibrationData& data,
                                const QuantizeOptions& options) {
  CalibrationData first = data;
  first.count = std::min<int64_t>(data.count, 1);
  QuantizeOptions unrefined = options;
  std::erase_if(unrefined.methods, is_refining);
  NIBBLE_ASSIGN(Graph integer, quantize(graph, first, without_learning(unrefined)));
  return constant_bytes(integer);
}

}  // namespace nibble
