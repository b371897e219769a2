// nibble compile MODEL --target T -o DIR: the C library of an integer model.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

struct Arguments {
  std::string model, target, out, name, plan;
  CompileArguments compile;
};

Status compile_model(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_ASSIGN(Target target, find_target(arguments.target));
  NIBBLE_TRY(check_directory(arguments.out));
  std::string name = arguments.name.empty() ? default_name(arguments.model) : arguments.name;
  FolderOptions folder;
  folder.compiler_level = arguments.compile.compiler_level();
  Compiled compiled;
  std::vector<std::string> files;
  if (std::filesystem::path(arguments.model).extension() == ".program") {
    if (arguments.compile.max_ram_option->count() > 0)
      return usage_error(
          "--max-ram decides which layers run in bands, and in a .program that is decided: compile "
          "the model it was made from");
    if (arguments.compile.copied_option->count() > 0)
      return usage_error(
          "--copy-weights decides which weights lie in RAM, and in a .program that is decided: "
          "compile the model it was made from");
    if (arguments.compile.optimize_option->count() > 0)
      return usage_error(
          "--optimize chooses the kernels, and in a .program they are chosen: compile the model it "
          "was made from");
    NIBBLE_ASSIGN(compiled, compile_program(arguments.model, arguments.plan, target, name));
    print_note("compile", foreign_note(compiled.program, target));
    NIBBLE_ASSIGN(files, write_compiled(compiled, nullptr, target, arguments.out, folder));
  } else {
    if (!arguments.plan.empty())
      return usage_error(
          "--plan goes with a MODEL that is a .program, as --stop-after lower writes it");
    NIBBLE_ASSIGN(Graph graph, import_model(arguments.model));
    NIBBLE_ASSIGN(CompileOptions options, arguments.compile.options());
    NIBBLE_ASSIGN(compiled, compile(graph, target, name, options));
    NIBBLE_ASSIGN(files, write_compiled(compiled, &graph, target, arguments.out, folder));
  }
  const Library& library = compiled.library;
  if (line.json) {
    print_json({{"name", library.name},
                {"target", target.name},
                {"directory", arguments.out},
                {"arena_bytes", library.arena_bytes},
                {"arena_lower_bound_bytes", compiled.plan.lower_bound_bytes},
                {"weight_bytes", library.weight_bytes},
                {"copied_bytes", library.copied_bytes},
                {"files", files}});
    return {};
  }
  fmt::print("{} → {}: arena {} (lower bound {}), weights {}, {} kernel calls\n", arguments.model,
             arguments.out, human_bytes(library.arena_bytes),
             human_bytes(compiled.plan.lower_bound_bytes), human_bytes(library.weight_bytes),
             compiled.program.calls.size());
  for (const std::string& file : files) fmt::print("  {}\n", file);
  return {};
}

}  // namespace

void add_compile(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "compile", "writes the C library of an integer model");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model, "quantized .tflite, .onnx or .nibble, or a .program")
      ->required();
  verb->add_option("--plan", arguments->plan,
                   "the memory plan of a .program, as --stop-after plan writes it")
      ->type_name("FILE");
  verb->add_option("--target", arguments->target, "see `nibble targets`")
      ->required()
      ->type_name("T");
  verb->add_option("-o,--output", arguments->out, "folder for the library")
      ->required()
      ->type_name("DIR");
  verb->add_option("--name", arguments->name, "prefix of its functions and files")
      ->type_name("NAME");
  add_compile_options(*verb, arguments->compile);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return compile_model(line, *arguments); };
  });
}

}  // namespace nibble
