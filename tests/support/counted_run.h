// A graph on an emulated core, layer by layer: what its layers cost by the implementations chosen,
// and by the reference kernels.
#pragma once

#include "emit/emit.h"
#include "lower/lower.h"
#include "plan/plan.h"
#include "run/run.h"

namespace nibble {

inline Result<RunResult> run_counted(const Graph& graph, const Target& target,
                                     const LowerOptions& options,
                                     const std::vector<std::vector<Tensor>>& samples) {
  NIBBLE_ASSIGN(Program program, lower(graph, options));
  NIBBLE_ASSIGN(MemoryPlan plan, plan_in_best_order(program));
  NIBBLE_ASSIGN(Library library, emit(program, plan));
  return run_on_target(library, program, target, samples);
}

inline LowerOptions by_reference(LowerOptions options) {
  options.reference_only = true;
  return options;
}

}  // namespace nibble
