// The tables of doc/npus.md, in Markdown.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "cost/npu/spread.h"

namespace nibble {
namespace {

using Row = std::vector<std::string>;

// The first `left` columns are words, the others figures.
std::string markdown(const std::vector<Row>& rows, size_t left) {
  auto line = [](const Row& cells) { return "| " + join(cells, " | ") + " |\n"; };
  Row marks(rows[0].size(), "---:");
  std::fill_n(marks.begin(), left, "---");
  std::string text = line(rows[0]) + line(marks);
  for (size_t i = 1; i < rows.size(); ++i) text += line(rows[i]);
  return text;
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }
std::string signed_percent(double share) { return fmt::format("{:+.1f}%", 100 * share); }

std::string figure_text(double value, const std::string& unit) {
  if (unit == "cycles") return with_thousands(std::llround(value));
  return fmt::format("{:.4g} {}", value, unit);
}

using Counts = std::function<bool(const NpuCheck&)>;

// Empty: no such checks. `spread`: of one accelerator.
Row error_row(const std::string& name, const std::vector<NpuCheck>& checks, const Counts& counts,
              const NpuSpread* spread, const std::optional<double>& said) {
  const NpuErrors all = npu_errors(checks, counts);
  if (all.figures == 0) return {};
  const NpuErrors independent = npu_errors(
      checks, [&](const NpuCheck& check) { return check.figure.independent && counts(check); });
  Row row = {name, fmt::format("{}", all.figures), percent(all.mean), percent(all.largest)};
  row.push_back(fmt::format("{}", independent.figures));
  row.push_back(independent.figures > 0 ? percent(independent.mean) : "");
  row.push_back(independent.figures > 0 ? percent(independent.largest) : "");
  row.push_back(spread ? std::string(npu_spread_basis_name(spread->basis)) : "");
  row.push_back(spread && spread->networks > 0 ? fmt::format("{}", spread->networks) : "");
  row.push_back(spread && spread->networks > 0 ? percent(std::expm1(spread->mean)) : "");
  row.push_back(spread ? fmt::format("{:.1f}%", spread->percent) : "");
  row.push_back(said ? fmt::format("{:.4g}%", *said) : "");
  return row;
}

std::string error_tables(const std::vector<NpuCheck>& checks, const std::vector<Npu>& npus,
                         const std::vector<NpuSpread>& time, const std::vector<NpuSpread>& energy) {
  std::string text;
  for (const bool of_energy : {false, true}) {
    std::vector<Row> rows = {{of_energy ? "energy" : "time", "figures", "mean error", "largest",
                              "indep.", "mean error", "largest", "range by", "networks", "rms",
                              "range", "the file says"}};
    for (size_t i = 0; i < npus.size(); ++i) {
      const Npu& npu = npus[i];
      Row row = error_row(
          npu.name, checks,
          [&](const NpuCheck& check) {
            return check.figure.engine == npu.name && check.figure.is_energy() == of_energy;
          },
          of_energy ? &energy[i] : &time[i],
          of_energy ? npu.cost.energy_error_percent : npu.cost.error_percent);
      if (!row.empty()) rows.push_back(std::move(row));
    }
    rows.push_back(error_row(
        "all", checks, [&](const NpuCheck& check) { return check.figure.is_energy() == of_energy; },
        nullptr, {}));
    if (rows.back().empty()) rows.pop_back();
    text += markdown(rows, 1) + "\n";
  }
  return text;
}

// What a figure is of beside its network: "128 per cycle, 240 MHz, 5-bit weights".
std::string conditions(const NpuFigure& figure) {
  std::vector<std::string> parts;
  if (figure.macs_per_cycle > 0)
    parts.push_back(fmt::format("{:.4g} per cycle", figure.macs_per_cycle));
  if (figure.clock_mhz > 0) parts.push_back(fmt::format("{:.4g} MHz", figure.clock_mhz));
  if (figure.weight_bits > 0) parts.push_back(fmt::format("{}-bit weights", figure.weight_bits));
  if (figure.weight_rate > 0)
    parts.push_back(fmt::format("weights at {:.4g} bytes per cycle", figure.weight_rate));
  return join(parts, ", ");
}

std::string figures_of(const std::vector<NpuCheck>& checks, const Npu& npu) {
  const bool conditional = std::ranges::any_of(checks, [&](const NpuCheck& check) {
    return check.figure.engine == npu.name && !conditions(check.figure).empty();
  });
  std::vector<Row> rows = {{"network", "predicted", "published", "error", "kind", "source"}};
  if (conditional) rows[0].insert(rows[0].begin() + 1, "where");
  for (const NpuCheck& check : checks) {
    const NpuFigure& figure = check.figure;
    if (figure.engine != npu.name) continue;
    Row row = {figure.network,
               figure_text(check.predicted, figure.unit),
               figure_text(figure.value, figure.unit),
               signed_percent(check.error()),
               figure.independent ? "indep." : "fit",
               figure.source};
    if (conditional) row.insert(row.begin() + 1, conditions(figure));
    rows.push_back(row);
  }
  if (rows.size() == 1) return "";
  return fmt::format("#### {} (`{}`)\n\n{}\n", npu.title, npu.name,
                     markdown(rows, conditional ? 2 : 1));
}

NpuEstimate on_its_own(const Graph& graph, const Npu& npu) {
  Target target;
  target.npu.emplace().engine = npu.name;
  return estimate_npu(graph, target, npu, [](const Node&) { return 0.0; });
}

// "28n 1f 2c"
std::string verdicts(const NpuEstimate& estimate) {
  constexpr std::pair<NpuVerdict, char> kLetters[] = {
      {NpuVerdict::kNpu, 'n'},        {NpuVerdict::kFree, 'f'}, {NpuVerdict::kRewrite, 'r'},
      {NpuVerdict::kRequantize, 'q'}, {NpuVerdict::kCpu, 'c'},  {NpuVerdict::kUnknown, 'u'}};
  std::string text;
  for (const auto& [verdict, letter] : kLetters)
    if (const int count = estimate.count(verdict); count > 0)
      text += fmt::format("{}{}{}", text.empty() ? "" : " ", count, letter);
  return text + (estimate.excess.empty() ? "" : " too large");
}

}  // namespace

std::string npu_check_tables(const std::vector<NpuCheck>& checks, const std::vector<Npu>& npus,
                             const std::vector<NpuSpread>& time,
                             const std::vector<NpuSpread>& energy) {
  std::string text = error_tables(checks, npus, time, energy);
  for (const Npu& npu : npus) text += figures_of(checks, npu);
  return text;
}

std::string npu_network_tables(const std::vector<NamedGraph>& networks,
                               const std::vector<Npu>& npus) {
  Row head = {"accelerator, clock"};
  for (const NamedGraph& network : networks) head.push_back(network.name);
  std::vector<Row> times = {head}, counts = {head};
  counts[0][0] = "accelerator";
  counts[0].push_back("operators on the CPU, layers of all of them");
  for (const Npu& npu : npus) {
    Row time = {npu.name}, count = {npu.name};
    std::map<std::string, int> on_cpu;
    for (const NamedGraph& network : networks) {
      const NpuEstimate estimate = on_its_own(network.graph, npu);
      count.push_back(verdicts(estimate));
      for (const NpuLayerEstimate& layer : estimate.layers)
        if (layer.verdict == NpuVerdict::kCpu) ++on_cpu[layer.op];
      if (!estimate.changed) continue;
      time[0] =
          fmt::format("{}, {:.4g} MHz", npu.name, static_cast<double>(estimate.clock_hz) / 1e6);
      time.push_back(fmt::format("{:.2f}{}", estimate.changed->npu_seconds * 1e3,
                                 estimate.excess.empty() ? "" : " (too large)"));
    }
    std::vector<std::string> operators;
    for (const auto& [op, layers] : on_cpu) operators.push_back(fmt::format("{} {}", op, layers));
    count.push_back(join(operators, ", "));
    counts.push_back(count);
    if (time.size() > 1) times.push_back(time);
  }
  return "#### Times, ms, with the layers to rewrite and to requantize on the accelerator\n\n" +
         markdown(times, 1) +
         "\n#### Verdicts\n\nn npu, f free, r rewrite, q requantize, c cpu, u unknown.\n\n" +
         markdown(counts, 1);
}

}  // namespace nibble
