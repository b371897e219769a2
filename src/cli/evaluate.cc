// nibble evaluate MODEL --data DATA: float or bit-exact integer accuracy on the host.
#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, data, outputs, calibration;
  DataArguments data_options;
  QuantizeArguments quantize;
};

// The float network with weights and activations rounded as the options say.
Result<Score> evaluate_emulated(const CommandLine& line, const Arguments& arguments,
                                const Graph& imported, const Graph& graph,
                                std::vector<std::vector<Tensor>>* outputs) {
  NIBBLE_ASSIGN(QuantizeOptions options, arguments.quantize.options(line.config));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data_options.options());
  DataOptions calibration_options = data_options;
  calibration_options.labels.clear();
  calibration_options.max_samples = 0;
  NIBBLE_ASSIGN(Calibration calibration,
                read_calibration({arguments.calibration, calibration_options, options.seed},
                                 imported, graph));
  NIBBLE_ASSIGN(Emulation emulation, Emulation::make(graph, calibration.samples, options));
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.data, emulation.graph(), data_options));
  NIBBLE_ASSIGN(Score score,
                evaluate(emulation.graph(), data, outputs,
                         [&](ValueId id, Tensor& tensor) { emulation.round(id, tensor); }));
  score.arithmetic = fmt::format("emulated, {} bytes of weights", emulation.weight_bytes());
  return score;
}

Status evaluate_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_TRY(check_outputs_name(arguments.outputs));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data_options.options());
  Graph imported;
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model, &imported));
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.data, graph, data_options));
  print_note("evaluate", data.note);
  std::vector<std::vector<Tensor>> outputs;
  Score score;
  if (arguments.calibration.empty()) {
    NIBBLE_TRY(arguments.quantize.check_unused(
        "evaluate computes a model as it is; with --calibration DATA it emulates quantization"));
    NIBBLE_ASSIGN(score, evaluate(graph, data, &outputs));
  } else {
    NIBBLE_ASSIGN(score, evaluate_emulated(line, arguments, imported, graph, &outputs));
  }
  if (!arguments.outputs.empty()) NIBBLE_TRY(write_outputs(arguments.outputs, graph, outputs));
  if (line.json) {
    nlohmann::ordered_json json = score_json(score);
    json["notes"] = notes_json(data.note);
    print_json(json);
    return {};
  }
  if (score.metric == "none")
    fmt::print("{} samples computed in {}; not scored: {}\n", score.samples, score.arithmetic,
               score.why);
  else if (score.metric == "accuracy")
    fmt::print("accuracy {:.2f} % of {} samples ({})\n", 100 * score.value, score.samples,
               score.arithmetic);
  else
    fmt::print("{} {:.5g} over {} samples ({})\n", score.metric, score.value, score.samples,
               score.arithmetic);
  return {};
}

}  // namespace

void add_evaluate(CLI::App& app, CommandLine& line) {
  CLI::App* verb =
      add_verb(app, line, "evaluate", "accuracy on the host, float or bit-exact integer");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model, ".tflite, .onnx or .nibble")->required();
  verb->add_option("--data", arguments->data, "inputs, with labels if there are any")
      ->required()
      ->type_name("DATA");
  verb->add_option("--outputs", arguments->outputs, "write every output of every sample")
      ->type_name("FILE.npz");
  add_data_options(*verb, arguments->data_options);
  verb->add_option("--calibration", arguments->calibration,
                   "typical inputs: quantization of a float model as the options below say is "
                   "emulated in float")
      ->type_name("DATA");
  add_quantize_options(*verb, arguments->quantize);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return evaluate_model(line, *arguments); };
  });
}

}  // namespace nibble
