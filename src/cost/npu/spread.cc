// Refits without a network, and the range that follows.
#include "cost/npu/spread.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "base/linear.h"
#include "base/text.h"
#include "cost/csv.h"

namespace nibble {
namespace {

constexpr double kStay = 1e-4;
constexpr int kSteps = 12;
constexpr double kDifference = 1e-3;  // of a log, for derivatives
constexpr double kLongestStep = 1;    // of a log

constexpr std::string_view kEntries[] = {"cost", "way", "stream", "power", "parameter"};

// A figure with its network, read once.
struct Case {
  NpuFigure figure;
  Graph graph;
};

// "mobilenet_v2" of "mobilenet_v2 0.35 128x128x3 101".
std::string network_name(const NpuFigure& figure) {
  return figure.network.substr(0, figure.network.find(' '));
}

Result<double> log_error(const Case& each, const Npu& npu) {
  NIBBLE_ASSIGN(const double predicted, predict_npu_figure(each.figure, npu, each.graph));
  return std::log(predicted / each.figure.value);
}

Result<Npu> scaled(Npu npu, const std::vector<NpuConstant>& constants,
                   const std::vector<double>& logs) {
  for (size_t k = 0; k < constants.size(); ++k)
    NIBBLE_TRY(scale_constant(npu, constants[k], std::exp(logs[k])));
  return npu;
}

Result<std::vector<double>> log_errors(const std::vector<const Case*>& cases, const Npu& npu) {
  std::vector<double> errors;
  for (const Case* each : cases) {
    NIBBLE_ASSIGN(const double error, log_error(*each, npu));
    errors.push_back(error);
  }
  return errors;
}

double squares(const std::vector<double>& errors, const std::vector<double>& logs) {
  double sum = 0;
  for (double error : errors) sum += error * error;
  for (double log : logs) sum += kStay * log * log;
  return sum;
}

// Levenberg-Marquardt in the logs of the constants, from those of the file.
Result<Npu> refitted(const Npu& npu, const std::vector<NpuConstant>& constants,
                     const std::vector<const Case*>& cases) {
  const size_t n = constants.size();
  std::vector<double> logs(n);
  NIBBLE_ASSIGN(std::vector<double> errors, log_errors(cases, npu));
  double damping = 1e-3;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<std::vector<double>> slopes;
    for (size_t k = 0; k < n; ++k) {
      std::vector<double> moved = logs;
      moved[k] += kDifference;
      NIBBLE_ASSIGN(const Npu other, scaled(npu, constants, moved));
      NIBBLE_ASSIGN(slopes.emplace_back(), log_errors(cases, other));
      for (size_t i = 0; i < cases.size(); ++i)
        slopes[k][i] = (slopes[k][i] - errors[i]) / kDifference;
    }
    std::vector<double> matrix(n * n), next(n);
    for (size_t k = 0; k < n; ++k) {
      for (size_t j = 0; j < n; ++j)
        for (size_t i = 0; i < cases.size(); ++i) matrix[k * n + j] += slopes[k][i] * slopes[j][i];
      matrix[k * n + k] = (matrix[k * n + k] + kStay) * (1 + damping);
      for (size_t i = 0; i < cases.size(); ++i) next[k] -= slopes[k][i] * errors[i];
      next[k] -= kStay * logs[k];
    }
    if (!cholesky(matrix, n)) break;
    cholesky_solve(matrix, n, next);
    for (size_t k = 0; k < n; ++k)
      next[k] = logs[k] + std::clamp(next[k], -kLongestStep, kLongestStep);
    NIBBLE_ASSIGN(const Npu other, scaled(npu, constants, next));
    NIBBLE_ASSIGN(std::vector<double> there, log_errors(cases, other));
    if (squares(there, next) < squares(errors, logs)) {
      logs = std::move(next);
      errors = std::move(there);
      damping /= 10;
    } else {
      damping *= 10;
    }
  }
  return scaled(npu, constants, logs);
}

// Errors by network, each predicted by constants that were fitted without it. Nothing where too
// few figures are left for that.
using ByNetwork = std::map<std::string, std::vector<double>>;
Result<ByNetwork> left_out_errors(const Npu& npu, bool energy, const std::vector<Case>& cases,
                                  const std::vector<NpuConstant>& constants) {
  std::set<std::string> names;
  for (const Case& each : cases) names.insert(network_name(each.figure));
  ByNetwork errors;
  for (const std::string& name : names) {
    std::vector<const Case*> others;
    for (const Case& each : cases)
      if (network_name(each.figure) != name) others.push_back(&each);
    if (others.size() < constants.size() || others.empty()) return ByNetwork();
    NIBBLE_ASSIGN(const Npu without, refitted(npu, constants, others));
    for (const Case& each : cases) {
      if (network_name(each.figure) != name || each.figure.is_energy() != energy) continue;
      NIBBLE_ASSIGN(const double error, log_error(each, without));
      errors[name].push_back(error);
    }
  }
  return errors;
}

// Each network has one vote.
double root_mean_square(const ByNetwork& errors) {
  double sum = 0;
  for (const auto& [name, own] : errors) {
    double squares = 0;
    for (double error : own) squares += error * error;
    sum += squares / static_cast<double>(own.size());
  }
  return errors.empty() ? 0 : std::sqrt(sum / static_cast<double>(errors.size()));
}

// `seen`: of the file as it is.
void judge(const ByNetwork& errors, const ByNetwork& seen, NpuSpread& spread) {
  for (const auto& [name, own] : errors)
    for (double error : own) spread.largest = std::max(spread.largest, std::abs(error));
  spread.networks = static_cast<int>(errors.size());
  spread.mean = std::max(root_mean_square(errors), root_mean_square(seen));
  spread.percent =
      100 * std::expm1(std::max(student_t90(spread.networks) * spread.mean, spread.largest));
}

Status no_constant(const NpuConstant& constant) {
  return input_error(fmt::format(
      "fits.csv: {} has no {} '{}'{}", constant.engine,
      kEntries[static_cast<size_t>(constant.entry)], constant.name,
      constant.term > 0 ? fmt::format(" with a term {} that is a number", constant.term) : ""));
}

Status scale_number(NpuNumber& number, const NpuConstant& constant, double factor) {
  auto* value = std::get_if<double>(&number);
  if (!value) return no_constant(constant);
  *value *= factor;
  return {};
}

Status scale_parameter(Npu& npu, const NpuConstant& constant, double factor) {
  for (size_t i = 0; i < npu.parameters.size(); ++i) {
    if (npu.parameters[i].first != constant.name) continue;
    npu.parameters[i].second *= factor;
    for (NpuVariant& variant : npu.variants)
      for (auto& [parameter, value] : variant.parameters)
        if (parameter.index == i) value *= factor;
    return {};
  }
  return no_constant(constant);
}

}  // namespace

Result<std::vector<NpuConstant>> parse_npu_constants(std::string_view text,
                                                     const std::string& name) {
  NIBBLE_ASSIGN(const CsvTable table,
                parse_csv_table(text, name, {"accelerator", "entry", "name", "term"}));
  std::vector<NpuConstant> constants;
  for (const CsvRow& row : table.rows()) {
    auto fail = [&](const std::string& column, const std::string& expected) {
      return input_error(fmt::format("{}: row {}, column '{}': '{}', expected {}", name, row.line(),
                                     column, row[column], expected));
    };
    const auto* entry = std::ranges::find(kEntries, row["entry"]);
    if (entry == std::end(kEntries))
      return fail("entry", "one of cost, way, stream, power, parameter");
    NpuConstant constant{row["accelerator"],
                         static_cast<NpuConstant::Entry>(entry - std::begin(kEntries)), row["name"],
                         0};
    const bool way = constant.entry == NpuConstant::Entry::kWay;
    const Result<double> term = parse_double(row["term"]);
    if (way != (term.ok() && *term >= 1 && *term <= 9))
      return fail("term", way ? "which term of the way it is, from 1" : "nothing but of a way");
    if (way) constant.term = static_cast<size_t>(*term);
    constants.push_back(std::move(constant));
  }
  return constants;
}

Status scale_constant(Npu& npu, const NpuConstant& constant, double factor) {
  switch (constant.entry) {
    case NpuConstant::Entry::kCost:
      if (constant.name == "layer_cycles")
        npu.cost.layer_cycles *= factor;
      else if (constant.name == "inference_cycles")
        npu.cost.inference_cycles *= factor;
      else
        return no_constant(constant);
      return {};
    case NpuConstant::Entry::kWay:
      for (NpuWay& way : npu.ways)
        if (way.name == constant.name && constant.term <= way.terms.size())
          return scale_number(way.terms[constant.term - 1].times, constant, factor);
      return no_constant(constant);
    case NpuConstant::Entry::kStream:
      for (NpuStream& stream : npu.streams)
        if (stream.of_weights == (constant.name == "weights"))
          return scale_number(stream.bytes_per_cycle, constant, 1 / factor);
      return no_constant(constant);
    case NpuConstant::Entry::kPower: {
      const Result<double> megahertz = parse_double(constant.name);
      for (NpuPower& power : npu.power)
        if (megahertz.ok() && std::abs(power.clock_hz - *megahertz * 1e6) < 1) {
          power.active_mw *= factor;
          return {};
        }
      return no_constant(constant);
    }
    case NpuConstant::Entry::kParameter:
      return scale_parameter(npu, constant, factor);
  }
  NIBBLE_UNREACHABLE("entry {}", static_cast<int>(constant.entry));
}

std::string_view npu_spread_basis_name(NpuSpreadBasis basis) {
  constexpr std::string_view kNames[] = {"independent checks", "left out of the fit", "a guess"};
  return kNames[static_cast<size_t>(basis)];
}

double student_t90(int degrees) {
  constexpr std::array<double, 10> kQuantiles = {3.078, 1.886, 1.638, 1.533, 1.476,
                                                 1.440, 1.415, 1.397, 1.383, 1.372};
  if (degrees < 1) return kQuantiles[0];
  if (degrees <= 10) return kQuantiles[static_cast<size_t>(degrees) - 1];
  // Above, z + (z^3 + z) / (4 n) is right to three digits.
  constexpr double kNormal = 1.2816;
  return kNormal + (kNormal * kNormal * kNormal + kNormal) / (4.0 * degrees);
}

Result<NpuSpread> npu_spread(const Npu& npu, bool energy, const std::vector<NpuCheck>& checks,
                             const std::vector<NpuConstant>& all_constants,
                             const NpuNetworks& networks) {
  NpuSpread spread;
  ByNetwork seen, independent;
  std::vector<Case> fitted;
  for (const NpuCheck& check : checks) {
    if (check.figure.engine != npu.name) continue;
    const double error = std::log(check.predicted / check.figure.value);
    if (check.figure.is_energy() == energy) {
      spread.largest = std::max(spread.largest, std::abs(error));
      seen[network_name(check.figure)].push_back(error);
    }
    if (!check.figure.independent) {
      NIBBLE_ASSIGN(Graph graph, networks(check.figure));
      fitted.push_back({check.figure, std::move(graph)});
    } else if (check.figure.is_energy() == energy) {
      independent[network_name(check.figure)].push_back(error);
    }
  }
  std::vector<NpuConstant> constants;
  std::ranges::copy_if(all_constants, std::back_inserter(constants),
                       [&](const NpuConstant& each) { return each.engine == npu.name; });
  if (!independent.empty()) {
    spread.basis = NpuSpreadBasis::kIndependent;
    judge(independent, seen, spread);
    return spread;
  }
  NIBBLE_ASSIGN(const ByNetwork left_out, left_out_errors(npu, energy, fitted, constants));
  if (!left_out.empty()) {
    spread.basis = NpuSpreadBasis::kLeftOut;
    judge(left_out, seen, spread);
    return spread;
  }
  spread.percent = std::max(kGuessPercent, 100 * std::expm1(spread.largest));
  return spread;
}

}  // namespace nibble
