// Ridge regression of power, and its figures.
#include "cost/energy.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/check.h"
#include "base/linear.h"

namespace nibble {
namespace {

constexpr double kBoardPowerSd = 0.3, kClassSd = 0.5, kRowPowerSd = 0.12, kInterceptSd = 1;
// Common LDO voltage of the figures, and what a switching regulator makes the supply count as.
constexpr double kPlainVolt = 1.8;
constexpr double kPlainMilliampPerMhz = 0.1;

struct BoardPower {
  std::string_view board;
  bool external_smps;
  Regulator regulator;
  double ua_per_mhz;  // 0: none found
  double figure_v;    // 0: an LDO, whatever the supply
  PowerBasis basis;
  double supply_v;  // of the measurement, where the row does not say
  std::string_view source;
};
constexpr BoardPower kBoards[] = {
    {"stm32l4r5", false, Regulator::kLdo, 100, 0, PowerBasis::kHeadline, 1.8,
     "Zephyr, board page of the Nucleo-L4R5ZI: 100 uA/MHz in run mode"},
    {"stm32l4r5", true, Regulator::kSmps, 43, 3.3, PowerBasis::kHeadline, 1.8,
     "DS12023, first page: 43 uA/MHz at 3.3 V with SMPS; recalled, not read again"},
    {"stm32u5", false, Regulator::kSmps, 19.5, 3.3, PowerBasis::kHeadline, 1.8,
     "Zephyr, board pages of the STM32U5: 19.5 uA/MHz running from flash at 3.3 V"},
    {"stm32h7a3", false, Regulator::kSmps, 0, 3.3, PowerBasis::kDatasheet, 1.8, "none found"},
    {"ra6m4", false, Regulator::kLdo, 99, 0, PowerBasis::kCoremark, 1.8,
     "Zephyr, board page of the EK-RA6M4: down to 99 uA/MHz, CoreMark from flash"},
    {"rx65n", false, Regulator::kLdo, 0, 0, PowerBasis::kDatasheet, 3.3, "none found"},
    {"stm32u385", false, Regulator::kSmps, 16, 3.3, PowerBasis::kCoremark, 1.8,
     "Zephyr, board page of the STM32U385: 16 uA/MHz, CoreMark, 3.3 V with SMPS"},
};

double figure_base(const PowerCase& question) {
  const double volt =
      question.regulator == Regulator::kSmps ? question.figure_v : question.supply_v;
  return question.clock_mhz * *question.ua_per_mhz * 1e-3 * volt;
}

double plain_base(const PowerCase& question) {
  const double volt = question.regulator == Regulator::kLdo ? question.supply_v : kPlainVolt;
  return question.clock_mhz * kPlainMilliampPerMhz * volt * core_or_unknown(question.core).power;
}

// Ridge: log(power / base) = intercept + class + board + row.
struct Ridge {
  double intercept = 0;
  std::map<std::string, double> classes;
};
Ridge fit_ridge(const std::vector<PowerRow>& rows,
                const std::function<double(const PowerCase&)>& base,
                const std::function<std::string(const PowerCase&)>& class_of) {
  std::map<std::string, size_t> classes, boards;
  for (const PowerRow& row : rows) {
    classes[class_of(row.question)];
    boards[row.question.board];
  }
  size_t n = 1;
  for (auto& [name, index] : classes) index = n++;
  for (auto& [name, index] : boards) index = n++;
  std::vector<double> matrix(n * n), x(n);
  for (size_t i = 0; i < n; ++i) {
    const double sd = i == 0 ? kInterceptSd : i <= classes.size() ? kClassSd : kBoardPowerSd;
    matrix[i * n + i] = 1 / (sd * sd);
  }
  constexpr double kWeight = 1 / (kRowPowerSd * kRowPowerSd);
  for (const PowerRow& row : rows) {
    const double y = std::log(row.milliwatt / base(row.question));
    const std::array<size_t, 3> used = {0, classes[class_of(row.question)],
                                        boards[row.question.board]};
    for (size_t i : used) {
      x[i] += y * kWeight;
      for (size_t j : used) matrix[i * n + j] += kWeight;
    }
  }
  NIBBLE_CHECK(cholesky(matrix, n), "ridge of {}", n);
  cholesky_solve(matrix, n, x);
  Ridge ridge{x[0], {}};
  for (const auto& [name, index] : classes) ridge.classes[name] = x[index];
  return ridge;
}

double value_of(const std::map<std::string, double>& values, std::string_view name) {
  const auto found = values.find(std::string(name));
  return found == values.end() ? 0 : found->second;
}

}  // namespace

PowerModel fit_power(const std::vector<PowerRow>& rows) {
  std::vector<PowerRow> with_figure;
  std::ranges::copy_if(rows, std::back_inserter(with_figure),
                       [](const PowerRow& row) { return row.question.ua_per_mhz.has_value(); });
  const Ridge figure = fit_ridge(with_figure, figure_base, [](const PowerCase& question) {
    return std::string(power_basis_name(question.basis));
  });
  const Ridge plain = fit_ridge(rows, plain_base, [](const PowerCase& question) {
    return std::string(regulator_name(question.regulator));
  });
  return {figure.intercept, figure.classes, plain.intercept, plain.classes};
}

LogEffect predict_power(const PowerModel& model, const PowerCase& question) {
  const double plain = std::log(plain_base(question)) + model.log_plain +
                       value_of(model.regulator, regulator_name(question.regulator));
  if (!question.ua_per_mhz) return {plain, kPlainSd};
  const double figure = std::log(figure_base(question)) + model.log_figure +
                        value_of(model.basis, power_basis_name(question.basis));
  constexpr double kFigureWeight = 1 / (kFigureSd * kFigureSd);
  constexpr double kPlainWeight = 1 / (kPlainSd * kPlainSd);
  // The two share what they do not know of a board, so the range is that of the better one.
  return {(figure * kFigureWeight + plain * kPlainWeight) / (kFigureWeight + kPlainWeight),
          kFigureSd};
}

std::optional<LogEffect> target_power(const PowerModel& model, const Target& target) {
  const PowerFacts& facts = target.power;
  if (facts.active_mw)
    return LogEffect{std::log(*facts.active_mw),
                     facts.basis == PowerBasis::kMeasured ? kMeasuredSd : kFigureSd};
  if (target.clock_hz == 0) return std::nullopt;
  PowerCase question;
  question.core = target.core;
  question.clock_mhz = static_cast<double>(target.clock_hz) / 1e6;
  question.supply_v = facts.supply_v.value_or(3.3);
  question.figure_v = question.supply_v;
  question.regulator = facts.regulator;
  question.ua_per_mhz = facts.active_ua_per_mhz;
  question.basis = facts.basis;
  return predict_power(model, question);
}

PowerCase published_power(const std::string& board, const std::string& core, double clock_mhz,
                          std::optional<double> supply_v, bool external_smps) {
  const auto* known = std::ranges::find_if(kBoards, [&](const BoardPower& entry) {
    return entry.board == board && entry.external_smps == external_smps;
  });
  NIBBLE_CHECK(known != std::end(kBoards), "board {}", board);
  PowerCase question;
  question.board = external_smps ? board + " with SMPS" : board;
  question.core = core;
  question.clock_mhz = clock_mhz;
  question.supply_v = supply_v.value_or(known->supply_v);
  question.regulator = known->regulator;
  if (known->ua_per_mhz > 0) question.ua_per_mhz = known->ua_per_mhz;
  question.figure_v = known->figure_v;
  question.basis = known->basis;
  return question;
}

}  // namespace nibble
