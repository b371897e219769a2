// nibble quantize MODEL --calibration DATA -o OUT.{nibble,onnx}: post-training quantization and its
// layer-by-layer error.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/version.h"
#include "cli/trials.h"
#include "cli/verbs.h"
#include "passes/passes.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, calibration, data, out;
  EvidenceArguments evidence;
  int64_t error_samples = 16;
  CLI::Option* error_samples_option = nullptr;
  DataArguments data_options;
  QuantizeArguments quantize;
  AutoArguments automatic;
};

Status check_arguments(const Arguments& arguments) {
  NIBBLE_TRY(check_model_name(arguments.out));
  const EvidenceArguments& evidence = arguments.evidence;
  if (evidence.stability && arguments.automatic.on)
    return usage_error(
        "--stability says how stable one way to quantize is, and --auto tries many; quantize with "
        "the options that it chose");
  NIBBLE_TRY(evidence.check());
  if (!arguments.data.empty() && !evidence.explain && !arguments.automatic.on &&
      !evidence.stability)
    return usage_error(fmt::format(
        "--data {}: nothing is scored without --explain, which says what each layer costs, "
        "--stability, which says what the choice of samples does, or --auto, which chooses how to "
        "quantize; or score the result with `nibble evaluate {} --data {}`",
        arguments.data, arguments.out, arguments.data));
  return {};
}

struct Datasets {
  CalibrationData calibration;
  std::optional<Dataset> scored;
  std::string note;
};

Result<Datasets> read_datasets(const Arguments& arguments, const Graph& imported,
                               const Graph& graph) {
  NIBBLE_ASSIGN(DataOptions options, arguments.data_options.options());
  Datasets datasets;
  if (!arguments.data.empty()) {
    DataOptions scored = options;
    scored.max_samples = 0;  // --samples limits the calibration
    NIBBLE_ASSIGN(datasets.scored, read_dataset(arguments.data, graph, scored));
    options.labels.clear();  // they are of --data
  }
  const CalibrationRequest request{arguments.calibration, options,
                                   static_cast<uint64_t>(arguments.quantize.seed)};
  NIBBLE_ASSIGN(Calibration calibration, read_calibration(request, imported, graph));
  datasets.calibration = std::move(calibration.samples);
  datasets.note = calibration.note;
  if (datasets.note.empty() && datasets.scored) datasets.note = datasets.scored->note;
  return datasets;
}

Status quantize_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_ASSIGN(QuantizeOptions options, arguments.quantize.options(line.config));
  const AutoArguments& automatic = arguments.automatic;
  NIBBLE_TRY(check_arguments(arguments));
  NIBBLE_TRY(automatic.check(arguments.data, arguments.quantize, options));
  Graph imported;
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model, &imported));
  NIBBLE_ASSIGN(Datasets data, read_datasets(arguments, imported, graph));
  print_note("quantize", data.note);
  const CalibrationData& samples = data.calibration;
  const std::string same_data =
      automatic.on ? same_data_note(arguments.calibration, arguments.data) : "";
  print_note("quantize", same_data);
  AutoResult chosen;
  if (automatic.on) {
    NIBBLE_ASSIGN(chosen, choose_recipe(line, automatic, graph, samples, *data.scored));
  } else {
    NIBBLE_ASSIGN(chosen.integer, learn_quantized(graph, samples, options, &chosen.report));
  }
  QuantizeReport& quantized = chosen.report;
  Graph& integer = chosen.integer;
  const EvidenceArguments& evidence = arguments.evidence;
  ReportFacts facts;
  if (evidence.explain) {
    const bool given = arguments.error_samples_option->count() > 0;
    NIBBLE_ASSIGN(facts.explanation, explain(quantized.prepared, integer, samples,
                                             given ? arguments.error_samples : kExplainedSamples,
                                             data.scored ? &*data.scored : nullptr));
    facts.layers = layer_errors(*facts.explanation);
  } else {
    NIBBLE_ASSIGN(facts.layers,
                  compare_layers(quantized.prepared, integer, samples, arguments.error_samples));
  }
  clean_up(integer);
  NIBBLE_TRY(write_model(integer, arguments.out));

  if (!data.note.empty()) facts.notes.push_back(data.note);
  if (!same_data.empty()) facts.notes.push_back(same_data);
  facts.model = arguments.model;
  facts.command = line.command;
  facts.version = version_text();
  facts.calibrator = quantized.calibrator;
  facts.calibration_samples = quantized.samples;
  facts.ranges = std::move(quantized.ranges);
  facts.learned = std::move(quantized.learned);
  facts.times = std::move(quantized.times);
  if (evidence.stability) {
    NIBBLE_ASSIGN(facts.stability,
                  stability(graph, samples, options, {evidence.resamplings, options.seed},
                            data.scored ? &*data.scored : nullptr));
  }
  nlohmann::ordered_json report = make_report(facts);
  if (automatic.on) report["auto"] = auto_json(automatic, chosen);
  if (line.json) {
    print_json(report);
    return {};
  }
  if (automatic.on) fmt::print("{}\n", auto_text(automatic, chosen));
  fmt::print(
      "{} → {}\n{} calibration samples, {}\n{}{}\n\n{}", arguments.model, arguments.out,
      quantized.samples, quantized.calibrator, format_learned(report["quantize"]),
      format_seconds(report["quantize"]),
      evidence.explain ? format_explanation(report["explain"]) : format_layer_errors(facts.layers));
  if (evidence.stability) fmt::print("{}", format_stability(report["stability"]));
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "quantize", "post-training quantization of a float model");
  auto arguments = std::make_shared<Arguments>();
  add_float_model_options(*verb, arguments->model, arguments->calibration);
  verb->add_option("-o,--output", arguments->out, "the quantized model: .nibble, or .onnx (QDQ)")
      ->required()
      ->type_name("FILE");
  add_evidence_options(*verb, arguments->evidence);
  verb->add_option(
          "--data", arguments->data,
          "inputs with labels: with --explain for what each layer costs alone, with --stability "
          "for what resampling does to the score, with --auto to choose by")
      ->type_name("DATA");
  arguments->error_samples_option =
      verb->add_option("--error-samples", arguments->error_samples,
                       "samples for the layer-by-layer error (by default 16; with --explain 1000)")
          ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
  add_auto_options(*verb, arguments->automatic);
  add_data_options(*verb, arguments->data_options);
  add_quantize_options(*verb, arguments->quantize);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return quantize_model(line, *arguments); };
  });
}

}  // namespace nibble
