// The options that `estimate` and `recommend` share. Inside cli/ only.
#pragma once

#include <string>
#include <vector>

#include "cli/verbs.h"
#include "pipeline/estimate.h"

namespace nibble {

// As typed; empty: not given.
struct EstimateArguments {
  std::string model, calibration, scheme;
  std::vector<std::string> targets;  // of the verb's own option; empty: the catalogue's parts
  std::string core, vendor, max_latency, max_energy, max_power, rate, battery;
  std::string optimize{optimize_name(Optimize::kBalanced)};
  std::vector<std::string> phases;
  double grid = kWorldGridGrams;
  bool npu = false;
  DataArguments data;
  CLI::Option* scheme_option = nullptr;

  Result<EstimatedModel> read_model() const;
  // Without engines, measuring and order.
  Result<EstimateQuery> query() const;
};
void add_estimate_options(CLI::App& verb, EstimateArguments& arguments);

}  // namespace nibble
