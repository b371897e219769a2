// Power of a part while it computes, from what its maker publishes.
//
//   P [mW] = clock [MHz] uA/MHz 1e-3 V k          (V: the supply; behind a switching regulator the
//                                                  supply at which the figure holds)
//   log k = a + c_basis
//   without a figure:  P = clock 0.1 V' p_core k', log k' = a' + c_regulator
//
// with V' the supply, 1.8 behind a switching regulator, and p_core from cost/catalogue.h. Networks,
// and clocks of one part, change P per MHz by less than parts differ: one figure per part is all
// that is identifiable. a and c are fitted by ridge regression in logs, a normal error per board
// beside them: boards sd .3, bases sd .5, rows sd .12. Where there is a figure, both estimates
// count by the inverse of their variances.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cost/model.h"
#include "target/target.h"

namespace nibble {

struct PowerCase {
  std::string board;
  std::string core;
  double clock_mhz = 0;
  double supply_v = 0;
  Regulator regulator = Regulator::kUnknown;
  std::optional<double> ua_per_mhz;
  double figure_v = 0;  // at which it holds
  PowerBasis basis = PowerBasis::kDatasheet;
};

struct PowerRow {
  PowerCase question;
  double milliwatt = 0;
};

struct PowerModel {
  double log_figure = 0;                    // a
  std::map<std::string, double> basis;      // c_basis
  double log_plain = 0;                     // a'
  std::map<std::string, double> regulator;  // c_regulator
};

// sd of the log: of a figure, of the guess without one, of a power that was measured with networks.
inline constexpr double kFigureSd = 0.30;
inline constexpr double kPlainSd = 0.60;
inline constexpr double kMeasuredSd = 0.12;

PowerModel fit_power(const std::vector<PowerRow>& rows);
// log mW.
LogEffect predict_power(const PowerModel& model, const PowerCase& question);
// Nothing where the target has neither a power of the whole chip nor a clock.
std::optional<LogEffect> target_power(const PowerModel& model, const Target& target);
// By the fitted model; whether or not anything is known of the core's speed.
std::optional<LogEffect> core_power(const Target& target);

// The published figures of the boards with measured energy, by board and whether an external
// switching regulator feeds it; at `supply_v`.
PowerCase published_power(const std::string& board, const std::string& core, double clock_mhz,
                          std::optional<double> supply_v, bool external_smps);

}  // namespace nibble
