// nibble evaluate MODEL --data DATA: float or bit-exact integer accuracy on the host.
#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, data, outputs;
  DataArguments data_options;
};

Status evaluate_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_TRY(check_outputs_name(arguments.outputs));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data_options.options());
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model));
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.data, graph, data_options));
  print_note("evaluate", data.note);
  std::vector<std::vector<Tensor>> outputs;
  NIBBLE_ASSIGN(Score score, evaluate(graph, data, &outputs));
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
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return evaluate_model(line, *arguments); };
  });
}

}  // namespace nibble
