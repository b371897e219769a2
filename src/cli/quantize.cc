// nibble quantize MODEL --calibration DATA -o OUT.nibble: post-training quantization and its
// layer-by-layer error.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/trials.h"
#include "passes/passes.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, calibration, out;
  int64_t error_samples = 16;
  DataArguments data;
  QuantizeArguments quantize;
  AutoArguments automatic;
};

Status quantize_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_ASSIGN(QuantizeOptions options, arguments.quantize.options(line.config));
  const AutoArguments& automatic = arguments.automatic;
  NIBBLE_TRY(automatic.check(arguments.quantize, options));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data.options());
  if (std::filesystem::path(arguments.out).extension() != ".nibble")
    return usage_error(fmt::format(
        "-o {}: quantized models can be written as .nibble only; give the file that ending (every "
        "verb reads it)",
        arguments.out));
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model));
  DataOptions calibration_options = data_options;
  if (automatic.on) calibration_options.labels.clear();  // they are of --data
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.calibration, graph, calibration_options));
  print_note("quantize", data.note);
  const std::string same_data =
      automatic.on ? same_data_note(arguments.calibration, automatic.data) : "";
  print_note("quantize", same_data);
  CalibrationData samples = calibration_data(data, graph);
  AutoResult chosen;
  if (automatic.on) {
    NIBBLE_ASSIGN(chosen, choose_recipe(line, automatic, data_options, graph, samples));
  } else {
    NIBBLE_ASSIGN(chosen.integer, learn_quantized(graph, samples, options, &chosen.report));
  }
  QuantizeReport& quantized = chosen.report;
  Graph& integer = chosen.integer;
  NIBBLE_ASSIGN(auto errors,
                compare_layers(quantized.prepared, integer, samples, arguments.error_samples));
  clean_up(integer);
  NIBBLE_TRY(write_nibble(integer, arguments.out));

  ReportFacts facts;
  if (!data.note.empty()) facts.notes.push_back(data.note);
  if (!same_data.empty()) facts.notes.push_back(same_data);
  facts.model = arguments.model;
  facts.command = line.command;
  facts.calibrator = quantized.calibrator;
  facts.calibration_samples = quantized.samples;
  facts.ranges = std::move(quantized.ranges);
  facts.layers = std::move(errors);
  if (line.json) {
    nlohmann::ordered_json report = make_report(facts);
    if (automatic.on) report["auto"] = auto_json(automatic, chosen);
    print_json(report);
    return {};
  }
  if (automatic.on) fmt::print("{}\n", auto_text(automatic, chosen));
  fmt::print("{} → {}\n{} calibration samples, {}\n\n{}", arguments.model, arguments.out,
             quantized.samples, quantized.calibrator, format_layer_errors(facts.layers));
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "quantize", "post-training quantization of a float model");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model, "float .tflite, .onnx or .nibble")->required();
  verb->add_option("--calibration", arguments->calibration,
                   "typical inputs (.npz, .npy, .csv or a folder)")
      ->required()
      ->type_name("DATA");
  verb->add_option("-o,--output", arguments->out, "the quantized model")
      ->required()
      ->type_name("FILE");
  verb->add_option("--error-samples", arguments->error_samples,
                   "samples for the layer-by-layer error")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
  add_auto_options(*verb, arguments->automatic);
  add_data_options(*verb, arguments->data);
  add_quantize_options(*verb, arguments->quantize);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return quantize_model(line, *arguments); };
  });
}

}  // namespace nibble
