// doc/npus.md has what the model of accelerators says today, the files' published errors hold, and
// the lists of layers are those of the real files where both are at hand.
//   build/bench/nibble_npu_table --write      writes the document's tables anew
#include <gmock/gmock.h>

#include <algorithm>

#include "npu_data.h"
#include "passes/passes.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

constexpr const char* kModels = "data/models/mlperf_tiny/vww_mobilenetv1_int8.tflite";
constexpr const char* kPersons = "data/models/tflm/person_detect.tflite";

TEST(NpuFigures, PageHasItsTables) {
  NIBBLE_NEED_SHARED(kModels);
  NIBBLE_NEED_SHARED(kPersons);
  const Result<WrittenPart> page = split_npu_page(*read_text_file(source_path(kNpuPage)));
  ASSERT_TRUE(page.ok()) << page.error().message;
  const Result<std::string> tables = npu_tables(shared_path("."));
  ASSERT_TRUE(tables.ok()) << tables.error().message;
  EXPECT_EQ(page->tables, *tables);
}

const Source& cost_source(const Npu& npu) {
  const auto source = std::ranges::find(npu.sources, npu.cost.source, &Source::figure);
  NIBBLE_CHECK(source != npu.sources.end(), "{}", npu.name);
  return *source;
}

// The ranges of the files are no narrower than their checks justify, and say what they rest on.
TEST(NpuFigures, RangesAreAsWideAsTheChecksAsk) {
  NIBBLE_NEED_SHARED(kModels);
  NIBBLE_NEED_SHARED(kPersons);
  const auto networks = npu_networks_of_files(shared_path("."));
  ASSERT_TRUE(networks.ok()) << networks.error().message;
  const auto evidence = npu_evidence(*networks);
  ASSERT_TRUE(evidence.ok()) << evidence.error().message;
  EXPECT_GE(evidence->checks.size(), 118u);
  for (size_t i = 0; i < evidence->npus.size(); ++i) {
    const Npu& npu = evidence->npus[i];
    if (npu.cost.error_percent) {
      EXPECT_GE(*npu.cost.error_percent, evidence->time[i].percent - 0.05) << npu.name;
      EXPECT_THAT(cost_source(npu).text,
                  testing::HasSubstr(npu_spread_basis_name(evidence->time[i].basis)))
          << npu.name;
    }
    if (npu.cost.energy_error_percent) {
      EXPECT_GE(*npu.cost.energy_error_percent, evidence->energy[i].percent - 0.05) << npu.name;
    }
  }
  for (const NpuCheck& check : evidence->checks) {
    const auto npu = std::ranges::find(evidence->npus, check.figure.engine, &Npu::name);
    EXPECT_TRUE(check.figure.is_energy() ? npu->cost.energy_error_percent : npu->cost.error_percent)
        << check.figure.engine;
  }
}

TEST(NpuFigures, FilesThatPublishAnErrorOfEnergyHavePower) {
  const auto npus = all_npus();
  ASSERT_TRUE(npus.ok()) << npus.error().message;
  for (const Npu& npu : *npus)
    EXPECT_TRUE(!npu.cost.energy_error_percent || !npu.power.empty()) << npu.name;
}

std::vector<double> products(const Graph& graph) {
  std::vector<double> macs;
  for (const Node& node : graph.nodes)
    if (const double own = npu_layer(graph, node).number(NpuField::kMacs); own > 0)
      macs.push_back(own);
  return macs;
}

TEST(NpuFigures, ListsAreTheRealNetworks) {
  const std::pair<const char*, const char*> kPairs[] = {
      {"mobilenet_v2 0.35 128x128x3 5", "data/models/onnx_zoo/st_mobilenet_v2_0.35_128_fp32.onnx"},
      {"yamnet_256", "data/models/onnx_zoo/st_yamnet_256_64x96_fp32.onnx"},
      {"mobilenet_v1 0.25 96x96x3 2", "data/models/mlperf_tiny/vww_mobilenetv1_int8.tflite"}};
  const auto lists = npu_layer_lists();
  ASSERT_TRUE(lists.ok()) << lists.error().message;
  for (const auto& [name, file] : kPairs) {
    NIBBLE_NEED_SHARED(file);
    Result<Graph> real = read_model(shared_path(file));
    ASSERT_TRUE(real.ok()) << real.error().message;
    SimplifyOptions options;
    options.clean_up = false;
    ASSERT_TRUE(simplify(*real, options).ok());
    const Result<Graph> listed = listed_network(*lists, name, ListedScales::kUsual);
    ASSERT_TRUE(listed.ok()) << listed.error().message;
    EXPECT_EQ(products(*listed), products(*real)) << name;
  }
}

}  // namespace
}  // namespace nibble
