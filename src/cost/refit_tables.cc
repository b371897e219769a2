// What a refit says of itself, as text and as a picture.
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

// Marks of the plot, one colour per core.
constexpr std::string_view kColours[] = {"#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b",
                                         "#2f4858", "#d1495b", "#00798c", "#6b705c", "#9a031e"};

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

std::string refit_plot(const Refit& refit) {
  constexpr double kSize = 560, kMargin = 64, kLow = -0.7, kHigh = 3.8;  // log10 of ms
  auto x = [&](double ms) {
    return kMargin + (std::log10(ms) - kLow) / (kHigh - kLow) * (kSize - 2 * kMargin);
  };
  auto y = [&](double ms) { return kSize - x(ms); };
  auto clamp = [&](double ms) { return std::clamp(ms, std::pow(10, kLow), std::pow(10, kHigh)); };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"{0}\" height=\"{0}\" fill=\"#fff\"/>\n",
      kSize);
  for (double ms : {1.0, 10.0, 100.0, 1000.0}) {
    svg += fmt::format(
        "<path d=\"M{0:.1f} {2} V{3} M{2} {1:.1f} H{3}\" stroke=\"#ddd\"/>\n"
        "<text x=\"{0:.1f}\" y=\"{4}\" text-anchor=\"middle\">{5:g}</text>\n"
        "<text x=\"{6}\" y=\"{1:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
        x(ms), y(ms), kMargin, kSize - kMargin, kSize - kMargin + 18, ms, kMargin - 6);
  }
  const double low = std::pow(10, kLow), high = std::pow(10, kHigh);
  for (double factor : {1.0, 1.35, 1 / 1.35})
    svg +=
        fmt::format("<path d=\"M{:.1f} {:.1f} L{:.1f} {:.1f}\" stroke=\"#888\" fill=\"none\"{}/>\n",
                    x(low), y(clamp(low * factor)), x(high), y(clamp(high * factor)),
                    factor == 1 ? "" : " stroke-dasharray=\"4 4\"");
  std::map<std::string, std::string_view> colours;
  for (const Prediction& p : refit.board) colours[p.row->core];
  size_t next = 0;
  for (auto& [core, colour] : colours) {
    colour = kColours[next % std::size(kColours)];
    const double at = kMargin + 16 + 16 * static_cast<double>(next++);
    svg += fmt::format(
        "<circle cx=\"{0}\" cy=\"{1}\" r=\"4\" fill=\"{2}\"/><text x=\"{3}\" "
        "y=\"{4}\">{5}</text>\n",
        kMargin + 14, at, colour, kMargin + 24, at + 4, core);
  }
  for (const Prediction& p : refit.board) {
    const double khz = p.row->clock_mhz * 1e3;
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\" fill-opacity=\"0.6\">"
        "<title>{}, {}, {}</title></circle>\n",
        x(clamp(p.row->latency_ms)), y(clamp(std::exp(p.log) / khz)), colours[p.row->core],
        p.row->board, p.row->stack, p.row->model);
  }
  svg += fmt::format(
      "<text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">measured, ms</text>\n"
      "<text x=\"16\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {0})\">predicted, "
      "board left out, ms</text>\n"
      "<text x=\"{0}\" y=\"24\" text-anchor=\"middle\">Dashed: 35 % off</text>\n</svg>\n",
      kSize / 2, kSize - 16);
  return svg;
}

}  // namespace nibble
