// Programs of one graph, and the plan that suits an amount of RAM.
#include "pipeline/lowered_ways.h"

#include <algorithm>
#include <tuple>

#include "passes/passes.h"

namespace nibble {
namespace {

// The part of the time that layers in bands may cost where RAM is not short.
double free_share(Optimize optimize) {
  return optimize == Optimize::kSpeed ? 0 : optimize == Optimize::kBalanced ? 0.01 : 0.05;
}

int64_t program_cycles(const Program& program) {
  int64_t cycles = 0;
  for (const KernelCall& call : program.calls) cycles += call.cycles;
  return cycles;
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

// RAM that the user has for the library.
int64_t ram_for_all(const Target& target, const CompileOptions& options) {
  return options.max_ram_bytes > 0 ? std::min(options.max_ram_bytes, target.ram_bytes)
                                   : target.ram_bytes;
}

// The other half is for what else the firmware does.
int64_t budget_for_copies(const Planned& planned, const LoweredWays& ways, const Target& target,
                          const CompileOptions& options) {
  const int64_t left =
      ram_for_all(target, options) - planned.plan.arena_bytes - kStackBytes - ways.port_bytes();
  if (options.copied_bytes) return std::min(*options.copied_bytes, left);
  return options.optimize == Optimize::kSpeed ? left / 2 : 0;
}

}  // namespace

Result<LoweredWays> LoweredWays::of(const Graph& graph, const Target& target, Optimize optimize) {
  const LowerOptions options = lower_options(target, optimize);
  LoweredWays ways;
  ways.free_share_ = free_share(optimize);
  NIBBLE_ASSIGN(Program as_it_is, lower(graph, options));
  ways.programs_.push_back(std::move(as_it_is));
  for (const OneLine wanted : {OneLine::kRow, OneLine::kColumn}) {
    Graph turned = graph;
    if (turn_lines(turned, wanted) == 0) continue;
    NIBBLE_ASSIGN(Program program, lower(turned, options));
    ways.programs_.push_back(std::move(program));
  }
  return ways;
}

Result<Planned> LoweredWays::plan(int64_t arena_bytes) const {
  if (programs_.size() > 1) {
    const auto fastest = std::ranges::min_element(programs_, {}, program_cycles);
    const auto most =
        static_cast<int64_t>(static_cast<double>(program_cycles(*fastest)) * (1 + free_share_));
    BandOptions unlimited;
    unlimited.free_share = free_share_;
    NIBBLE_ASSIGN(Planned free, plan_best(programs_, unlimited, [&](const Planned& one) {
                    const int64_t cycles = program_cycles(one.program);
                    const int64_t bytes = one.plan.arena_bytes;
                    return std::tuple(cycles > most, cycles > most ? cycles : bytes, cycles);
                  }));
    if (free.plan.arena_bytes <= arena_bytes) return free;
  }
  BandOptions bands;
  bands.arena_bytes = arena_bytes;
  bands.free_share = free_share_;
  return plan_best(programs_, bands, [&](const Planned& one) {
    const int64_t bytes = one.plan.arena_bytes;
    const bool fits = bytes <= arena_bytes;
    return std::tuple(!fits, fits ? program_cycles(one.program) : bytes, bytes);
  });
}

int64_t LoweredWays::port_bytes() const {
  int64_t bytes = 0;
  for (const auto* ports : {&programs_[0].inputs, &programs_[0].outputs})
    for (const ProgramPort& port : *ports)
      bytes += elem_count(port.type.shape) * dtype_bytes(port.type.dtype);
  return bytes;
}

Result<Planned> lower_and_plan(const Graph& graph, const Target& target,
                               const CompileOptions& options) {
  NIBBLE_ASSIGN(const LoweredWays ways, LoweredWays::of(graph, target, options.optimize));
  const int64_t given = options.max_ram_bytes;
  // The caller's own inputs and outputs lie beside the arena, unless the user says what is left.
  NIBBLE_ASSIGN(Planned planned,
                ways.plan(given > 0 ? std::min(given, target.ram_bytes) - kStackBytes
                                    : target.ram_bytes - kStackBytes - ways.port_bytes()));
  if (target.flash_wait_cycles > 0)
    copy_weights(planned.program, target.flash_wait_cycles,
                 budget_for_copies(planned, ways, target, options));
  return planned;
}

}  // namespace nibble
