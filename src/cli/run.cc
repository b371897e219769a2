// nibble run MODEL|DIR --target T --data DATA: on the emulated core, compared with the host.
#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, target, data, outputs;
  int timeout = RunOptions().timeout_seconds;
  DataArguments data_options;
  CompileArguments compile;
};

// A library knows what it was compiled for; a model does not.
Result<Target> target_of(const Arguments& arguments) {
  if (!arguments.target.empty()) return find_target(arguments.target);
  if (!std::filesystem::exists(arguments.model)) return import_model(arguments.model).error();
  if (!std::filesystem::is_directory(arguments.model))
    return usage_error("--target T is needed to run a model; see `nibble targets`");
  NIBBLE_ASSIGN(std::string name, recorded_target(arguments.model));
  return find_target(name);
}

Status run_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_TRY(check_outputs_name(arguments.outputs));
  NIBBLE_ASSIGN(DataOptions data_options, arguments.data_options.options());
  NIBBLE_ASSIGN(Target target, target_of(arguments));
  NIBBLE_ASSIGN(CompileOptions choice, arguments.compile.options());
  Graph graph;
  Compiled compiled;
  RunOptions options;
  options.compiler_level = arguments.compile.compiler_level();
  if (std::filesystem::is_directory(arguments.model)) {
    if (arguments.compile.optimize_option->count() > 0)
      return usage_error(
          "--optimize chooses the kernels of a model, and those of a library are chosen: compile "
          "the model again, or say --compiler-level");
    if (arguments.compile.max_ram_option->count() > 0)
      return usage_error(
          "--max-ram decides which layers of a model run in bands, and that of a library is "
          "decided: compile the model again");
    if (arguments.compile.copied_option->count() > 0)
      return usage_error(
          "--copy-weights decides which weights of a model lie in RAM, and that of a library is "
          "decided: compile the model again");
    if (arguments.compile.level.empty()) {
      NIBBLE_ASSIGN(options.compiler_level, recorded_compiler_level(arguments.model));
    }
    NIBBLE_ASSIGN(compiled, read_compiled(arguments.model, target, &graph));
    print_note("run", foreign_note(compiled.program, target));
  } else {
    NIBBLE_ASSIGN(graph, import_model(arguments.model));
    NIBBLE_ASSIGN(compiled, compile(graph, target, default_name(arguments.model), choice));
  }
  NIBBLE_ASSIGN(Dataset data, read_dataset(arguments.data, graph, data_options));
  print_note("run", data.note);
  options.timeout_seconds = arguments.timeout;
  NIBBLE_ASSIGN(CoreRun run, run_and_compare(compiled, graph, target, data, options));
  if (!arguments.outputs.empty())
    NIBBLE_TRY(write_outputs(arguments.outputs, graph, run.result.outputs));
  nlohmann::ordered_json json = run_json(run.result, run.score, run.difference);
  json["notes"] = notes_json(data.note);
  if (line.json)
    print_json(json);
  else
    fmt::print("{}", format_run(json));
  if (run.difference)
    return input_error(fmt::format(
        "the core's outputs differ from the host's, first at {}; {}",
        format_difference(json["first_difference"]),
        std::filesystem::is_directory(arguments.model)
            ? fmt::format("the C in '{}' does not compute the model beside it", arguments.model)
            : "please report this with the model"));
  return {};
}

}  // namespace

void add_run(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "run",
                            "runs an integer model or a compiled library on the emulated core");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL|DIR", arguments->model, "an integer model, or a folder made by compile")
      ->required();
  verb->add_option("--target", arguments->target,
                   "see `nibble targets`; DIR: by default the one it was compiled for")
      ->type_name("T");
  verb->add_option("--data", arguments->data, "inputs, with labels if there are any")
      ->required()
      ->type_name("DATA");
  verb->add_option("--outputs", arguments->outputs, "write every output of every sample")
      ->type_name("FILE.npz");
  add_compile_options(*verb, arguments->compile);
  verb->add_option("--timeout", arguments->timeout, "seconds that the emulator may take")
      ->type_name("SECONDS")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
  add_data_options(*verb, arguments->data_options);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return run_model(line, *arguments); };
  });
}

}  // namespace nibble
