// The public header of plan/: Program → MemoryPlan. Every buffer gets an offset in one arena;
// buffers that are never live at the same time may share bytes. A checker that shares no code with
// the planner proves the result.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// A buffer is live from its first writer to its last reader, both included. Inputs of the program
// are live from time -1 on (before call 0), outputs until time calls.size() (after the last call).
// A buffer that nothing mentions has first_call > last_call and takes no bytes.
struct Lifetime {
  int first_call = 0, last_call = 0;
  bool operator==(const Lifetime&) const = default;
};

struct MemoryPlan {
  int64_t arena_bytes = 0;
  // No plan can be smaller: for this order of calls, or, where the order was chosen, for any order;
  // for the groups that there are.
  int64_t lower_bound_bytes = 0;
  std::vector<int64_t> offsets;  // per buffer; -1: the buffer takes no bytes
  std::vector<Lifetime> lifetimes;
  // How it was found; "optimal" if no plan is smaller, whatever the order. What was proved of less:
  // "optimal for this order", "optimal for these bands and this order", or with " without bands"
  // behind it where calls could run band by band, and do not.
  std::string method;
  bool operator==(const MemoryPlan& other) const {
    return offsets == other.offsets && arena_bytes == other.arena_bytes;
  }
};

// Deterministic. A call's dst may share bytes with its first source where that dies there: start
// where it starts, if the call is in_place, or overlap_distance() below it, if the call has moments
// (KernelCall::progress). Other buffers that are live at the same time never share bytes. Offsets
// are searched exactly as far as the work for it is bounded. Errors: buffers so large that offsets
// would not fit 32 bits.
Result<MemoryPlan> plan(const Program& program);

// The same, and the calls are put into the order in which the least memory is needed: first the
// order whose lower bound is least, by an exact search where the number of states is bounded, then
// offsets. Calls move only where neither reads or overwrites what the other writes.
Result<MemoryPlan> plan_in_best_order(Program& program);

// Of an inference, as the calls were predicted when their kernels were chosen.
int64_t program_cycles(const Program& program);

struct BandOptions {
  // Calls are put into groups until the arena is no larger, if it can be.
  int64_t arena_bytes = std::numeric_limits<int64_t>::max();
  // Where it fits already: the part of the program's predicted cycles that a smaller arena may
  // cost.
  double free_share = 0;
};

// A program and its plan.
struct Planned {
  Program program;
  MemoryPlan plan;
};

// The plans of one program for all limits. As plan_in_best_order; then consecutive calls become
// groups that run band by band (KernelCall::members), such that the arena keeps to the options with
// the least predicted time. What no choice of groups can make fit has the smallest arena that was
// found. A smaller arena_bytes never leads to a larger arena: whatever fits some limit is found for
// it, too, with any options that differ in arena_bytes alone. What is asked before changes no
// answer; it is found once.
class BandPlans {
 public:
  // Errors: those of plan_in_best_order.
  static Result<BandPlans> of(Program program);
  Result<Planned> plan(const BandOptions& options);
  const Program& program() const { return program_; }  // without bands

  BandPlans(BandPlans&&) noexcept;
  BandPlans& operator=(BandPlans&&) noexcept;
  ~BandPlans();

 private:
  class Ladder;
  BandPlans();

  Program program_;  // in the best order
  MemoryPlan whole_;
  std::unique_ptr<Ladder> ladder_;  // none where no calls can be a group
};

// Makes groups of calls wherever they can be, of any size and height, drawn from a seed; for tests.
void draw_groups(Program& program, uint64_t seed);

// What copies of weights in RAM take and save.
struct WeightCopies {
  int64_t bytes = 0;
  double saved_cycles = 0;  // of an inference
};

// Marks the constants that start-up copies to RAM (ConstantData::in_ram), in at most
// `budget_bytes`: those of which each byte is read most often, by the calls' multiply-accumulates;
// a word read from flash takes `wait_cycles` more than one from RAM. Constants of which all copies
// together save less than a thousandth of the program's predicted cycles stay where they are.
WeightCopies copy_weights(Program& program, double wait_cycles, int64_t budget_bytes);

// Bytes of constants that one inference reads from flash behind a cache of so many bytes: a layer
// whose constants fit the cache reads each byte once. Of one layer, and of all.
double flash_read_bytes(const Program& program, const KernelCall& call, int64_t cache_bytes);
double flash_read_bytes(const Program& program, int64_t cache_bytes);

// Independent proof: simulates the program byte by byte: every byte that a call reads belongs to
// the buffer that the call means, nothing leaves the arena, alignments hold. The error names the
// two buffers and the call.
Status check_plan(const Program& program, const MemoryPlan& plan);

// Bytes of the arena that live buffers take at each time from -1 to calls.size(), index 0 being
// time -1; what two share counts once.
std::vector<int64_t> live_bytes(const Program& program, const MemoryPlan& plan);

// The calls, as times from -1 to calls.size(), that by themselves need `bytes`, whatever stands
// around them: all of the arena where the plan is proved to be the least, else its lower bound. No
// shorter list of up to three calls does, and none within a longer one. One call: what it reads and
// writes, and what lives on. Several: not what is live at any of them, but that their places follow
// from each other, as where each dst runs over its source and so lies below it. If it is not known
// (the plan is from a file, or the bound is one for other orders): where most is live.
struct Peak {
  int first_call = -1, last_call = -1;
  int64_t bytes = 0;
};
Peak find_peak(const Program& program, const MemoryPlan& plan);

// What stands where in the arena each time a layer hook of the emitted C is reached, in that order:
// bytes [offset, offset + bytes) of the arena are the layer's dst from dst_offset_bytes on, and in
// `of_bytes` in all. A layer of a group is reached once in each band.
struct TracePoint {
  size_t layer = 0;  // of layer_calls
  int64_t offset = 0, bytes = 0;
  int64_t dst_offset_bytes = 0, of_bytes = 0;
};
std::vector<TracePoint> trace_points(const Program& program, std::span<const int64_t> offsets);

// The plan as text: a line per buffer with a bar over the calls, the live bytes of each call, what
// sets the arena, the bound.
std::string draw_plan(const Program& program, const MemoryPlan& plan);

// JSON with exact round trip, for --stop-after plan. Errors of parse_plan name the field.
std::string print_plan(const Program& program, const MemoryPlan& plan);
Result<MemoryPlan> parse_plan(std::string_view text);

}  // namespace nibble
