// nibble compare MODEL --calibration C --data D: many ways to quantize, by size and accuracy.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/trials.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, calibration, data, recipes;
  int64_t calibration_samples = 0;
  DataArguments data_options;
};

std::string interval_text(const std::string& metric, const Interval& interval) {
  if (!std::isfinite(interval.half_width())) return "";
  if (metric != "accuracy") return fmt::format("{:.4g} to {:.4g}", interval.low, interval.high);
  return fmt::format("{:.1f} to {:.1f}", 100 * interval.low, 100 * interval.high);
}

std::string mark(const Comparison& comparison, size_t index) {
  if (static_cast<int>(index) == comparison.recommended) return "front, use this";
  return comparison.trials[index].on_front ? "front" : "";
}

// A class of sizes after the other, with a line between them.
std::string table_of(const Comparison& comparison) {
  const std::string& metric = comparison.baseline.score.metric;
  const bool accuracy = metric == "accuracy";
  auto value = [&](double number) {
    return accuracy ? fmt::format("{:.2f}", 100 * number) : fmt::format("{:.5g}", number);
  };
  std::vector<std::vector<std::string>> rows = {
      {"recipe", "bytes", accuracy ? "accuracy %" : metric, "95 % interval",
       accuracy ? "drop" : "drop %", "95 % interval", "seconds", ""}};
  const Baseline& baseline = comparison.baseline;
  rows.push_back({"float32", with_thousands(baseline.bytes), value(baseline.score.value),
                  interval_text(metric, baseline.interval), "", "", "", ""});
  int size_class = 0;
  for (size_t i = 0; i < comparison.trials.size(); ++i) {
    const Trial& trial = comparison.trials[i];
    if (trial.size_class != size_class || !trial.failure.empty()) rows.emplace_back();
    size_class = trial.size_class;
    if (!trial.failure.empty()) {
      rows.push_back({trial.name, "", "", "", "", "", "", "failed: " + trial.failure});
      continue;
    }
    rows.push_back(
        {trial.name + (trial.emulated ? " (emulated)" : ""), with_thousands(trial.bytes),
         value(trial.score.value), interval_text(metric, trial.interval),
         fmt::format("{:.2f}", trial.drop),
         fmt::format("{:.2f} to {:.2f}", trial.drop_interval.low, trial.drop_interval.high),
         fmt::format("{:.1f}", trial.quantize_seconds + trial.evaluate_seconds),
         mark(comparison, i)});
  }
  return format_table(rows);
}

nlohmann::ordered_json comparison_json(const Arguments& arguments, const Comparison& comparison,
                                       int64_t calibration_samples,
                                       const std::vector<std::string>& notes) {
  nlohmann::ordered_json json = {{"model", arguments.model},
                                 {"metric", comparison.baseline.score.metric},
                                 {"samples", comparison.baseline.score.samples},
                                 {"calibration_samples", calibration_samples},
                                 {"float", baseline_json(comparison.baseline)}};
  nlohmann::ordered_json recipes = nlohmann::ordered_json::array();
  for (const Trial& trial : comparison.trials) {
    nlohmann::ordered_json row = trial_json(trial);
    if (trial.failure.empty()) {
      row["size_class"] = trial.size_class;
      row["rank"] = trial.rank;
      row["on_front"] = trial.on_front;
    }
    recipes.push_back(row);
  }
  json["recipes"] = recipes;
  json["recommended"] = nullptr;
  if (comparison.recommended >= 0)
    json["recommended"] = comparison.trials[static_cast<size_t>(comparison.recommended)].name;
  json["advice"] = comparison.advice;
  json["notes"] = notes;
  return json;
}

Status compare_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_ASSIGN(auto recipes, recipes_of(arguments.recipes));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data_options.options());
  Graph imported;
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model, &imported));
  // --samples limits what is scored, never what is calibrated on.
  DataOptions calibration_options = data_options;
  calibration_options.labels.clear();
  calibration_options.max_samples = arguments.calibration_samples;
  NIBBLE_ASSIGN(Calibration calibration,
                read_calibration({arguments.calibration, calibration_options}, imported, graph));
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.data, graph, data_options));
  std::vector<std::string> notes;
  for (const std::string& note : {calibration.note.empty() ? data.note : calibration.note,
                                  same_data_note(arguments.calibration, arguments.data)}) {
    print_note("compare", note);
    if (!note.empty()) notes.push_back(note);
  }
  NIBBLE_ASSIGN(Comparison comparison,
                compare_recipes(graph, calibration.samples, data, recipes, trial_progress(line)));
  if (line.json) {
    print_json(comparison_json(arguments, comparison, calibration.samples.count, notes));
    return {};
  }
  fmt::print("{} samples, calibrated on {}\n\n{}\n{}\n", data.size(), calibration.samples.count,
             table_of(comparison), comparison.advice);
  return {};
}

}  // namespace

void add_compare(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "compare",
                            "many ways to quantize a model side by side, and which one to use");
  auto arguments = std::make_shared<Arguments>();
  add_float_model_options(*verb, arguments->model, arguments->calibration);
  verb->add_option("--data", arguments->data, "inputs to score, with labels")
      ->required()
      ->type_name("DATA");
  add_recipes_option(*verb, arguments->recipes);
  verb->add_option("--calibration-samples", arguments->calibration_samples,
                   "calibrate on only the first N samples")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
  add_data_options(*verb, arguments->data_options);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return compare_model(line, *arguments); };
  });
}

}  // namespace nibble
