// From an integer graph, or a program, to a C library.
#include <algorithm>
#include <tuple>

#include "base/file.h"
#include "base/text.h"
#include "lower/lower.h"
#include "passes/passes.h"
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

// What a library takes of RAM beside its arena, until a run measures it: every model that nibble
// has been measured with stays below.
constexpr int64_t kStackBytes = 1024;

// The part of the time that layers in bands may cost where RAM is not short.
double free_share(Optimize optimize) {
  return optimize == Optimize::kSpeed ? 0 : optimize == Optimize::kBalanced ? 0.01 : 0.05;
}

int64_t port_bytes(const Program& program) {
  int64_t bytes = 0;
  for (const auto* ports : {&program.inputs, &program.outputs})
    for (const ProgramPort& port : *ports)
      bytes += elem_count(port.type.shape) * dtype_bytes(port.type.dtype);
  return bytes;
}

// RAM that the user has for the library.
int64_t ram_for_all(const Target& target, const CompileOptions& options) {
  return options.max_ram_bytes > 0 ? std::min(options.max_ram_bytes, target.ram_bytes)
                                   : target.ram_bytes;
}

// The other half is for what else the firmware does.
int64_t budget_for_copies(const Planned& planned, const Target& target,
                          const CompileOptions& options) {
  const int64_t left = ram_for_all(target, options) - planned.plan.arena_bytes - kStackBytes -
                       port_bytes(planned.program);
  if (options.copied_bytes) return std::min(*options.copied_bytes, left);
  return options.optimize == Optimize::kSpeed ? left / 2 : 0;
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

int64_t program_cycles(const Program& program) {
  int64_t cycles = 0;
  for (const KernelCall& call : program.calls) cycles += call.cycles;
  return cycles;
}

// The program of the graph as it is, and those of its images of one line turned to rows, and to
// columns, where there are such.
Result<std::vector<Program>> lower_each_way(const Graph& graph, const LowerOptions& options) {
  std::vector<Program> programs;
  NIBBLE_ASSIGN(Program as_it_is, lower(graph, options));
  programs.push_back(std::move(as_it_is));
  for (const OneLine wanted : {OneLine::kRow, OneLine::kColumn}) {
    Graph turned = graph;
    if (turn_lines(turned, wanted) == 0) continue;
    NIBBLE_ASSIGN(Program program, lower(turned, options));
    programs.push_back(std::move(program));
  }
  return programs;
}

// Of the programs' plans below a limit the one that ranks first.
template <class Rank>
Result<Planned> plan_best(const std::vector<Program>& programs, const BandOptions& bands,
                          const Rank& rank) {
  std::vector<Planned> best;
  for (const Program& program : programs) {
    Planned tried{program, {}};
    NIBBLE_ASSIGN(tried.plan, plan_in_bands(tried.program, bands));
    if (best.empty() || rank(tried) < rank(best[0])) best.assign(1, std::move(tried));
  }
  return std::move(best[0]);
}

// What would be taken without a limit, where it fits: the fastest, or what takes less RAM for the
// part of the time that this may cost. Else the fastest of all plans that fit: images of one column
// can run in bands, images of one row cannot. So less RAM allowed never needs more: a plan that
// fits it is among those of every larger limit.
Result<Planned> plan_fastest(const std::vector<Program>& programs, const BandOptions& bands) {
  if (programs.size() > 1) {
    const auto fastest = std::ranges::min_element(programs, {}, program_cycles);
    const auto most = static_cast<int64_t>(static_cast<double>(program_cycles(*fastest)) *
                                           (1 + bands.free_share));
    BandOptions unlimited;
    unlimited.free_share = bands.free_share;
    NIBBLE_ASSIGN(Planned free, plan_best(programs, unlimited, [&](const Planned& one) {
                    const int64_t cycles = program_cycles(one.program);
                    const int64_t bytes = one.plan.arena_bytes;
                    return std::tuple(cycles > most, cycles > most ? cycles : bytes, cycles);
                  }));
    if (free.plan.arena_bytes <= bands.arena_bytes) return free;
  }
  return plan_best(programs, bands, [&](const Planned& one) {
    const int64_t bytes = one.plan.arena_bytes;
    const bool fits = bytes <= bands.arena_bytes;
    return std::tuple(!fits, fits ? program_cycles(one.program) : bytes, bytes);
  });
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

Result<Planned> lower_and_plan(const Graph& graph, const Target& target,
                               const CompileOptions& options) {
  NIBBLE_ASSIGN(const std::vector<Program> programs,
                lower_each_way(graph, lower_options(target, options.optimize)));
  const int64_t given = options.max_ram_bytes;
  BandOptions bands;
  // The caller's own inputs and outputs lie beside the arena, unless the user says what is left.
  bands.arena_bytes = given > 0 ? std::min(given, target.ram_bytes) - kStackBytes
                                : target.ram_bytes - kStackBytes - port_bytes(programs[0]);
  bands.free_share = free_share(options.optimize);
  NIBBLE_ASSIGN(Planned planned, plan_fastest(programs, bands));
  if (target.flash_wait_cycles > 0)
    copy_weights(planned.program, target.flash_wait_cycles,
                 budget_for_copies(planned, target, options));
  return planned;
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
