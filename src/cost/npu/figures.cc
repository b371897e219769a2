// The figures, and what the model says of each.
#include "cost/npu/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cost/csv.h"

namespace nibble {
namespace {

constexpr double kHertzPerMegahertz = 1e6;

class Cells {
 public:
  Cells(const CsvRow& row, const std::string& name) : row_(row), name_(name) {}

  const std::string& word(const std::string& column) {
    if (row_[column].empty()) fail(column, "expected a word");
    return row_[column];
  }
  // The index of the cell among `words`.
  size_t one_of(const std::string& column, std::initializer_list<std::string_view> words) {
    const auto found = std::ranges::find(words, row_[column]);
    if (found != words.end()) return static_cast<size_t>(found - words.begin());
    std::string list;
    for (std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string(word);
    fail(column, "expected one of " + list);
    return 0;
  }
  // Above 0; 0 where the cell is empty and may be.
  double number(const std::string& column, bool may_be_empty) {
    if (row_[column].empty() && may_be_empty) return 0;
    const Result<double> value = parse_double(row_[column]);
    if (value.ok() && std::isfinite(*value) && *value > 0) return *value;
    fail(column, "expected a number above 0");
    return 0;
  }
  const Status& status() const { return status_; }

 private:
  void fail(const std::string& column, const std::string& what) {
    if (status_.ok())
      status_ = input_error(fmt::format("{}: row {}, column '{}': '{}', {}", name_, row_.line(),
                                        column, row_[column], what));
  }
  const CsvRow& row_;
  const std::string& name_;
  Status status_;
};

void set_weight_bits(Graph& graph, int bits) {
  for (const Node& node : graph.nodes) {
    const bool weighted = std::holds_alternative<Conv2d>(node.op) ||
                          std::holds_alternative<DepthwiseConv2d>(node.op) ||
                          std::holds_alternative<Dense>(node.op);
    if (!weighted || !graph.is_constant(node.inputs[1])) continue;
    Value& weights = graph.value(node.inputs[1]);
    if (!weights.type.quant) continue;
    weights.type.quant->bits = bits;
    weights.constant->set_quant(weights.type.quant);
  }
}

std::optional<double> predicted(const NpuFigure& figure, const NpuNetworkCost& cost) {
  if (figure.is_energy()) return cost.energy_uj;
  if (figure.unit == "cycles") return cost.cycles;
  return cost.npu_seconds * (figure.unit == "ms" ? 1e3 : 1e6);
}

Result<NpuCheck> check_figure(const NpuFigure& figure, const NpuNetworks& networks) {
  auto fail = [&](const std::string& what) {
    return input_error(fmt::format("figure in row {} ({} on {}): {}", figure.line, figure.network,
                                   figure.engine, what));
  };
  NIBBLE_ASSIGN(std::optional<Npu> npu, find_npu(figure.engine));
  if (!npu) return fail("no file of that accelerator");
  NIBBLE_ASSIGN(const Graph graph, networks(figure));
  const Result<double> value = predict_npu_figure(figure, *std::move(npu), graph);
  if (!value.ok()) return fail(value.error().message);
  return NpuCheck{figure, *value};
}

}  // namespace

Result<std::vector<NpuFigure>> parse_npu_figures(std::string_view text, const std::string& name) {
  NIBBLE_ASSIGN(
      const CsvTable table,
      parse_csv_table(text, name,
                      {"accelerator", "network", "scales", "macs_per_cycle", "clock_mhz",
                       "weight_bits", "weight_rate", "figure", "unit", "kind", "source"}));
  std::vector<NpuFigure> figures;
  for (const CsvRow& row : table.rows()) {
    Cells cells(row, name);
    NpuFigure figure;
    figure.engine = cells.word("accelerator");
    figure.network = cells.word("network");
    figure.scales = cells.one_of("scales", {"usual", "powers_of_two"}) == 0
                        ? ListedScales::kUsual
                        : ListedScales::kPowersOfTwo;
    figure.macs_per_cycle = cells.number("macs_per_cycle", true);
    figure.clock_mhz = cells.number("clock_mhz", true);
    figure.weight_bits = static_cast<int>(cells.number("weight_bits", true));
    figure.weight_rate = cells.number("weight_rate", true);
    figure.value = cells.number("figure", false);
    cells.one_of("unit", {"cycles", "us", "ms", "uJ"});
    figure.unit = row["unit"];
    figure.independent = cells.one_of("kind", {"fit", "indep"}) == 1;
    figure.source = cells.word("source");
    figure.line = row.line();
    NIBBLE_TRY(cells.status());
    figures.push_back(std::move(figure));
  }
  return figures;
}

Result<double> predict_npu_figure(const NpuFigure& figure, Npu npu, const Graph& graph) {
  if (figure.weight_rate > 0)
    for (NpuStream& stream : npu.streams)
      if (stream.of_weights) stream.bytes_per_cycle = figure.weight_rate;
  Graph narrow;
  if (figure.weight_bits > 0) {
    narrow = graph;
    set_weight_bits(narrow, figure.weight_bits);
  }
  Target target;
  target.npu = NpuFacts{figure.engine, figure.macs_per_cycle,
                        std::llround(figure.clock_mhz * kHertzPerMegahertz)};
  const NpuEstimate estimate = estimate_npu(figure.weight_bits > 0 ? narrow : graph, target, npu,
                                            [](const Node&) { return 0.0; });
  if (!estimate.changed) return input_error("its file has no model of cycles, or no clock");
  const std::optional<double> value = predicted(figure, *estimate.changed);
  if (!value) return input_error("its file has no power");
  return *value;
}

Result<std::vector<NpuCheck>> check_npu_figures(const std::vector<NpuFigure>& figures,
                                                const NpuNetworks& networks) {
  std::vector<NpuCheck> checks;
  for (const NpuFigure& figure : figures) {
    NIBBLE_ASSIGN(NpuCheck check, check_figure(figure, networks));
    checks.push_back(std::move(check));
  }
  return checks;
}

NpuErrors npu_errors(const std::vector<NpuCheck>& checks,
                     const std::function<bool(const NpuCheck&)>& counts) {
  NpuErrors errors;
  for (const NpuCheck& check : checks) {
    if (!counts(check)) continue;
    ++errors.figures;
    errors.mean += std::abs(check.error());
    errors.largest = std::max(errors.largest, std::abs(check.error()));
  }
  if (errors.figures > 0) errors.mean /= errors.figures;
  return errors;
}

}  // namespace nibble
