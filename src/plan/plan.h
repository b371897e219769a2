// The public header of plan/: Program → MemoryPlan. Every buffer gets an offset in one arena; buffers that are
// never live at the same time may share bytes. A checker that shares no code with the planner proves the result.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// A buffer is live from its first writer (or the start, for inputs) to its last reader (or the end, for outputs).
struct Lifetime {
  int first_call = 0, last_call = 0;
};

struct MemoryPlan {
  int64_t arena_bytes = 0;
  int64_t lower_bound_bytes = 0;  // no plan for this order of calls can be smaller (in-place allowed)
  int peak_call = -1;             // a call at which lower_bound_bytes are live
  std::vector<int64_t> offsets;   // per buffer; -1: the buffer takes no bytes
  std::vector<Lifetime> lifetimes;
  std::string method;             // how it was found, "optimal" if arena = lower bound
  bool operator==(const MemoryPlan& other) const { return offsets == other.offsets && arena_bytes == other.arena_bytes; }
};

Result<MemoryPlan> plan(const Program& program);
// Independent proof: simulates the program byte by byte: every byte that a call reads was last written by the
// call (or input) that produced that buffer, nothing leaves the arena, alignments hold.
// The error names the two buffers and the call.
Status check_plan(const Program& program, const MemoryPlan& plan);
// The plan as text: a line per buffer, a column per call, the peak, the bound.
std::string draw_plan(const Program& program, const MemoryPlan& plan);
// JSON with exact round trip, for --stop-after plan.
std::string print_plan(const Program& program, const MemoryPlan& plan);
Result<MemoryPlan> parse_plan(std::string_view text);

}  // namespace nibble
