// What the verbs that try recipes share: the options of `quantize --auto`, how a trial looks in
// JSON and on stderr. Inside cli/ only.
#pragma once

#include "cli/verbs.h"

namespace nibble {

// The recipes of a file, or the bench that nibble comes with.
Result<std::vector<Recipe>> recipes_of(const std::string& file);
void add_recipes_option(CLI::App& verb, std::string& file);

// A note where recipes are calibrated on what they are scored on; empty: they are not.
std::string same_data_note(const std::string& calibration, const std::string& data);

// A line on stderr for each trial that is done; nothing with --quiet.
TrialDone trial_progress(const CommandLine& line);

// `value` and `interval`, and `bytes` of constants in float32.
nlohmann::ordered_json baseline_json(const Baseline& baseline);
nlohmann::ordered_json trial_json(const Trial& trial);

// --auto, --max-drop, --recipes of `quantize`.
struct AutoArguments {
  bool on = false;
  std::string recipes;
  double max_drop = 1;
  CLI::Option *recipes_option = nullptr, *max_drop_option = nullptr;
  // `data`: of --data. Error: one of the options without --auto; --auto without --data, or beside
  // options that say how to quantize.
  Status check(const std::string& data, const QuantizeArguments& quantize,
               const QuantizeOptions& options) const;
};
void add_auto_options(CLI::App& verb, AutoArguments& arguments);
// Reads the recipes, and chooses by the score on `data`.
Result<AutoResult> choose_recipe(const CommandLine& line, const AutoArguments& arguments,
                                 const Graph& graph, const CalibrationData& calibration,
                                 const Dataset& data);
// What was tried, and what was chosen: as text, and as the field `auto` of the JSON.
std::string auto_text(const AutoArguments& arguments, const AutoResult& result);
nlohmann::ordered_json auto_json(const AutoArguments& arguments, const AutoResult& result);

}  // namespace nibble
