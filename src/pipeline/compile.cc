// From an integer graph, or a program, to a C library.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "lower/lower.h"
#include "passes/passes.h"
#include "pipeline/lowered_ways.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// The first float operator that is not a border, with all others counted.
Status check_integer(const Graph& graph) {
  std::vector<std::string> real;
  bool kept = false;
  for (const Node& node : graph.nodes) {
    bool border =
        std::holds_alternative<Quantize>(node.op) || std::holds_alternative<Dequantize>(node.op);
    kept = kept || node.keep_float;
    if (!border && graph.type(node.outputs[0]).dtype == DType::kF32)
      real.push_back(fmt::format("'{}' ({})", node.name, op_name(node.op)));
  }
  if (real.empty()) return {};
  size_t shown = std::min<size_t>(real.size(), 4);
  std::string more = real.size() > shown ? fmt::format(" and {} more", real.size() - shown) : "";
  std::string advice =
      kept ? "Nodes that --keep-float left in float run on the host only (evaluate); quantize the "
             "float model without that option"
           : "Quantize it first: nibble quantize MODEL --calibration DATA -o MODEL.nibble, or use "
             "deploy, which does both";
  return input_error(fmt::format("'{}' computes in float: {}{}; only integer models become C. {}",
                                 graph.name, join(std::span(real).first(shown), ", "), more,
                                 advice));
}

// Parsers and checkers of text know no file; the user has several.
template <class T>
T in_file(const std::filesystem::path& file, T result) {
  if (result.ok()) return result;
  Error error = std::move(result).error();
  error.message = fmt::format("{}: {}", file.string(), error.message);
  return error;
}

Error over_max_ram(const std::string& name, int64_t required, int64_t available,
                   const std::string& parts) {
  return does_not_fit(fmt::format(
      "'{}' does not fit --max-ram, with as many of its layers in bands as help. RAM: {} bytes "
      "required, {} available, excess {} ({}). Allow it more, or use a smaller model or input",
      name, with_thousands(required), with_thousands(available),
      with_thousands(required - available), parts));
}

Status check_arena(const std::string& name, const MemoryPlan& plan, int64_t max_ram_bytes) {
  const int64_t required = plan.arena_bytes + kStackBytes;
  if (max_ram_bytes == 0 || required <= max_ram_bytes) return {};
  return over_max_ram(name, required, max_ram_bytes,
                      fmt::format("arena {}, stack at most {}", with_thousands(plan.arena_bytes),
                                  with_thousands(kStackBytes)));
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
                           ImportProblems* problems, CleanUp clean_up) {
  NIBBLE_ASSIGN(Graph graph, read_model(path, problems));
  if (source) *source = graph;
  SimplifyOptions options;
  options.clean_up = clean_up == CleanUp::kOn;
  NIBBLE_TRY(simplify(graph, options));
  return graph;
}

Result<Compiled> compile(const Graph& graph, const Target& target, const std::string& name,
                         const CompileOptions& compile_options) {
  NIBBLE_TRY(check_integer(graph));
  NIBBLE_ASSIGN(Planned planned, lower_and_plan(graph, target, compile_options));
  auto& [program, memory] = planned;
  NIBBLE_TRY(check_arena(graph.name, memory, compile_options.max_ram_bytes));
  if (Status proof = check_plan(program, memory); !proof.ok())
    NIBBLE_UNREACHABLE("the memory plan is wrong: {}", proof.error().message);
  EmitOptions options = emit_options(target, name);
  NIBBLE_ASSIGN(Library library, emit(program, memory, options));
  return Compiled{std::move(program), std::move(memory), std::move(library), std::move(options),
                  compile_options};
}

Result<Compiled> compile_program(const std::filesystem::path& program_file,
                                 const std::filesystem::path& plan_file, const Target& target,
                                 const std::string& name) {
  NIBBLE_ASSIGN(std::string text, read_text_file(program_file));
  NIBBLE_ASSIGN(Program program, in_file(program_file, parse_program(text)));
  NIBBLE_TRY(in_file(program_file, verify_program(program)));
  MemoryPlan memory;
  if (plan_file.empty()) {
    NIBBLE_ASSIGN(memory, in_file(program_file, plan_in_best_order(program)));
  } else {
    NIBBLE_ASSIGN(std::string plan_text, read_text_file(plan_file));
    NIBBLE_ASSIGN(memory, in_file(plan_file, parse_plan(plan_text)));
  }
  NIBBLE_TRY(in_file(plan_file.empty() ? program_file : plan_file, check_plan(program, memory)));
  EmitOptions options = emit_options(target, name);
  NIBBLE_ASSIGN(Library library, emit(program, memory, options));
  return Compiled{std::move(program), std::move(memory), std::move(library), std::move(options),
                  CompileOptions()};
}

Status check_measured_ram(const Compiled& compiled, const RamBytes& ram) {
  const int64_t available = compiled.compile.max_ram_bytes;
  if (available == 0 || ram.total <= available) return {};
  return over_max_ram(
      compiled.library.name, ram.total, available,
      fmt::format("arena {}, stack {}, other variables {}", with_thousands(ram.arena),
                  with_thousands(ram.stack), with_thousands(ram.static_data)));
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
  if (int64_t ram_bytes = library.arena_bytes + library.copied_bytes; ram_bytes > target.ram_bytes)
    excesses.push_back(excess("RAM", ram_bytes, target.ram_bytes));
  if (excesses.empty()) return {};
  return does_not_fit(fmt::format(
      "'{}' does not fit {}, even without start-up code and stack. {}. Choose a larger target "
      "(`nibble targets`) or a smaller model",
      library.name, target.name, join(excesses, ". ")));
}

Status check_planned_ram(const Planned& planned, const Target& target, const std::string& name,
                         const CompileOptions& options) {
  NIBBLE_TRY(check_arena(name, planned.plan, options.max_ram_bytes));
  Library arena;
  arena.name = name;
  arena.arena_bytes = planned.plan.arena_bytes;
  return check_budget(arena, 0, target);
}

}  // namespace nibble
