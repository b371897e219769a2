// Duty cycles: reading what the user says of one, and the sums of duty.h.
#include "cost/duty.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace nibble {
namespace {

constexpr Unit kPowers[] = {{"nw", 1e-6}, {"uw", 1e-3}, {"mw", 1}, {"w", 1e3}};
constexpr Unit kEnergies[] = {{"nj", 1e-3}, {"uj", 1}, {"mj", 1e3}, {"j", 1e6}};
constexpr Unit kRates[] = {
    {"/s", 1}, {"/min", 1.0 / 60}, {"/h", 1.0 / 3600}, {"/day", 1.0 / 86400}, {"hz", 1}};
constexpr Unit kCharges[] = {{"mah", 3.6}, {"ah", 3600}};  // coulombs
constexpr Unit kVolts[] = {{"mv", 1e-3}, {"v", 1}};
constexpr Unit kBatteryEnergies[] = {{"mwh", 3.6}, {"wh", 3600}, {"kj", 1e3}, {"j", 1}};

constexpr std::string_view kBattery = "a battery; write 220mAh@3V, 2.6Ah@3.7V, 10Wh or 2400J";

// The function of every bound; a falling one swaps low and high.
template <class Function>
CostFigure mapped(const CostFigure& figure, const Function& function) {
  CostFigure result{function(figure.value), function(figure.low80), function(figure.high80),
                    function(figure.low95), function(figure.high95)};
  if (result.low80 > result.high80) std::swap(result.low80, result.high80);
  if (result.low95 > result.high95) std::swap(result.low95, result.high95);
  return result;
}

constexpr double kSecondsPerDay = 86400, kJoulesPerKwh = 3.6e6;
// What a microcontroller's duty can be; beyond them a unit was mistaken.
constexpr double kSecondsPerYear = 365.25 * kSecondsPerDay;
constexpr double kMostHertz = 1e6, kMostJoules = 1e12, kMostMilliwatts = 1e6;

constexpr double kMicrojoulesPerMillijoule = 1000;

double microjoules_of(const DutyPhase& phase) {
  return phase.seconds * phase.milliwatts * kMicrojoulesPerMillijoule;
}

std::vector<DutyStep> steps_of(const Duty& duty, const CostFigure& latency_ms,
                               const std::optional<CostFigure>& energy_uj) {
  std::vector<DutyStep> steps;
  for (const DutyPhase& phase : duty.phases)
    steps.push_back({phase.name, phase.seconds, microjoules_of(phase)});
  DutyStep infer{"infer", latency_ms.value * 1e-3, {}};
  if (energy_uj) infer.microjoules = energy_uj->value;
  steps.push_back(std::move(infer));
  return steps;
}

}  // namespace

Result<double> parse_milliwatts(std::string_view text) {
  NIBBLE_ASSIGN(const double milliwatts,
                parse_with_unit(text, kPowers, "a power; write 300uW, 1.5mW or 2W"));
  if (milliwatts <= kMostMilliwatts) return milliwatts;
  return usage_error(fmt::format("'{}' is out of range: at most 1000W", text));
}

Result<double> parse_microjoules(std::string_view text) {
  return parse_with_unit(text, kEnergies, "an energy; write 40uJ, 1.2mJ or 0.1J");
}

Result<double> parse_rate(std::string_view text) {
  NIBBLE_ASSIGN(const double rate,
                parse_with_unit(text, kRates, "a rate; write 10/s, 1/min, 0.5/h, 4/day or 2Hz"));
  if (rate <= 0) return usage_error(fmt::format("'{}' is not a rate: it must be above 0", text));
  if (rate > kMostHertz || rate * kSecondsPerYear < 1)
    return usage_error(
        fmt::format("'{}' is out of range: from once a year (0.00274/day) to 1000000/s", text));
  return rate;
}

Result<Battery> parse_battery(std::string_view text) {
  Battery battery{0, std::string(trim(text))};
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    NIBBLE_ASSIGN(const double coulombs, parse_with_unit(text.substr(0, at), kCharges, kBattery));
    NIBBLE_ASSIGN(const double volts, parse_with_unit(text.substr(at + 1), kVolts, kBattery));
    battery.joules = coulombs * volts;
  } else {
    NIBBLE_ASSIGN(battery.joules, parse_with_unit(text, kBatteryEnergies, kBattery));
  }
  if (battery.joules <= 0)
    return usage_error(fmt::format("'{}' is not {}", battery.text, kBattery));
  if (battery.joules > kMostJoules)
    return usage_error(
        fmt::format("'{}' is more than any battery holds; write 220mAh@3V or 10Wh", battery.text));
  return battery;
}

Result<DutyPhase> parse_phase(std::string_view text) {
  const size_t equals = text.find('='), at = text.find('@');
  if (equals == std::string_view::npos || equals == 0 || at == std::string_view::npos ||
      at < equals)
    return usage_error(fmt::format(
        "'{}' is not a phase; write NAME=TIME@POWER, as acquire=20ms@1.5mW, or sleep=POWER", text));
  DutyPhase phase{std::string(trim(text.substr(0, equals)))};
  NIBBLE_ASSIGN(phase.seconds, parse_seconds(trim(text.substr(equals + 1, at - equals - 1))));
  NIBBLE_ASSIGN(phase.milliwatts, parse_milliwatts(text.substr(at + 1)));
  if (phase.seconds > kSecondsPerYear)
    return usage_error(fmt::format("'{}' is out of range: a phase takes at most a year", text));
  return phase;
}

std::optional<double> sleep_milliwatts(const Target& target) {
  if (!target.power.sleep_ua || !target.power.supply_v) return std::nullopt;
  return *target.power.sleep_ua * *target.power.supply_v * 1e-3;
}

DutyCost duty_cost(const Duty& duty, const Target& target, const CostFigure& latency_ms,
                   const std::optional<CostFigure>& energy_uj) {
  DutyCost cost;
  double phases_s = 0, phases_uj = 0;
  for (const DutyPhase& phase : duty.phases) {
    phases_s += phase.seconds;
    phases_uj += microjoules_of(phase);
  }
  cost.round_ms = latency_ms.value + phases_s * 1e3;
  const double grams_per_uj = duty.grid_grams_per_kwh / kJoulesPerKwh;  // of a million rounds
  if (energy_uj)
    cost.round_uj = mapped(*energy_uj, [&](double energy) { return energy + phases_uj; });
  if (duty.rate_hz > 0 || !duty.phases.empty()) cost.steps = steps_of(duty, latency_ms, energy_uj);
  if (duty.rate_hz <= 0) {
    if (cost.round_uj)
      cost.grams_per_million =
          mapped(*cost.round_uj, [&](double energy) { return energy * grams_per_uj; });
    return cost;
  }
  const double busy = duty.rate_hz * cost.round_ms * 1e-3;
  if (busy > 1) {
    cost.too_slow = true;
    cost.why_not = fmt::format("takes {:.4g} ms a time, and {:.4g} ms is all there is at that rate",
                               cost.round_ms, 1e3 / duty.rate_hz);
    return cost;
  }
  const std::optional<double> sleep = duty.sleep_mw ? duty.sleep_mw : sleep_milliwatts(target);
  DutyStep asleep{"asleep", (1 - busy) / duty.rate_hz, {}};
  if (sleep) asleep.microjoules = asleep.seconds * *sleep * kMicrojoulesPerMillijoule;
  cost.steps.push_back(std::move(asleep));
  if (!cost.round_uj) {
    cost.why_not = "nothing is known of what it draws while it infers";
  } else if (!sleep) {
    cost.why_not =
        "what it draws asleep is not known: say it with --phase sleep=POWER, or as sleep_ua in the "
        "target's file";
  } else {
    cost.average_mw = mapped(*cost.round_uj, [&](double energy) {
      return duty.rate_hz * energy * 1e-3 + (1 - busy) * *sleep;
    });
    cost.grams_per_million = mapped(*cost.average_mw, [&](double milliwatts) {
      return milliwatts * 1e3 / duty.rate_hz * grams_per_uj;
    });
    if (duty.battery)
      cost.battery_days = mapped(*cost.average_mw, [&](double milliwatts) {
        return duty.battery->joules / (milliwatts * 1e-3) / kSecondsPerDay;
      });
  }
  return cost;
}

}  // namespace nibble
