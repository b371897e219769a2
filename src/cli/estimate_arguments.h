// The options that `estimate`, `recommend` and `report --estimate` share. Inside cli/ only.
#pragma once

#include <string>
#include <vector>

#include "cli/verbs.h"

namespace nibble {

// How often it infers and what else a round has. As typed; empty: not given.
struct DutyArguments {
  std::string rate, battery;
  std::vector<std::string> phases;
  double grid = kWorldGridGrams;
  std::vector<CLI::Option*> all_options;
  Result<Duty> duty() const;
};
void add_duty_options(CLI::App& verb, DutyArguments& arguments);

// As typed; empty: not given.
struct EstimateArguments {
  std::string model, calibration, scheme;
  std::vector<std::string> targets;  // of the verb's own option; empty: the catalogue's parts
  std::string core, vendor, max_latency, max_energy, max_power;
  std::string optimize{optimize_name(Optimize::kBalanced)};
  DutyArguments duty;
  bool npu = false;
  DataArguments data;
  CLI::Option* scheme_option = nullptr;

  Result<EstimatedModel> read_model() const;
  // Without engines, measuring and order.
  Result<EstimateQuery> query() const;
};
void add_estimate_options(CLI::App& verb, EstimateArguments& arguments);

// The parts of the catalogue that one can buy, without the emulator's boards.
Result<std::vector<Target>> catalogue_parts();

}  // namespace nibble
