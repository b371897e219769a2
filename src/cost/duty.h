// What a device draws that infers at a rate, goes through other phases each time, and sleeps.
//
//   busy    T = t_inference + sum over phases of t_i                       (at most 1 / rate)
//   energy  E = E_inference + sum over phases of t_i P_i                   of one round
//   average P = rate E + (1 - rate T) P_sleep
//   life      = energy of the battery / P
//   carbon    = grams per kWh * energy of a million rounds, at a rate with the sleep between them
//
// Left out: what waking takes, the battery's own discharge and its falling voltage, losses of a
// regulator before the part, and all that is made before anything runs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cost/figure.h"
#include "target/target.h"

namespace nibble {

struct DutyPhase {
  std::string name;  // "acquire"
  double seconds = 0, milliwatts = 0;
};

struct Battery {
  double joules = 0;
  std::string text;  // as it was given
};

// Grams of CO2 equivalents per kWh of electricity, the world's mean of 2024 (Ember, Global
// Electricity Review 2025: 473).
inline constexpr double kWorldGridGrams = 473;

struct Duty {
  double rate_hz = 0;  // rounds per second; 0: not asked, only energy per inference is known
  std::vector<DutyPhase> phases;
  std::optional<double> sleep_mw;  // nothing: what the target says
  std::optional<Battery> battery;
  double grid_grams_per_kwh = kWorldGridGrams;
};

// "10/s", "1/min", "0.5/h", "2Hz".
Result<double> parse_rate(std::string_view text);
// "220mAh@3V", "2.6Ah@3.7V", "2400J".
Result<Battery> parse_battery(std::string_view text);
// "acquire=20ms@1.5mW".
Result<DutyPhase> parse_phase(std::string_view text);
// "300uW", "1.5mW", "2W" as milliwatts; "40uJ", "1.2mJ", "0.1J" as microjoules.
Result<double> parse_milliwatts(std::string_view text);
Result<double> parse_microjoules(std::string_view text);

// A part of a round: "acquire", "infer", "asleep".
struct DutyStep {
  std::string name;
  double seconds = 0;
  std::optional<double> microjoules;
};

struct DutyCost {
  double round_ms = 0;  // T
  // The phases as they were given, the inference, and, at a rate that leaves time for it, sleep;
  // empty where a round is nothing but an inference.
  std::vector<DutyStep> steps;
  std::optional<CostFigure> round_uj, average_mw, battery_days, grams_per_million;
  // Why there is no average: "infers for 120 ms and has 100 ms", "what it draws asleep is
  // not known: ...".
  std::string why_not;
  bool too_slow = false;  // the first of these
};
// Milliwatts of the deepest sleep that keeps the RAM; nothing where it is not known.
std::optional<double> sleep_milliwatts(const Target& target);
DutyCost duty_cost(const Duty& duty, const Target& target, const CostFigure& latency_ms,
                   const std::optional<CostFigure>& energy_uj);

}  // namespace nibble
