// What others measured of networks on accelerators, or a vendor's compiler estimates, beside what
// estimate_npu says of the same: the evidence for error_percent of targets/npus/*.toml (spread.h
// has how it follows). The figures lie in figures.csv beside this, each with its source.
//
//   error = predicted / published - 1
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cost/npu/layer_list.h"
#include "cost/npu/npu.h"

namespace nibble {

struct NpuFigure {
  std::string engine, network;
  ListedScales scales = ListedScales::kUsual;
  // 0: as the file of the accelerator says.
  double macs_per_cycle = 0, clock_mhz = 0;
  int weight_bits = 0;
  double weight_rate = 0;  // bytes per cycle at which weights arrive, where not from that memory
  double value = 0;
  std::string unit;          // "cycles", "us", "ms", "uJ"
  bool independent = false;  // no constant of the file comes from this figure
  std::string source;
  int line = 0;

  bool is_energy() const { return unit == "uJ"; }
};

// Columns as the fields above; scales: "usual" or "powers_of_two"; kind: "fit" or "indep". Errors
// name file, row and column.
Result<std::vector<NpuFigure>> parse_npu_figures(std::string_view text, const std::string& name);

// A network by the name that it has in the figures.
using NpuNetworks = std::function<Result<Graph>(const NpuFigure& figure)>;

// What the model says of it: cycles, us, ms or uJ. Errors: no model of cycles, no clock, no power.
Result<double> predict_npu_figure(const NpuFigure& figure, Npu npu, const Graph& graph);

struct NpuCheck {
  NpuFigure figure;
  double predicted = 0;
  double error() const { return predicted / figure.value - 1; }
};

// In the order of the figures. Only what runs on the accelerator is predicted, layers to rewrite or
// requantize among it: that is what the vendor's compiler did before anybody measured. Errors: an
// accelerator without a file or without a model of what the figure is of; what `networks` says.
Result<std::vector<NpuCheck>> check_npu_figures(const std::vector<NpuFigure>& figures,
                                                const NpuNetworks& networks);

// Of |error|.
struct NpuErrors {
  int figures = 0;
  double mean = 0, largest = 0;
};
NpuErrors npu_errors(const std::vector<NpuCheck>& checks,
                     const std::function<bool(const NpuCheck&)>& counts);

// Of networks (name and graph) on every accelerator: times, verdicts. Each on a part of which
// nothing is known but that it has the accelerator, at the clock of its file.
struct NamedGraph {
  std::string name;
  Graph graph;
};
std::string npu_network_tables(const std::vector<NamedGraph>& networks,
                               const std::vector<Npu>& npus);

}  // namespace nibble
