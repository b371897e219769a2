// nibble quantize MODEL --calibration DATA -o OUT.{nibble,onnx}: post-training quantization and its
// layer-by-layer error.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"
#include "passes/passes.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, calibration, out;
  int64_t error_samples = 16;
  DataArguments data;
  QuantizeArguments quantize;
};

Status quantize_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_ASSIGN(QuantizeOptions options, arguments.quantize.options(line.config));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data.options());
  NIBBLE_TRY(check_model_name(arguments.out));
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model));
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.calibration, graph, data_options));
  print_note("quantize", data.note);
  CalibrationData samples = calibration_data(data, graph);
  QuantizeReport quantized;
  NIBBLE_ASSIGN(Graph integer, quantize(graph, samples, options, &quantized));
  NIBBLE_ASSIGN(auto errors,
                compare_layers(quantized.prepared, integer, samples, arguments.error_samples));
  clean_up(integer);
  NIBBLE_TRY(write_model(integer, arguments.out));

  ReportFacts facts;
  if (!data.note.empty()) facts.notes.push_back(data.note);
  facts.model = arguments.model;
  facts.command = line.command;
  facts.calibrator = quantized.calibrator;
  facts.calibration_samples = quantized.samples;
  facts.ranges = std::move(quantized.ranges);
  facts.layers = std::move(errors);
  if (line.json) {
    print_json(make_report(facts));
    return {};
  }
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
  verb->add_option("-o,--output", arguments->out, "the quantized model: .nibble, or .onnx (QDQ)")
      ->required()
      ->type_name("FILE");
  verb->add_option("--error-samples", arguments->error_samples,
                   "samples for the layer-by-layer error")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
  add_data_options(*verb, arguments->data);
  add_quantize_options(*verb, arguments->quantize);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return quantize_model(line, *arguments); };
  });
}

}  // namespace nibble
