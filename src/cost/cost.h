// The public header of cost/: what a network will cost on a part in time and energy, before
// anything is built, with how wrong that may be.
//
//   latency = cycles / clock,   energy = latency * power
//
// Peers (TFLM + CMSIS-NN, X-CUBE-AI, ...): cycles by the mixed-effects model of cost/model.h,
// fitted to the published MLPerf Tiny measurements that lie beside the code (measured.csv;
// fitted.json is what came out). nibble: the static cycles of the lowered Program, by the rules of
// the instruction set's reference core, times the fitted effect of the core and a factor phi for
// what rules leave out: 1.12 (sd of the log .13), between rules alone (1) and what peers need whose
// instructions are counted one by one (1.2). No hardware figure of nibble exists, and each estimate
// says so. Power: cost/energy.h. Tables, formulas and what was left out: doc/cost.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cost/duty.h"
#include "cost/figure.h"
#include "cost/npu/npu.h"
#include "cost/timing.h"
#include "graph/graph.h"
#include "target/target.h"

namespace nibble {

struct LayerEstimate {
  std::string name, op;
  double latency_ms = 0;
};

// Of |predicted / measured - 1| where `left_out` (a board) was no part of the fit.
struct PublishedError {
  double median = 0, p90 = 0;
  int rows = 0;
  std::string of;  // "cortex-m4" or "Cortex-M and RV32"
};

struct CostEstimate {
  std::string stack;  // as it was understood: "X-CUBE-AI 10.2"
  double clock_mhz = 0;
  CostFigure cycles;
  CostFigure latency_ms;
  std::optional<CostFigure> energy_uj;  // nothing where the target has no clock
  std::optional<CostFigure> power_mw;
  std::vector<LayerEstimate> layers;
  PublishedError latency_error, energy_error;
  // What was never measured: "core", "board", "stack", "version".
  std::vector<std::string> unseen;
  // "Median error 8 % (p90 26 %) on boards left out of the fit; ..."
  std::string provenance;
};

struct CostQuery {
  // Bytes of weights that one inference reads from flash; plan/ knows them. Each word waits the
  // target's flash_wait_cycles, of which kExposedWait is seen; on boards that the fit knows, flash
  // inside the part is in what they measured, and counts no more.
  double flash_read_bytes = 0;
};
// Of the data cache before the flash that weights lie in.
int64_t flash_cache_bytes(const Target& target);
// Cycles by the rules that kernels are chosen by (KernelCall::cycles), of each of layer_calls(); a
// group of bands has its own, in the shares that its members have of it.
std::vector<double> rule_cycles(const Program& program);

// nibble itself. Errors: a core whose cycles lower/ has no rules for, a target without a clock.
Result<CostEstimate> estimate_cost(const Program& program, const Target& target,
                                   const CostQuery& query = {});

// Another engine on the same part. `all` is the network as it was trained, `live` without its
// constant channels, which some engines leave out; both are simplified and may be float: what is
// estimated is their int8 form. `stack` is a name of peer_stacks() or an engine without version
// ("X-CUBE-AI": the newest that was measured) or with one that was not measured. Errors: unknown
// engine (with those there are), core that nothing is known for or that the engine's kernels are
// not made for (with the engines that run there), no clock.
Result<CostEstimate> estimate_peer(const Graph& all, const Graph& live, const Target& target,
                                   const std::string& stack);
// Engines with measurements, by name: all, or those that run on the part's core.
std::vector<std::string> peer_stacks();
std::vector<std::string> peer_stacks(const Target& target);
// All of them by the cores that they run on: "Cortex-M: A, B; every core: C".
std::string peer_stacks_text();
// Whose parts alone an engine is licensed for; empty: any, or no engine has that name.
std::string_view peer_vendor(const std::string& name);
// Errors: no such engine; one that does not run on `target`'s core, where one is given and its core
// is known.
Status check_peer(const std::string& stack, const Target* target);

// Over all boards, each left out of the fit.
PublishedError published_latency_error();
PublishedError published_energy_error();

}  // namespace nibble
