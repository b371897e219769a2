#include "cli/trials.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json interval_json(const Interval& interval) {
  return Json::array({finite_json(interval.low), finite_json(interval.high)});
}

std::string result_text(const Trial& trial) {
  if (!trial.failure.empty()) return "failed: " + trial.failure;
  return fmt::format("{}, {} lost, {}, {:.1f} s", value_text(trial.score.metric, trial.score.value),
                     drop_text(trial.score.metric, trial.drop), human_bytes(trial.bytes),
                     trial.quantize_seconds + trial.evaluate_seconds);
}

// What to type for the same again.
std::string same_as_text(const Trial& trial) {
  std::string typed = trial.arguments;
  if (trial.layer_rules > 0) typed += fmt::format("{}--config FILE", typed.empty() ? "" : " ");
  if (typed.empty()) return "";
  if (trial.layer_rules == 0) return ", the same as " + typed;
  return fmt::format(
      ", the same as {}, where FILE has the recipe's {} [[recipe.layer]] as [[layer]]", typed,
      trial.layer_rules == 1 ? "table" : fmt::format("{} tables", trial.layer_rules));
}

}  // namespace

Result<std::vector<Recipe>> recipes_of(const std::string& file) {
  if (file.empty()) return default_recipes();
  return read_recipes(file);
}

void add_recipes_option(CLI::App& verb, std::string& file) {
  verb.add_option("--recipes", file,
                  "tables [[recipe]] with a name, a scheme, settings and methods (by default "
                  "nibble's own bench)")
      ->type_name("FILE.toml");
}

std::string same_data_note(const std::string& calibration, const std::string& data) {
  std::error_code absent;
  if (!std::filesystem::equivalent(calibration, data, absent)) return "";
  return "--calibration and --data are the same: methods that fit weights to the calibration look "
         "better than they will be on other data";
}

TrialDone trial_progress(const CommandLine& line) {
  if (line.quiet) return {};
  return [](const Trial& trial, size_t index, size_t count) {
    std::fprintf(stderr, "%zu/%zu %s: %s\n", index + 1, count, trial.name.c_str(),
                 result_text(trial).c_str());
  };
}

Json baseline_json(const Baseline& baseline) {
  return {{"value", finite_json(baseline.score.value)},
          {"interval", interval_json(baseline.interval)},
          {"bytes", baseline.bytes}};
}

Json trial_json(const Trial& trial) {
  Json json = {
      {"name", trial.name}, {"arguments", trial.arguments}, {"layer_rules", trial.layer_rules}};
  if (!trial.failure.empty()) {
    json["error"] = trial.failure;
    return json;
  }
  json["error"] = nullptr;
  json["integer"] = !trial.emulated;
  json["bytes"] = trial.bytes;
  json["value"] = finite_json(trial.score.value);
  json["interval"] = interval_json(trial.interval);
  json["drop"] = finite_json(trial.drop);
  json["drop_interval"] = interval_json(trial.drop_interval);
  json["quantize_seconds"] = trial.quantize_seconds;
  json["evaluate_seconds"] = trial.evaluate_seconds;
  return json;
}

void add_auto_options(CLI::App& verb, AutoArguments& arguments) {
  verb.add_flag("--auto", arguments.on,
                "choose how: the recipe with the fewest bytes of constants that stays within "
                "--max-drop of float on --data");
  arguments.max_drop_option =
      verb.add_option("--max-drop", arguments.max_drop,
                      "with --auto: points of accuracy, or percent of a mean squared error, that "
                      "may be lost (by default 1)")
          ->type_name("POINTS");
  add_recipes_option(verb, arguments.recipes);
  arguments.recipes_option = verb.get_option("--recipes");
}

Status AutoArguments::check(const std::string& data, const QuantizeArguments& quantize,
                            const QuantizeOptions& options) const {
  if (!on) {
    for (const CLI::Option* option : {max_drop_option, recipes_option})
      if (option->count() > 0)
        return usage_error(
            fmt::format("{} goes with --auto, which chooses how to quantize", option->get_name()));
    return {};
  }
  if (data.empty())
    return usage_error("--auto needs --data DATA: what it may lose is measured on labelled data");
  if (!std::isfinite(max_drop) || max_drop < 0)
    return usage_error(
        fmt::format("--max-drop {}: a number that is not negative is needed, as 0.5", max_drop));
  const std::string why =
      "--auto chooses how to quantize; leave the option out, or put it into a recipe of --recipes "
      "FILE";
  if (!options.rules.empty()) return usage_error("[[layer]] in the file of --config: " + why);
  return quantize.check_unused(why);
}

Result<AutoResult> choose_recipe(const CommandLine& line, const AutoArguments& arguments,
                                 const Graph& graph, const CalibrationData& calibration,
                                 const Dataset& data) {
  NIBBLE_ASSIGN(auto recipes, recipes_of(arguments.recipes));
  return auto_quantize(graph, calibration, data, recipes, arguments.max_drop, trial_progress(line));
}

std::string auto_text(const AutoArguments& arguments, const AutoResult& result) {
  const std::string& metric = result.baseline.score.metric;
  const Trial& chosen = result.tried.back();
  std::vector<std::vector<std::string>> rows = {
      {"tried", "constants", metric == "accuracy" ? "accuracy" : metric, "drop", ""}};
  rows.push_back({"float32", human_bytes(result.baseline.bytes),
                  value_text(metric, result.baseline.score.value), "", ""});
  for (const Trial& trial : result.tried) {
    if (!trial.failure.empty()) {
      rows.push_back({trial.name, "", "", "", "failed: " + trial.failure});
      continue;
    }
    rows.push_back({trial.name, human_bytes(trial.bytes), value_text(metric, trial.score.value),
                    drop_text(metric, trial.drop), &trial == &chosen ? "chosen" : ""});
  }
  return fmt::format("{}\n'{}' is the smallest within {} of float on {} samples{}\n",
                     format_table(rows), chosen.name, drop_text(metric, arguments.max_drop),
                     result.baseline.score.samples, same_as_text(chosen));
}

Json auto_json(const AutoArguments& arguments, const AutoResult& result) {
  Json tried = Json::array();
  for (const Trial& trial : result.tried) tried.push_back(trial_json(trial));
  return {{"recipe", result.tried.back().name},      {"max_drop", arguments.max_drop},
          {"metric", result.baseline.score.metric},  {"samples", result.baseline.score.samples},
          {"float", baseline_json(result.baseline)}, {"tried", tried}};
}

}  // namespace nibble
