// The whole refit: from rows to parameters, with the errors on what was left out of each fit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cost/rows.h"

namespace nibble {

// Of |predicted / measured - 1|; bias is the median of predicted / measured - 1.
struct ErrorSummary {
  int rows = 0;
  double median = 0, p90 = 0, bias = 0;
};

struct Prediction {
  const CostRow* row = nullptr;
  double log = 0;  // of cycles; in energy tables of uJ
  double sd = 0;
  double measured = 0;  // log, likewise
  double error() const;
};
ErrorSummary summarize(const std::vector<Prediction>& predictions);

// What is published of the errors, as it stands in the fitted file.
struct PublishedErrors {
  std::map<std::string, ErrorSummary> left_out;        // "board", "stack", "core", "model", ...
  std::map<std::string, ErrorSummary> time_by_core;    // board left out
  std::map<std::string, ErrorSummary> energy_by_core;  // board left out; "all" is Cortex-M
};

struct FittedCost {
  CostModel latency;
  PowerModel power;
  PublishedErrors errors;
  int rows = 0;
  std::string rows_hash;  // text_hash of measured.csv and networks.csv together
};

// The rows must outlive it.
struct Refit {
  FittedCost fitted;
  std::vector<Prediction> board, stack, core, model, family, in_sample, check;
  std::vector<Prediction> energy;        // board left out
  std::vector<Prediction> energy_plain;  // the same without any figure of power
};
Refit refit(const std::vector<CostRow>& rows, const CostNetworks& networks);

// Each prediction is of a fit without the rows that have the same key.
std::vector<Prediction> leave_out(const std::vector<CostRow>& rows, const CostNetworks& networks,
                                  const std::function<std::string(const CostRow&)>& key);

// JSON of what predictions need, and back; numbers keep every digit.
std::string print_fitted(const FittedCost& fitted);
Result<FittedCost> parse_fitted(const std::string& text);

// The page of tables that the command prints: errors per thing left out, per core and stack,
// coverage of the ranges, energy, side by side on one board, parameters.
std::string refit_tables(const Refit& refit, const CostNetworks& networks);
// SVG: predicted against measured, one mark per row, boards left out.
std::string time_plot(const Refit& refit);
std::string energy_plot(const Refit& refit);

}  // namespace nibble
