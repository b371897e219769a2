// A graph lowered in every way that there is for a set of instruction sets, and plans of that for
// any amount of RAM. Inside pipeline/ only.
#pragma once

#include <vector>

#include "pipeline/pipeline.h"

namespace nibble {

// What a library takes of RAM beside its arena, until a run measures it: every model that nibble
// has been measured with stays below.
inline constexpr int64_t kStackBytes = 1024;

class LoweredWays {
 public:
  // Of the target its instruction sets alone count. Errors: those of lower().
  static Result<LoweredWays> of(const Graph& graph, const Target& target, Optimize optimize);

  // What would be taken without a limit, where its arena fits `arena_bytes`: the fastest, or what
  // takes less RAM for the part of the time that this may cost. Else the fastest of all plans that
  // fit: images of one column can run in bands, images of one row cannot. So less RAM allowed never
  // needs more: a plan that fits it is among those of every larger limit. What cannot fit has the
  // smallest arena that was found.
  Result<Planned> plan(int64_t arena_bytes);
  // What a plan for all the RAM that the options leave of the target may take.
  int64_t arena_limit(const Target& target, const CompileOptions& options) const;
  // Copies of weights in RAM, where the target's flash makes the core wait: their bytes.
  int64_t copy_to_ram(Planned& planned, const Target& target, const CompileOptions& options) const;

  // The caller's own inputs and outputs, which lie beside the arena.
  int64_t port_bytes() const;

 private:
  Status add(const Graph& graph, const LowerOptions& options);

  std::vector<BandPlans> plans_;  // as it is; images of one line turned to rows, to columns
  double free_share_ = 0;         // of the time that a smaller arena may cost
};

}  // namespace nibble
