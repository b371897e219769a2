// From an integer graph to a C library on disk, and back from disk to what a run needs.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "lower/lower.h"
#include "passes/passes.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

constexpr const char* kModelFile = "model.nibble";

// The first float operator that is not a border, with all others counted.
Status check_integer(const Graph& graph) {
  std::vector<std::string> real;
  for (const Node& node : graph.nodes) {
    bool border =
        std::holds_alternative<Quantize>(node.op) || std::holds_alternative<Dequantize>(node.op);
    if (!border && graph.type(node.outputs[0]).dtype == DType::kF32)
      real.push_back(fmt::format("'{}' ({})", node.name, op_name(node.op)));
  }
  if (real.empty()) return {};
  size_t shown = std::min<size_t>(real.size(), 4);
  std::string more = real.size() > shown ? fmt::format(" and {} more", real.size() - shown) : "";
  return input_error(
      fmt::format("'{}' computes in float: {}{}; only integer models become C. Quantize it first: "
                  "nibble quantize "
                  "MODEL --calibration DATA -o MODEL.nibble, or use deploy, which does both",
                  graph.name, join(std::span(real).first(shown), ", "), more));
}

// Parsers and checkers of text know no file; the user has several.
template <class T>
T in_file(const std::filesystem::path& file, T result) {
  if (result.ok()) return result;
  Error error = std::move(result).error();
  error.message = fmt::format("{}: {}", file.string(), error.message);
  return error;
}

EmitOptions emit_options(const Target& target, const std::string& name) {
  EmitOptions options;
  options.name = name;
  options.target_note = fmt::format("compiled for {} ({})", target.name, target.core);
  options.compile_flags = target.compile_flags;
  return options;
}

}  // namespace

Result<Graph> import_model(const std::filesystem::path& path, Graph* source,
                           ImportProblems* problems) {
  NIBBLE_ASSIGN(Graph graph, read_model(path, problems));
  if (source) *source = graph;
  NIBBLE_TRY(simplify(graph));
  return graph;
}

Result<Compiled> compile(const Graph& graph, const Target& target, const std::string& name) {
  NIBBLE_TRY(check_integer(graph));
  NIBBLE_ASSIGN(Program program, lower(graph, {target.isa}));
  NIBBLE_ASSIGN(MemoryPlan memory, plan(program));
  if (Status proof = check_plan(program, memory); !proof.ok())
    NIBBLE_UNREACHABLE("the memory plan is wrong: {}", proof.error().message);
  NIBBLE_ASSIGN(Library library, emit(program, memory, emit_options(target, name)));
  return Compiled{std::move(program), std::move(memory), std::move(library)};
}

Result<Compiled> compile_program(const std::filesystem::path& program_file,
                                 const std::filesystem::path& plan_file, const Target& target,
                                 const std::string& name) {
  NIBBLE_ASSIGN(std::string text, read_text_file(program_file));
  NIBBLE_ASSIGN(Program program, in_file(program_file, parse_program(text)));
  NIBBLE_TRY(in_file(program_file, verify_program(program)));
  MemoryPlan memory;
  if (plan_file.empty()) {
    NIBBLE_ASSIGN(memory, in_file(program_file, plan(program)));
  } else {
    NIBBLE_ASSIGN(std::string plan_text, read_text_file(plan_file));
    NIBBLE_ASSIGN(memory, in_file(plan_file, parse_plan(plan_text)));
  }
  NIBBLE_TRY(in_file(plan_file.empty() ? program_file : plan_file, check_plan(program, memory)));
  NIBBLE_ASSIGN(Library library, emit(program, memory, emit_options(target, name)));
  return Compiled{std::move(program), std::move(memory), std::move(library)};
}

Status check_budget(const Library& library, int64_t code_bytes, const Target& target) {
  auto excess = [](std::string_view memory, int64_t required, int64_t available) {
    return fmt::format("{}: {} bytes required, {} available, excess {}", memory,
                       with_thousands(required), with_thousands(available),
                       with_thousands(required - available));
  };
  std::vector<std::string> excesses;
  int64_t flash_bytes = library.weight_bytes + code_bytes;
  if (flash_bytes > target.flash_bytes)
    excesses.push_back(excess("flash", flash_bytes, target.flash_bytes));
  if (library.arena_bytes > target.ram_bytes)
    excesses.push_back(excess("RAM", library.arena_bytes, target.ram_bytes));
  if (excesses.empty()) return {};
  return does_not_fit(fmt::format(
      "'{}' does not fit {}, even without start-up code and stack. {}. Choose a larger target "
      "(`nibble targets`) or a smaller model",
      library.name, target.name, join(excesses, ". ")));
}

Status write_compiled(const Compiled& compiled, const Graph* graph, const Target& target,
                      const std::filesystem::path& dir, const std::string& accuracy_note,
                      const std::vector<EmittedFile>& extra) {
  EmitOptions options = emit_options(target, compiled.library.name);
  options.accuracy_note = accuracy_note;
  // Without the target's compiler the README says how to find the figure instead.
  if (Result<FlashBytes> flash = measure_flash(compiled.library, compiled.program, target);
      flash.ok())
    options.code_bytes = flash->code;
  NIBBLE_TRY(check_budget(compiled.library, options.code_bytes, target));
  NIBBLE_ASSIGN(Library library, emit(compiled.program, compiled.plan, options));
  if (graph) {
    std::vector<uint8_t> model = nibble_bytes(*graph);
    library.files.push_back({kModelFile, std::string(model.begin(), model.end())});
  }
  library.files.insert(library.files.end(), extra.begin(), extra.end());
  std::error_code unused;  // what cannot be created is reported by write_library, with its reason
  if (dir.has_parent_path()) std::filesystem::create_directories(dir.parent_path(), unused);
  return write_library(library, dir);
}

Result<Compiled> read_compiled(const std::filesystem::path& dir, const Target& target,
                               Graph* graph) {
  if (!std::filesystem::exists(dir / kModelFile))
    return input_error(
        fmt::format("'{}' holds no {}; give a model file, or a folder that `nibble "
                    "compile` or `nibble deploy` wrote",
                    dir.string(), kModelFile));
  NIBBLE_ASSIGN(*graph, read_nibble(dir / kModelFile));
  std::string name;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    std::string file = entry.path().filename().string();
    constexpr std::string_view kSuffix = "_weights.h";
    if (file.size() > kSuffix.size() && file.ends_with(kSuffix))
      name = file.substr(0, file.size() - kSuffix.size());
  }
  NIBBLE_ASSIGN(Compiled compiled, compile(*graph, target, name));
  // What runs is the C on disk, edited or not; the run compares its outputs with the graph's.
  for (EmittedFile& file : compiled.library.files) {
    NIBBLE_ASSIGN(file.text, read_text_file(dir / file.path));
  }
  return compiled;
}

Result<CoreRun> run_and_compare(const Compiled& compiled, const Graph& graph, const Target& target,
                                const Dataset& data, const RunOptions& options) {
  std::vector<std::vector<Tensor>> host;
  NIBBLE_ASSIGN(Score host_score, evaluate(graph, data, &host));
  NIBBLE_ASSIGN(RunResult result, run_on_target(compiled.library, compiled.program, target,
                                                quantized_samples(graph, data), options));
  CoreRun run;
  run.matches_host = true;
  for (size_t i = 0; i < host.size() && run.matches_host; ++i) {
    for (size_t k = 0; k < host[i].size(); ++k) {
      std::span<const uint8_t> mine = host[i][k].bytes(), theirs = result.outputs[i][k].bytes();
      if (std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end())) continue;
      run.matches_host = false;
      run.first_difference =
          fmt::format("sample {}, output '{}'", i, graph.value(graph.outputs[k].value).name);
      break;
    }
  }
  run.score = score_outputs(graph, data, result.outputs,
                            fmt::format("{} on {}", host_score.arithmetic, target.core));
  run.result = std::move(result);
  return run;
}

}  // namespace nibble
