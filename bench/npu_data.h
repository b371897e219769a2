// The published figures of accelerators with their networks: shared by the table (npu_table.cc) and
// the test that holds doc/npus.md to it (tests/cost).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "cost/npu/power.h"
#include "cost/npu/spread.h"
#include "formats/formats.h"
#include "written_part.h"

namespace nibble {

inline constexpr const char* kNpuPage = "doc/npus.md";

// Networks whose files are at hand, below `shared`/data/models.
inline const std::vector<std::pair<std::string, std::string>>& npu_network_files() {
  static const std::vector<std::pair<std::string, std::string>> files = {
      {"ad", "mlperf_tiny/ad01_int8.tflite"},
      {"ic", "mlperf_tiny/ic_resnet8_int8.tflite"},
      {"kws", "mlperf_tiny/kws_dscnn_int8.tflite"},
      {"vww", "mlperf_tiny/vww_mobilenetv1_int8.tflite"},
      {"person_detect", "tflm/person_detect.tflite"}};
  return files;
}
inline constexpr size_t kTinyNetworks = 4;  // the first of them

inline Result<LayerLists> npu_layer_lists() {
  const std::filesystem::path path =
      std::filesystem::path(NIBBLE_SOURCE_DIR) / "src/cost/npu/networks.txt";
  NIBBLE_ASSIGN(const std::string text, read_text_file(path));
  return parse_layer_lists(text, path);
}

inline Result<std::vector<NpuFigure>> npu_figures() {
  const std::filesystem::path path =
      std::filesystem::path(NIBBLE_SOURCE_DIR) / "src/cost/npu/figures.csv";
  NIBBLE_ASSIGN(const std::string text, read_text_file(path));
  return parse_npu_figures(text, path);
}

inline Result<std::vector<NamedGraph>> npu_networks_of_files(const std::filesystem::path& shared) {
  std::vector<NamedGraph> networks;
  for (const auto& [name, file] : npu_network_files()) {
    NIBBLE_ASSIGN(Graph graph, read_model(shared / "data/models" / file));
    networks.push_back({name, std::move(graph)});
  }
  return networks;
}

inline Result<std::vector<NpuConstant>> npu_fitted_constants() {
  const std::filesystem::path path =
      std::filesystem::path(NIBBLE_SOURCE_DIR) / "src/cost/npu/fits.csv";
  NIBBLE_ASSIGN(const std::string text, read_text_file(path));
  return parse_npu_constants(text, path);
}

// Those of files, then those of the lists.
inline Result<NpuNetworks> npu_networks(const std::vector<NamedGraph>& of_files) {
  NIBBLE_ASSIGN(const LayerLists lists, npu_layer_lists());
  return NpuNetworks([of_files, lists](const NpuFigure& figure) -> Result<Graph> {
    for (const NamedGraph& network : of_files)
      if (network.name == figure.network) return network.graph;
    return listed_network(lists, figure.network, figure.scales);
  });
}

struct NpuEvidence {
  std::vector<NpuCheck> checks;
  std::vector<Npu> npus;
  std::vector<NpuSpread> time, energy;  // one for each of npus
};
inline Result<NpuEvidence> npu_evidence(const std::vector<NamedGraph>& of_files) {
  NIBBLE_ASSIGN(const std::vector<NpuFigure> figures, npu_figures());
  NIBBLE_ASSIGN(const NpuNetworks networks, npu_networks(of_files));
  NIBBLE_ASSIGN(const std::vector<NpuConstant> constants, npu_fitted_constants());
  NpuEvidence evidence;
  NIBBLE_ASSIGN(evidence.checks, check_npu_figures(figures, networks));
  NIBBLE_ASSIGN(evidence.npus, all_npus());
  for (const Npu& npu : evidence.npus) {
    NIBBLE_ASSIGN(evidence.time.emplace_back(),
                  npu_spread(npu, false, evidence.checks, constants, networks));
    NIBBLE_ASSIGN(evidence.energy.emplace_back(),
                  npu_spread(npu, true, evidence.checks, constants, networks));
  }
  return evidence;
}

// What stands between the marks of the document.
inline Result<std::string> npu_tables(const std::filesystem::path& shared) {
  NIBBLE_ASSIGN(std::vector<NamedGraph> networks, npu_networks_of_files(shared));
  NIBBLE_ASSIGN(const NpuEvidence evidence, npu_evidence(networks));
  networks.resize(kTinyNetworks);
  return npu_check_tables(evidence.checks, evidence.npus, evidence.time, evidence.energy) +
         npu_network_tables(networks, evidence.npus) + "\n### Power\n\n" + npu_power_table();
}

inline Result<WrittenPart> split_npu_page(const std::string& text) {
  return split_written_part(text, kNpuPage, "<!-- written by nibble_npu_table --write -->\n\n",
                            "<!-- end -->");
}

}  // namespace nibble
