// Fits the cost model of src/cost/ anew and prints how wrong it is on what each fit has not seen.
//   nibble_cost_fit [SHARED] [--write] [--rows]
// SHARED (default $NIBBLE_SHARED, else ../shared beside the source tree) has the published
// measurements, reference/mlperf_tiny_results.csv and reference/mcu_measurements.csv, and the
// networks they are of, data/models/mlperf_tiny. Where it is missing, the rows that lie beside the
// code are fitted. --write: rows, networks and parameters become src/cost/measured.csv,
// networks.csv and fitted.json, the tables a part of doc/cost.md, predicted against measured times
// and energies doc/cost_time.svg and cost_energy.svg; build again after it. --rows: every row of
// the files with the reason why it is out. Exits with 1 if a file cannot be read or written.
#include <cstdio>
#include <span>

#include "base/file.h"
#include "cost/refit.h"
#include "cost_data.h"
#include "shared_folder.h"

namespace nibble {
namespace {

struct Options {
  std::filesystem::path shared = shared_folder();
  bool write = false, rows = false;
};

Result<Options> parse_arguments(std::span<char*> arguments) {
  Options options;
  for (const std::string argument : arguments) {
    if (argument == "--write") {
      options.write = true;
    } else if (argument == "--rows") {
      options.rows = true;
    } else if (argument.starts_with("--")) {
      return usage_error(argument + ": the options are --write and --rows");
    } else {
      options.shared = argument;
    }
  }
  return options;
}

void print_reasons(const std::vector<CostRow>& rows) {
  constexpr const char* kUses[] = {"fitted", "power only", "checked", "out"};
  for (const CostRow& row : rows)
    std::printf("%-16s %-10s %-22s %-26s %-6s %s\n", row.id.c_str(),
                kUses[static_cast<size_t>(row.use)], row.board.c_str(), row.stack.c_str(),
                row.model.c_str(), row.reason.c_str());
}

Status write_all(const std::vector<CostRow>& rows, const CostNetworks& networks,
                 const Refit& fitted) {
  const std::filesystem::path source = NIBBLE_SOURCE_DIR, folder = source / "src/cost";
  NIBBLE_TRY(write_text_file(folder / "measured.csv", print_rows(rows)));
  NIBBLE_TRY(write_text_file(folder / "networks.csv", print_networks(networks)));
  NIBBLE_TRY(write_text_file(folder / "fitted.json", print_fitted(fitted.fitted)));
  NIBBLE_TRY(write_text_file(source / "doc/cost_time.svg", time_plot(fitted)));
  NIBBLE_TRY(write_text_file(source / "doc/cost_energy.svg", energy_plot(fitted)));
  NIBBLE_ASSIGN(const std::string page, read_text_file(source / kCostPage));
  NIBBLE_ASSIGN(const WrittenPart parts, split_cost_page(page, "nibble_cost_fit"));
  return write_text_file(source / kCostPage,
                         parts.before + refit_tables(fitted, networks) + parts.after);
}

Status run(std::span<char*> arguments) {
  NIBBLE_ASSIGN(const Options options, parse_arguments(arguments));
  CostData data;
  if (std::filesystem::exists(options.shared / kMlperfFile)) {
    NIBBLE_ASSIGN(data, published_data(options.shared));
  } else {
    std::printf("%s is missing: the rows that lie beside the code are fitted instead\n\n",
                (options.shared / kMlperfFile).c_str());
    NIBBLE_ASSIGN(data, recorded_data());
  }
  if (options.rows) print_reasons(data.rows);
  const Refit fitted = refit(data.rows, data.networks);
  std::printf("%s", refit_tables(fitted, data.networks).c_str());
  return options.write ? write_all(data.rows, data.networks, fitted) : Status();
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  const nibble::Status status = nibble::run(std::span(argv, static_cast<size_t>(argc)).subspan(1));
  if (status.ok()) return 0;
  std::fprintf(stderr, "nibble_cost_fit: %s\n", status.error().message.c_str());
  return 1;
}
