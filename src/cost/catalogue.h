// What is known of cores and engines before any row is fitted: the priors of cost/, in one table
// each, with their sources.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cost/work.h"
#include "target/target.h"

namespace nibble {

// log of a quantity, and the standard deviation of that log.
struct LogEffect {
  double log = 0, sd = 0;
};

struct CostCore {
  std::string_view name;  // as in targets/*.toml
  CostIsa isa = CostIsa::kRv32;
  double cycles = 1;  // time per cycle of the reference core: prior mean of exp(gamma)
  double sd = 0.3;    // of gamma
  double power = 1;   // active power per MHz of this core over a Cortex-M4's
  std::string_view source;
};
std::span<const CostCore> cost_cores();
// Of a core that no table knows: the reference core of the target's widest instruction set, sd .25
// on Cortex-M and .3 elsewhere. Nothing where there is no instruction set that work is counted for.
std::optional<CostCore> find_core(const std::string& name, std::span<const Isa> isa);
CostCore core_or_unknown(std::string_view name);

struct CostFamily {
  std::string_view name;
  CostProfile profile = CostProfile::kTuned;
  double factor = 1.6;  // time over the profile's cycles: prior mean of exp(F)
  double sd = 0.3;      // of F
  double kind_sd = 0.25;
  double stack_sd = 0.3;
  std::string_view vendor = {};  // whose parts alone it is licensed for; empty: any
};
const CostFamily& find_family(std::string_view name);

// Which cores an engine's kernels are made for. kEvery: it is C without instructions of its own.
enum class EngineCores { kCortexM, kHelium, kRx, kAndes, kRv32, kEvery };
// "Cortex-M with Helium"
std::string_view engine_cores_name(EngineCores cores);
bool runs_on(EngineCores cores, const CostCore& core);

// A version of an engine with measurements. `dead` channels: constant ones that later engines do
// not compute.
struct CostStack {
  std::string_view name;    // "X-CUBE-AI 10.2"
  std::string_view family;  // "X-CUBE-AI"
  double version = 0;       // for "the nearest"; 0: no other version to be near to
  bool drops_dead = false;
  EngineCores cores = EngineCores::kCortexM;
};
std::span<const CostStack> cost_stacks();
// A row of the table, or a version of one of its engines that is not in it ("X-CUBE-AI 11.0"), with
// what the nearest version is; its name is then that which is passed. Nothing for other engines.
std::optional<CostStack> find_stack(std::string_view name);

// Parts that share measurements: "stm32u5" for stm32u575 and stm32u585. The target's own name
// where it has no such group.
std::string board_group(std::string_view target);

}  // namespace nibble
