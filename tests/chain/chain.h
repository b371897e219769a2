// The equality chain of doc/testing.md as one call: the integer references in ops/ = the portable
// kernels on the host at the plan's offsets, after every node = the generated C on the host under
// ASan and UBSan = the generated C on the emulated core; byte for byte. The error names the link
// and the first layer that differs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "emit/emit.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace nibble {

struct ChainOptions {
  bool sanitized = true;
  std::vector<std::string> targets;  // names of emulated boards, each one more link
  size_t target_samples = 4;         // at most this many samples on each of them
  // Not 0: the targets' programs take any implementation of a layer, not the best (LowerOptions).
  uint64_t draw_seed = 0;
  // Empty: plan_in_best_order.
  std::function<Result<MemoryPlan>(Program&)> planner;
  // Changes the emitted libraries before they are compiled: how a test breaks a link.
  std::function<void(Library&)> tamper;
};

struct ChainReport {
  MemoryPlan plan;
  int64_t weight_bytes = 0;
  std::vector<std::vector<Tensor>> outputs;         // [sample][output]
  std::vector<int64_t> instructions_per_inference;  // per target
  std::vector<size_t> functions;                    // per target: written for its program
};

// `graph` has passed verify_graph at level kQuantized. Samples: one tensor per input each.
Result<ChainReport> check_chain(const Graph& graph, const std::vector<std::vector<Tensor>>& samples,
                                const ChainOptions& options = {});

// Every integer equally likely; reals uniform over [-4, 4).
std::vector<std::vector<Tensor>> random_samples(const Graph& graph, size_t count, uint64_t seed);

}  // namespace nibble
