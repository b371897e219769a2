// The rows that the cost model is fitted to: from the published files, or as they lie beside the
// code. Shared by the command that refits (cost_fit.cc) and the test that holds the fitted file to
// it.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "cost/rows.h"
#include "formats/formats.h"
#include "passes/passes.h"
#include "written_part.h"

namespace nibble {

inline constexpr const char* kMlperfFile = "reference/mlperf_tiny_results.csv";
inline constexpr const char* kCostPage = "doc/cost.md";
inline constexpr const char* kElsewhereFile = "reference/mcu_measurements.csv";

struct CostData {
  std::vector<CostRow> rows;
  CostNetworks networks;
};

inline Result<CostNetwork> read_cost_network(const std::filesystem::path& path) {
  CostNetwork network;
  for (const bool live : {false, true}) {
    NIBBLE_ASSIGN(Graph graph, read_model(path));
    SimplifyOptions options;
    options.clean_up = live;
    NIBBLE_TRY(simplify(graph, options));
    (live ? network.live : network.all) = network_totals(graph);
  }
  return network;
}

// Networks of MLPerf Tiny whose files are at hand, below `shared`/data/models/mlperf_tiny.
inline const std::vector<std::pair<std::string, std::string>>& cost_network_files() {
  static const std::vector<std::pair<std::string, std::string>> files = {
      {"ad", "ad01_int8.tflite"},
      {"ic", "ic_resnet8_int8.tflite"},
      {"kws", "kws_dscnn_int8.tflite"},
      {"sww", "sww_int8.tflite"},
      {"vww", "vww_mobilenetv1_int8.tflite"}};
  return files;
}

// `shared` is that folder.
inline Result<CostData> published_data(const std::filesystem::path& shared) {
  NIBBLE_ASSIGN(const std::string mlperf, read_text_file(shared / kMlperfFile));
  NIBBLE_ASSIGN(const std::string elsewhere, read_text_file(shared / kElsewhereFile));
  CostData data;
  NIBBLE_ASSIGN(data.rows, read_mlperf(mlperf));
  NIBBLE_ASSIGN(const std::vector<CostRow> others, read_elsewhere(elsewhere));
  const std::vector<CostRow> single = single_measurements();
  data.rows.insert(data.rows.end(), others.begin(), others.end());
  data.rows.insert(data.rows.end(), single.begin(), single.end());
  data.networks = described_networks();
  for (const auto& [name, file] : cost_network_files()) {
    NIBBLE_ASSIGN(data.networks[name],
                  read_cost_network(shared / "data/models/mlperf_tiny" / file));
  }
  return data;
}

inline Result<CostData> recorded_data() {
  const std::filesystem::path folder = std::filesystem::path(NIBBLE_SOURCE_DIR) / "src/cost";
  NIBBLE_ASSIGN(const std::string rows, read_text_file(folder / "measured.csv"));
  NIBBLE_ASSIGN(const std::string networks, read_text_file(folder / "networks.csv"));
  CostData data;
  NIBBLE_ASSIGN(data.rows, parse_rows(rows));
  NIBBLE_ASSIGN(data.networks, parse_networks(networks));
  return data;
}

// The documentation around the tables that a command writes into it.
inline Result<WrittenPart> split_cost_page(const std::string& text, const std::string& command) {
  return split_written_part(text, kCostPage, "<!-- written by " + command + " --write -->\n```\n",
                            "```\n<!-- end -->");
}

}  // namespace nibble
