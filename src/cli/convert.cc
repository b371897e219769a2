// nibble convert MODEL -o OUT.{nibble,onnx,txt}: another form of the same model.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, out;
  bool simplify = false;
};

Status convert_model(const CommandLine& line, const Arguments& arguments) {
  std::string extension = std::filesystem::path(arguments.out).extension().string();
  if (extension != ".nibble" && extension != ".onnx" && extension != ".txt")
    return usage_error(
        fmt::format("-o {}: models can be written as .nibble, as .onnx, or as .txt (the text of "
                    "the graph); give the file one of these endings",
                    arguments.out));
  Graph imported;
  NIBBLE_ASSIGN(Graph simplified, import_model(arguments.model, &imported));
  const Graph& graph = arguments.simplify ? simplified : imported;
  if (extension == ".txt")
    NIBBLE_TRY(write_text_file(arguments.out, print_graph(graph)));
  else
    NIBBLE_TRY(write_model(graph, arguments.out));
  if (line.json)
    print_json(
        {{"model", arguments.model}, {"output", arguments.out}, {"nodes", graph.nodes.size()}});
  else
    fmt::print("{} → {}: {} nodes\n", arguments.model, arguments.out, graph.nodes.size());
  return {};
}

}  // namespace

void add_convert(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "convert", "writes the model in another form");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model, ".tflite, .onnx or .nibble")->required();
  verb->add_option("-o,--output", arguments->out,
                   ".nibble, .onnx, or .txt for the text of the graph")
      ->required()
      ->type_name("FILE");
  verb->add_flag("--simplify", arguments->simplify, "after the passes instead of as imported");
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return convert_model(line, *arguments); };
  });
}

}  // namespace nibble
