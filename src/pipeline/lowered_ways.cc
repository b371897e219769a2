// Programs of one graph, and the plan that suits an amount of RAM.
#include "pipeline/lowered_ways.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "passes/passes.h"

namespace nibble {
namespace {

// The part of the time that layers in bands may cost where RAM is not short.
double free_share(Optimize optimize) {
  return optimize == Optimize::kSpeed ? 0 : optimize == Optimize::kBalanced ? 0.01 : 0.05;
}

// Of the programs' plans below a limit the one that ranks first.
template <class Rank>
Result<Planned> plan_best(std::vector<BandPlans>& programs, const BandOptions& bands,
                          const Rank& rank) {
  std::vector<Planned> best;
  for (BandPlans& plans : programs) {
    NIBBLE_ASSIGN(Planned tried, plans.plan(bands));
    if (best.empty() || rank(tried) < rank(best[0])) best.assign(1, std::move(tried));
  }
  return std::move(best[0]);
}

// RAM that the user has for the library.
int64_t ram_for_all(const Target& target, const CompileOptions& options) {
  return options.max_ram_bytes > 0 ? std::min(options.max_ram_bytes, target.ram_bytes)
                                   : target.ram_bytes;
}

}  // namespace

Result<LoweredWays> LoweredWays::of(const Graph& graph, const Target& target, Optimize optimize) {
  const LowerOptions options = lower_options(target, optimize);
  LoweredWays ways;
  ways.free_share_ = free_share(optimize);
  NIBBLE_TRY(ways.add(graph, options));
  for (const OneLine wanted : {OneLine::kRow, OneLine::kColumn}) {
    Graph turned = graph;
    if (turn_lines(turned, wanted) == 0) continue;
    NIBBLE_TRY(ways.add(turned, options));
  }
  return ways;
}

Status LoweredWays::add(const Graph& graph, const LowerOptions& options) {
  NIBBLE_ASSIGN(Program program, lower(graph, options));
  NIBBLE_ASSIGN(BandPlans plans, BandPlans::of(std::move(program)));
  plans_.push_back(std::move(plans));
  return {};
}

Result<Planned> LoweredWays::plan(int64_t arena_bytes) {
  if (plans_.size() > 1) {
    int64_t fastest = std::numeric_limits<int64_t>::max();
    for (const BandPlans& plans : plans_)
      fastest = std::min(fastest, program_cycles(plans.program()));
    const auto most = static_cast<int64_t>(static_cast<double>(fastest) * (1 + free_share_));
    BandOptions unlimited;
    unlimited.free_share = free_share_;
    NIBBLE_ASSIGN(Planned free, plan_best(plans_, unlimited, [&](const Planned& one) {
                    const int64_t cycles = program_cycles(one.program);
                    const int64_t bytes = one.plan.arena_bytes;
                    return std::tuple(cycles > most, cycles > most ? cycles : bytes, cycles);
                  }));
    if (free.plan.arena_bytes <= arena_bytes) return free;
  }
  BandOptions bands;
  bands.arena_bytes = arena_bytes;
  bands.free_share = free_share_;
  return plan_best(plans_, bands, [&](const Planned& one) {
    const int64_t bytes = one.plan.arena_bytes;
    const bool fits = bytes <= arena_bytes;
    return std::tuple(!fits, fits ? program_cycles(one.program) : bytes, bytes);
  });
}

// The caller's own inputs and outputs lie beside the arena, unless the user says what is left.
int64_t LoweredWays::arena_limit(const Target& target, const CompileOptions& options) const {
  return ram_for_all(target, options) - kStackBytes -
         (options.max_ram_bytes > 0 ? 0 : port_bytes());
}

int64_t LoweredWays::copy_to_ram(Planned& planned, const Target& target,
                                 const CompileOptions& options) const {
  if (target.flash_wait_cycles == 0) return 0;
  const int64_t left =
      ram_for_all(target, options) - planned.plan.arena_bytes - kStackBytes - port_bytes();
  // The other half is for what else the firmware does.
  const int64_t by_default = options.optimize == Optimize::kSpeed ? left / 2 : 0;
  return copy_weights(planned.program, target.flash_wait_cycles,
                      std::min(left, options.copied_bytes.value_or(by_default)))
      .bytes;
}

int64_t LoweredWays::port_bytes() const {
  int64_t bytes = 0;
  const Program& program = plans_[0].program();
  for (const auto* ports : {&program.inputs, &program.outputs})
    for (const ProgramPort& port : *ports)
      bytes += elem_count(port.type.shape) * dtype_bytes(port.type.dtype);
  return bytes;
}

Result<Planned> lower_and_plan(const Graph& graph, const Target& target,
                               const CompileOptions& options) {
  NIBBLE_ASSIGN(LoweredWays ways, LoweredWays::of(graph, target, options.optimize));
  NIBBLE_ASSIGN(Planned planned, ways.plan(ways.arena_limit(target, options)));
  ways.copy_to_ram(planned, target, options);
  return planned;
}

}  // namespace nibble
