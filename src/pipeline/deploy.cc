// The whole compiler in order; each step calls one folder.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "lower/lower.h"
#include "passes/passes.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// What --stop-after shows on the terminal; with an output folder, the exact form is written there
// too.
Status write_stage(const DeployOptions& options, const std::string& file, const std::string& text) {
  if (options.out.empty()) return {};
  return write_text_file(options.out / file, text);
}

Result<DeployResult> stop_with_graph(const DeployOptions& options, const Graph& graph) {
  if (!options.out.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(options.out, ignored);
    NIBBLE_TRY(write_nibble(graph, options.out / (options.stop_after + ".nibble")));
  }
  DeployResult result;
  result.stage_text = print_graph(graph, {PrintOptions::Constants::kElided});
  return result;
}

Result<DeployResult> stop_with_text(const DeployOptions& options, const std::string& file,
                                    const std::string& exact, std::string shown) {
  if (!options.out.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(options.out, ignored);
  }
  NIBBLE_TRY(write_stage(options, file, exact));
  DeployResult result;
  result.stage_text = std::move(shown);
  return result;
}

std::string accuracy_note(const Score& score) {
  if (score.metric != "accuracy") return "";
  return fmt::format("{:.2f} % of {} samples ({})", 100 * score.value, score.samples,
                     score.arithmetic);
}

bool has_channel_scales(const Graph& graph) {
  return std::ranges::any_of(graph.values, [](const Value& value) {
    return value.type.quant && value.type.quant->scale.size() > 1;
  });
}

// A model that is quantized already takes no advice on how to: an error where its results would be
// others than asked for, else a note of what has no effect (empty: all has).
Result<std::string> check_given(const DeployOptions& options, const Graph& graph) {
  auto contradicted = [&](const std::string& what, const std::string& is) {
    return usage_error(
        fmt::format("{}: '{}' is already quantized, {}; leave the option out, or deploy the float "
                    "model",
                    what, options.model.string(), is));
  };
  std::vector<std::string> unused;
  for (const std::string& name : options.given) {
    if (name == "--keep-float") return contradicted(name, "no node of it can be left in float");
    if (name == "--rounding") {
      if (options.quantize.rounding != graph.rounding)
        return contradicted(name, graph.rounding == Rounding::kTflite
                                      ? "and its results are those of the rounding tflite"
                                      : "and its results are those of the rounding single");
      continue;
    }
    if (name == "--granularity" &&
        options.quantize.all.weights.granularity == Granularity::kTensor &&
        has_channel_scales(graph))
      return contradicted(name, "with a scale per channel");
    if (name != "--scheme") unused.push_back(name);
  }
  for (const auto& [asked, name] : {std::pair(options.explain, "--explain"),
                                    std::pair(options.stability.has_value(), "--stability")})
    if (asked) return contradicted(name, "and what that did to the float model it does not say");
  if (unused.empty()) return std::string();
  return fmt::format("'{}' is already quantized: {} {} no effect", options.model.string(),
                     join(unused, ", "), unused.size() == 1 ? "has" : "have");
}

using Note = std::function<void(const std::string& text)>;

// What can be refused of a float model before anything is computed.
Status check_float(const DeployOptions& options) {
  if (!options.quantize.keep_float.empty() && options.stop_after != "quantize")
    return usage_error(
        fmt::format("--keep-float {}: a node in float cannot become C, and deploy makes C of the "
                    "whole model; leave --keep-float out, or see what it gains on the host with "
                    "quantize and evaluate",
                    join(options.quantize.keep_float, ",")));
  if (options.calibration.empty())
    return usage_error(
        fmt::format("'{}' is a float model: --calibration DATA is needed to quantize it",
                    options.model.string()));
  return {};
}

// The data that the float model is scored on, where deploy goes that far.
struct FloatScored {
  std::optional<Dataset> data;
  Score score;
};
Result<FloatScored> score_float(const DeployOptions& options, const Graph& graph, const Note& note,
                                ReportFacts& facts) {
  FloatScored scored;
  if (!options.stop_after.empty() || options.data.empty()) return scored;
  NIBBLE_ASSIGN(scored.data, read_dataset(options.data, graph, options.data_options));
  note(scored.data->note);
  std::vector<std::vector<Tensor>> outputs;
  NIBBLE_ASSIGN(scored.score, evaluate(graph, *scored.data, &outputs));
  facts.scores.push_back(scored.score);
  if (auto found = count_confusion(graph, *scored.data, outputs, scored.score.arithmetic))
    facts.confusion.push_back(std::move(*found));
  return scored;
}

// The stage quantize: the integer graph, and in `facts` what became of the float one.
Result<Graph> quantize_stage(const DeployOptions& options, const Graph& imported,
                             const Graph& graph, const Note& note, ReportFacts& facts) {
  NIBBLE_TRY(check_float(options));
  // --samples limits what is scored, never what is calibrated on.
  DataOptions calibration_options = options.data_options;
  calibration_options.max_samples = 0;
  calibration_options.labels.clear();
  NIBBLE_ASSIGN(
      Calibration calibration,
      read_calibration({options.calibration.string(), calibration_options, options.quantize.seed},
                       imported, graph));
  note(calibration.note);
  const CalibrationData& samples = calibration.samples;
  NIBBLE_ASSIGN(FloatScored scored, score_float(options, graph, note, facts));
  const Dataset* data = scored.data ? &*scored.data : nullptr;
  QuantizeReport quantized;
  NIBBLE_ASSIGN(Graph integer, learn_quantized(graph, samples, options.quantize, &quantized));
  if (options.explain) {
    NIBBLE_ASSIGN(facts.explanation,
                  explain(quantized.prepared, integer, samples, kExplainedSamples, data));
    facts.layers = layer_errors(*facts.explanation);
  } else {
    NIBBLE_ASSIGN(facts.layers, compare_layers(quantized.prepared, integer, samples,
                                               options.layer_error_samples));
  }
  if (options.stability) {
    const bool has_metric = data && scored.score.metric != "none";
    NIBBLE_ASSIGN(facts.stability, stability(graph, samples, options.quantize, *options.stability,
                                             has_metric ? data : nullptr));
  }
  facts.calibrator = quantized.calibrator;
  facts.calibration_samples = quantized.samples;
  facts.ranges = std::move(quantized.ranges);
  facts.learned = std::move(quantized.learned);
  clean_up(integer);
  return integer;
}

// The last stages: run on the core, and the report of all.
Result<DeployResult> run_and_report(const DeployOptions& options, const Graph& graph,
                                    const Target& target, const Compiled& compiled,
                                    const Note& note, ReportFacts& facts) {
  // Nothing is written before all has gone well: an earlier deployment in the folder stays.
  NIBBLE_ASSIGN(Dataset data, read_dataset(options.data, graph, options.data_options));
  note(data.note);
  NIBBLE_ASSIGN(Score integer_score, evaluate(graph, data));
  facts.scores.push_back(integer_score);
  NIBBLE_ASSIGN(CoreRun run, run_and_compare(compiled, graph, target, data, options.run));
  facts.scores.push_back(run.score);
  if (auto found = count_confusion(graph, data, run.result.outputs, run.score.arithmetic))
    facts.confusion.push_back(std::move(*found));

  facts.model = options.model.string();
  facts.command = options.command;
  facts.version = version_text();
  facts.difference = run.difference;
  facts.run = std::move(run.result);
  facts.graph = &graph;
  facts.program = &compiled.program;
  facts.plan = compiled.plan;
  facts.target = &target;
  DeployResult result;
  result.report = std::make_unique<nlohmann::ordered_json>(make_report(facts));
  // Names come from model files and may be no valid UTF-8.
  std::string report =
      result.report->dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  FolderOptions folder;
  folder.compiler_level = options.run.compiler_level;
  folder.code_bytes = facts.run->flash.code;
  folder.stack_bytes = facts.run->ram.stack;
  folder.accuracy_note = accuracy_note(run.score);
  folder.extra = {
      {{std::string(kReportFile), std::move(report)}, "what it scores and costs, measured"}};
  NIBBLE_TRY(write_compiled(compiled, &graph, target, options.out, folder));
  return result;
}

}  // namespace

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> kStages = {"formats", "passes", "quantize",
                                                   "lower",   "plan",   "emit"};
  return kStages;
}

Result<DeployResult> deploy(const DeployOptions& options) {
  const std::string& stop = options.stop_after;
  NIBBLE_ASSIGN(Target target, find_target(options.target));
  // What takes minutes is not begun where its result could not be written.
  if (stop.empty() || stop == "emit") NIBBLE_TRY(check_directory(options.out));
  NIBBLE_ASSIGN(Graph graph, read_model(options.model));
  if (stop == "formats") return stop_with_graph(options, graph);
  const Graph imported = graph;
  NIBBLE_TRY(simplify(graph));
  if (stop == "passes") return stop_with_graph(options, graph);

  ReportFacts facts;
  // Each once, and at once: data sets of the same kind are doubtful for the same reason.
  const Note note = [&](const std::string& text) {
    if (text.empty() || std::ranges::find(facts.notes, text) != facts.notes.end()) return;
    facts.notes.push_back(text);
    if (options.note) options.note(text);
  };
  if (arithmetic_of(graph) == "float32") {
    NIBBLE_ASSIGN(graph, quantize_stage(options, imported, graph, note, facts));
  } else {
    NIBBLE_ASSIGN(std::string unused, check_given(options, graph));
    note(unused);
  }
  if (stop == "quantize") return stop_with_graph(options, graph);

  if (stop == "lower" || stop == "plan") {
    // The order of the calls, and which run in bands, is the plan's choice; a plan goes with that
    // program.
    NIBBLE_ASSIGN(Planned planned, lower_and_plan(graph, target, options.compile));
    const auto& [program, memory] = planned;
    if (stop == "lower")
      return stop_with_text(options, "lower.program", print_program(program),
                            print_program(program, {PrintOptions::Constants::kElided}));
    NIBBLE_TRY(check_plan(program, memory));
    NIBBLE_ASSIGN(DeployResult result,
                  stop_with_text(options, "plan.json", print_plan(program, memory),
                                 draw_plan(program, memory)));
    result.fits = check_planned_ram(planned, target, graph.name, options.compile);
    return result;
  }
  NIBBLE_ASSIGN(Compiled compiled, compile(graph, target, options.name, options.compile));
  if (stop == "emit") {
    FolderOptions folder;
    folder.compiler_level = options.run.compiler_level;
    NIBBLE_ASSIGN(auto files, write_compiled(compiled, &graph, target, options.out, folder));
    DeployResult result;
    for (const std::string& file : files) result.stage_text += file + "\n";
    return result;
  }
  return run_and_report(options, graph, target, compiled, note, facts);
}

}  // namespace nibble
