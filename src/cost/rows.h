// Published measurements of networks on microcontrollers: which of them the fit may use, and why
// not the others.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cost/energy.h"
#include "cost/fit.h"

namespace nibble {

// kFit: times (and power, where it is there) are fitted. kPower: power alone. kCheck: predicted,
// never fitted. kOut: neither, with a reason.
enum class RowUse { kFit, kPower, kCheck, kOut };

struct CostRow {
  std::string id;  // "mlperf 12": file and line
  RowUse use = RowUse::kFit;
  std::string board;  // group of parts: "stm32u5"
  std::string core;
  std::string stack;  // as in cost/catalogue.h
  std::string model;  // "kws", "mobilenet_v1 0.25 224x224x3 5"
  double clock_mhz = 0;
  double latency_ms = 0;
  double energy_uj = 0;  // 0: not measured, as power
  double power_mw = 0;
  std::optional<double> supply_v;
  bool external_smps = false;
  std::string reason;  // why it is out
  bool operator==(const CostRow&) const = default;

  double cycles() const { return latency_ms * clock_mhz * 1e3; }
};

// Every row of the two files (text in the form of RFC 4180 with a header line): MLPerf Tiny's
// results, and measurements from elsewhere. Errors: a column that is missing, with the file's name.
Result<std::vector<CostRow>> read_mlperf(const std::string& text);
Result<std::vector<CostRow>> read_elsewhere(const std::string& text);
// What is measured beside those files.
std::vector<CostRow> single_measurements();

// Rows that are not out, as they lie beside the code, and back.
std::string print_rows(const std::vector<CostRow>& rows);
Result<std::vector<CostRow>> parse_rows(const std::string& text);

// A network with all its channels, and without those that are constant.
struct CostNetwork {
  NetworkTotals all{}, live{};
  bool operator==(const CostNetwork&) const = default;
};
using CostNetworks = std::map<std::string, CostNetwork>;
std::string print_networks(const CostNetworks& networks);
Result<CostNetworks> parse_networks(const std::string& text);
// Networks of published tables that are known by their description alone.
CostNetworks described_networks();

// FNV-1a, 16 hexadecimal digits.
std::string text_hash(const std::string& text);

FitRow fit_row(const CostRow& row, const CostNetworks& networks);
// Where the row is in use and power was measured.
bool has_power(const CostRow& row);
PowerRow power_row(const CostRow& row);
// Cortex-M and RISC-V of MLPerf Tiny: what the published errors are of. The others (Andes on an
// FPGA, RX) are fitted too.
bool is_headline(const CostRow& row);

}  // namespace nibble
