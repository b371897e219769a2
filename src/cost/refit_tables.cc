// What a refit says of itself, as text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cost/refit.h"

namespace nibble {
namespace {

using Table = std::vector<std::vector<std::string>>;

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
std::string signed_percent(double share) { return fmt::format("{:+.0f} %", 100 * share); }

void add_summary(Table& table, const std::string& name, const ErrorSummary& summary) {
  table.push_back({name, fmt::format("{}", summary.rows), percent(summary.median),
                   percent(summary.p90), signed_percent(summary.bias)});
}

Table error_table(const std::string& title) { return {{title, "rows", "median", "p90", "bias"}}; }

template <class Key>
void add_groups(Table& table, const std::vector<Prediction>& predictions, Key key) {
  std::map<std::string, std::vector<Prediction>> groups;
  for (const Prediction& p : predictions) groups[std::string(key(*p.row))].push_back(p);
  for (const auto& [name, group] : groups) add_summary(table, name, summarize(group));
}

std::vector<Prediction> headline(const std::vector<Prediction>& predictions) {
  std::vector<Prediction> result;
  std::ranges::copy_if(predictions, std::back_inserter(result),
                       [](const Prediction& p) { return is_headline(*p.row); });
  return result;
}

// The share of rows whose measurement lies in the range, and its usual half-width as a factor.
std::vector<std::string> coverage(const std::string& name,
                                  const std::vector<Prediction>& predictions,
                                  const CostModel& model) {
  std::vector<std::string> cells = {name};
  for (double z : {model.z80, model.z95}) {
    double hits = 0;
    std::vector<double> sds;
    for (const Prediction& p : predictions) {
      hits += std::abs(p.log - p.measured) <= z * p.sd ? 1 : 0;
      sds.push_back(p.sd);
    }
    std::ranges::nth_element(sds, sds.begin() + static_cast<long>(sds.size() / 2));
    cells.push_back(percent(hits / static_cast<double>(predictions.size())));
    cells.push_back(fmt::format("x/÷ {:.2f}", std::exp(z * sds[sds.size() / 2])));
  }
  return cells;
}

// The engines whose instructions are counted, on the board that most were measured on.
std::string side_by_side(const Refit& refit, const CostNetworks& networks) {
  Table table = {{"engine", "model", "M ruled cycles", "ms ruled", "ms predicted", "80 % range",
                  "ms published", "error"}};
  const double z = refit.fitted.latency.z80;
  for (const Prediction& p : refit.board) {
    const CostRow& row = *p.row;
    const CostStack stack = *find_stack(row.stack);
    if (row.board != "stm32l4r5" || find_family(stack.family).profile != CostProfile::kCmsis)
      continue;
    const FitRow question = fit_row(row, networks);
    double ruled = 0;
    for (double cycles : question.question.work) ruled += cycles;
    const double khz = row.clock_mhz * 1e3;
    const double predicted = std::exp(p.log) / khz;
    table.push_back({row.stack, row.model, fmt::format("{:.2f}", ruled / 1e6),
                     fmt::format("{:.1f}", ruled / khz), fmt::format("{:.1f}", predicted),
                     fmt::format("{:.1f}-{:.1f}", predicted * std::exp(-z * p.sd),
                                 predicted * std::exp(z * p.sd)),
                     fmt::format("{:.1f}", row.latency_ms), signed_percent(p.error())});
  }
  return format_table(table);
}

std::string parameter_tables(const CostModel& model) {
  Table stacks = {{"engine", "family", "conv", "sep", "dense"}};
  for (const auto& [name, stack] : model.stacks) {
    std::vector<std::string>& row =
        stacks.emplace_back(std::vector<std::string>{name, stack.family});
    for (double log : stack.log) row.push_back(fmt::format("{:.2f}", std::exp(log)));
  }
  Table effects = {{"core or board", "time factor", "sd", "prior", "sd "}};
  for (const auto& [name, core] : model.cores) {
    const CostCore prior = core_or_unknown(name);
    effects.push_back({name, fmt::format("{:.3f}", std::exp(core.log)),
                       fmt::format("{:.3f}", core.sd), fmt::format("{:.3f}", prior.cycles),
                       fmt::format("{:.2f}", prior.sd)});
  }
  for (const auto& [name, board] : model.boards)
    effects.push_back({name, fmt::format("{:.3f}", std::exp(board.log)),
                       fmt::format("{:.3f}", board.sd), "1.000", fmt::format("{:.2f}", kBoardSd)});
  return "Time over the profile's ruled cycles\n" + format_table(stacks) + "\n" +
         format_table(effects);
}

std::string power_table(const PowerModel& power) {
  std::string text =
      fmt::format("power over a published figure: {:.2f}", std::exp(power.log_figure));
  for (const auto& [name, log] : power.basis)
    text += fmt::format(", {} {:.2f}", name, std::exp(power.log_figure + log));
  text += fmt::format("; without one: {:.2f}", std::exp(power.log_plain));
  for (const auto& [name, log] : power.regulator)
    text += fmt::format(", {} {:.2f}", name, std::exp(power.log_plain + log));
  return text + "\n";
}

}  // namespace

std::string refit_tables(const Refit& refit, const CostNetworks& networks) {
  const FittedCost& fitted = refit.fitted;
  Table left_out = error_table("left out of the fit");
  for (const char* name : {"board", "core", "stack", "family", "model", "nothing"})
    add_summary(left_out, name, fitted.errors.left_out.at(name));
  add_summary(left_out, "board, FPGA and RX rows too", summarize(refit.board));
  add_summary(left_out, "networks and board never fitted", summarize(refit.check));
  const std::vector<Prediction> board = headline(refit.board);
  Table core = error_table("core (board left out)"), part = error_table("board left out");
  Table stack = error_table("engine (board left out)"),
        model = error_table("model (board left out)");
  Table unseen = error_table("engine (itself left out)");
  add_groups(core, refit.board, [](const CostRow& row) { return row.core; });
  add_groups(part, refit.board, [](const CostRow& row) { return row.board; });
  add_groups(stack, refit.board, [](const CostRow& row) { return row.stack; });
  add_groups(model, board, [](const CostRow& row) { return row.model; });
  add_groups(unseen, refit.stack, [](const CostRow& row) { return row.stack; });
  Table ranges = {{"left out", "in 80 % range", "half-width", "in 95 % range", "half-width "}};
  ranges.push_back(coverage("board", board, fitted.latency));
  ranges.push_back(coverage("stack", headline(refit.stack), fitted.latency));
  ranges.push_back(coverage("energy, board", refit.energy, fitted.latency));
  Table energy = error_table("energy (board left out)");
  add_summary(energy, "all Cortex-M", fitted.errors.energy_by_core.at("all"));
  add_groups(energy, refit.energy, [](const CostRow& row) { return row.core; });
  add_summary(energy, "no figure of power known", summarize(refit.energy_plain));
  add_groups(energy, refit.energy_plain,
             [](const CostRow& row) { return "no figure, " + row.core; });
  std::string text = fmt::format("{} rows fitted, hash {}; z80 {:.3f}, z95 {:.3f}\n\n", fitted.rows,
                                 fitted.rows_hash, fitted.latency.z80, fitted.latency.z95);
  for (const Table* table : {&left_out, &core, &part, &stack, &unseen, &model, &ranges, &energy})
    text += format_table(*table) + "\n";
  text += power_table(fitted.power) + "\n" + side_by_side(refit, networks) + "\n" +
          parameter_tables(fitted.latency);
  return text;
}

}  // namespace nibble
