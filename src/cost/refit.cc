// Fits without each board, engine, core and network, and the ranges that follow.
#include "cost/refit.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "base/parallel.h"

namespace nibble {
namespace {

using RowKey = std::function<std::string(const CostRow&)>;

std::string family_of(const CostRow& row) { return std::string(find_stack(row.stack)->family); }

CostModel fit_without(const std::vector<CostRow>& rows, const CostNetworks& networks,
                      const std::function<bool(const CostRow&)>& is_out) {
  std::vector<FitRow> kept;
  for (const CostRow& row : rows)
    if (row.use == RowUse::kFit && !is_out(row)) kept.push_back(fit_row(row, networks));
  return fit(kept);
}

Prediction predict_row(const CostModel& model, const CostRow& row, const CostNetworks& networks) {
  const FitRow question = fit_row(row, networks);
  const LogCycles cycles = predict(model, question.question);
  return {&row, cycles.log, cycles.sd, question.log_cycles};
}

// The least z that `share` of the votes stay below; each key has one vote in all.
double weighted_quantile(std::vector<std::pair<double, double>> votes, double share) {
  std::ranges::sort(votes);
  double total = 0, sum = 0;
  for (const auto& [z, weight] : votes) total += weight;
  for (const auto& [z, weight] : votes) {
    sum += weight;
    if (sum >= share * total) return z;
  }
  return votes.back().first;
}

void add_votes(const std::vector<Prediction>& predictions, const RowKey& key,
               std::vector<std::pair<double, double>>& votes) {
  std::map<std::string, int> counts;
  for (const Prediction& p : predictions) ++counts[key(*p.row)];
  for (const Prediction& p : predictions)
    votes.emplace_back(std::abs(p.log - p.measured) / p.sd, 1.0 / counts[key(*p.row)]);
}

// Time and power both predicted without the row's board. `figures`: with the published ones.
std::vector<Prediction> energy_left_out(const std::vector<CostRow>& rows,
                                        const std::vector<Prediction>& times, bool figures) {
  std::vector<PowerRow> power;
  std::vector<const CostRow*> source;
  for (const CostRow& row : rows) {
    if (!has_power(row)) continue;
    power.push_back(power_row(row));
    if (!figures) power.back().question.ua_per_mhz.reset();
    source.push_back(&row);
  }
  std::map<std::string, PowerModel> models;
  for (const CostRow* row : source) {
    if (models.contains(row->board)) continue;
    std::vector<PowerRow> kept;
    for (size_t i = 0; i < power.size(); ++i)
      if (source[i]->board != row->board) kept.push_back(power[i]);
    models[row->board] = fit_power(kept);
  }
  std::vector<Prediction> result;
  for (size_t i = 0; i < power.size(); ++i) {
    const CostRow& row = *source[i];
    const auto time = std::ranges::find(times, &row, &Prediction::row);
    if (time == times.end() || !row.core.starts_with("cortex-m")) continue;
    const LogEffect watt = predict_power(models[row.board], power[i].question);
    result.push_back({&row, watt.log + time->log - std::log(row.clock_mhz * 1e3),
                      std::hypot(watt.sd, time->sd), std::log(row.energy_uj)});
  }
  return result;
}

std::vector<Prediction> headline(const std::vector<Prediction>& predictions) {
  std::vector<Prediction> result;
  std::ranges::copy_if(predictions, std::back_inserter(result),
                       [](const Prediction& p) { return is_headline(*p.row); });
  return result;
}

std::map<std::string, ErrorSummary> by_core(const std::vector<Prediction>& predictions) {
  std::map<std::string, std::vector<Prediction>> groups;
  for (const Prediction& p : predictions) groups[p.row->core].push_back(p);
  std::map<std::string, ErrorSummary> result;
  for (const auto& [core, group] : groups) result[core] = summarize(group);
  return result;
}

// Interpolated between the two nearest ranks.
double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace

double Prediction::error() const { return std::exp(log - measured) - 1; }

ErrorSummary summarize(const std::vector<Prediction>& predictions) {
  if (predictions.empty()) return {};
  std::vector<double> signed_errors, errors;
  for (const Prediction& p : predictions) {
    signed_errors.push_back(p.error());
    errors.push_back(std::abs(p.error()));
  }
  return {static_cast<int>(predictions.size()), quantile(errors, .5), quantile(errors, .9),
          quantile(signed_errors, .5)};
}

std::vector<Prediction> leave_out(const std::vector<CostRow>& rows, const CostNetworks& networks,
                                  const RowKey& key) {
  std::set<std::string> distinct;
  for (const CostRow& row : rows)
    if (row.use == RowUse::kFit) distinct.insert(key(row));
  const std::vector<std::string> keys(distinct.begin(), distinct.end());
  std::vector<CostModel> models(keys.size());
  parallel_for(static_cast<int64_t>(keys.size()), [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      models[i] = fit_without(rows, networks, [&](const CostRow& r) { return key(r) == keys[i]; });
  });
  std::vector<Prediction> result;
  for (const CostRow& row : rows) {
    if (row.use != RowUse::kFit) continue;
    const auto at = static_cast<size_t>(std::ranges::find(keys, key(row)) - keys.begin());
    result.push_back(predict_row(models[at], row, networks));
  }
  return result;
}

Refit refit(const std::vector<CostRow>& rows, const CostNetworks& networks) {
  const RowKey board = [](const CostRow& row) { return row.board; };
  const RowKey stack = [](const CostRow& row) { return row.stack; };
  Refit result;
  FittedCost& fitted = result.fitted;
  fitted.latency = fit_without(rows, networks, [](const CostRow&) { return false; });
  result.board = leave_out(rows, networks, board);
  result.stack = leave_out(rows, networks, stack);
  result.core = leave_out(rows, networks, [](const CostRow& row) { return row.core; });
  result.model = leave_out(rows, networks, [](const CostRow& row) { return row.model; });
  result.family = leave_out(rows, networks, family_of);
  std::vector<std::pair<double, double>> votes;
  add_votes(result.board, board, votes);
  add_votes(result.stack, stack, votes);
  fitted.latency.z80 = weighted_quantile(votes, .8);
  fitted.latency.z95 = weighted_quantile(votes, .95);
  for (const CostRow& row : rows) {
    if (row.use == RowUse::kFit) {
      result.in_sample.push_back(predict_row(fitted.latency, row, networks));
      ++fitted.rows;
    } else if (row.use == RowUse::kCheck) {
      result.check.push_back(predict_row(fitted.latency, row, networks));
    }
  }
  std::vector<PowerRow> power;
  for (const CostRow& row : rows)
    if (has_power(row)) power.push_back(power_row(row));
  fitted.power = fit_power(power);
  result.energy = energy_left_out(rows, result.board, true);
  result.energy_plain = energy_left_out(rows, result.board, false);

  PublishedErrors& errors = fitted.errors;
  errors.left_out = {{"board", summarize(headline(result.board))},
                     {"stack", summarize(headline(result.stack))},
                     {"core", summarize(headline(result.core))},
                     {"model", summarize(headline(result.model))},
                     {"family", summarize(headline(result.family))},
                     {"nothing", summarize(headline(result.in_sample))},
                     {"never fitted", summarize(result.check)}};
  errors.time_by_core = by_core(result.board);
  errors.energy_by_core = by_core(result.energy);
  errors.energy_by_core["all"] = summarize(result.energy);
  errors.energy_by_core["all, no figure"] = summarize(result.energy_plain);
  fitted.rows_hash = text_hash(print_rows(rows) + print_networks(networks));
  return result;
}

}  // namespace nibble
