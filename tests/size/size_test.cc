// What generated libraries take, against recorded.json: a change that makes code, weights or arena
// larger shows here, and one that makes them smaller is recorded.
//   NIBBLE_UPDATE_SIZES=1 build/tests/size/nibble_size_test      writes the file anew
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "chain/chain_targets.h"
#include "chain/quantized_models.h"
#include "support/shared_data.h"
#include "support/test_name.h"
#include "support/tools.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

std::filesystem::path record_path() { return source_path("tests/size/recorded.json"); }

Json read_record() {
  Result<std::string> text = read_text_file(record_path());
  return text.ok() ? Json::parse(*text) : Json::object();
}

bool updating() { return std::getenv("NIBBLE_UPDATE_SIZES") != nullptr; }

// "arm-none-eabi-gcc 12.2.1": another compiler makes other code.
std::string compiler_of(const ChainCore& core) {
  const std::string& program = core.tools[0];
  Result<TempDir> dir = TempDir::create();
  std::string file = (dir->path() / "version").string();
  EXPECT_EQ(std::system((program + " -dumpfullversion >'" + file + "'").c_str()), 0);
  std::string version = *read_text_file(file);
  return program + " " + version.substr(0, version.find('\n'));
}

struct Case {
  std::string model;  // "shipped", or a file below data/models
  ChainCore core;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.model << " on " << c.core.target; }

std::vector<Case> cases() {
  std::vector<Case> list = {{"shipped", cortex_m4()}};
  for (const ChainCore& core : other_cores()) list.push_back({"shipped", core});
  for (const char* model :
       {"kws_dscnn_int8", "ic_resnet8_int8", "vww_mobilenetv1_int8", "ad01_int8"})
    list.push_back({std::string("mlperf_tiny/") + model + ".tflite", cortex_m4()});
  return list;
}

Result<Graph> graph_of(const std::string& model) {
  if (model != "shipped") return import_model(shared_path("data/models/" + model));
  NIBBLE_ASSIGN(QuantizedModel shipped, shipped_keyword_spotter(1));
  return std::move(shipped.graph);
}

class RecordedSize : public testing::TestWithParam<Case> {};

TEST_P(RecordedSize, HasNotChanged) {
  const auto& [model, core] = GetParam();
  if (model != "shipped") NIBBLE_NEED_SHARED("data/models/" + model);
  NIBBLE_NEED_TOOLS(core.tools[0]);
  const std::string compiler = compiler_of(core), key = model + " on " + core.target;
  Json record = read_record();
  if (!updating() && record.contains(key) && record[key]["compiler"] != compiler)
    GTEST_SKIP() << "left out: recorded with " << record[key]["compiler"] << ", here is "
                 << compiler;
  Result<Graph> graph = graph_of(model);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Result<Target> target = find_target(core.target);
  ASSERT_TRUE(target.ok()) << target.error().message;
  Result<Compiled> compiled = compile(*graph, *target, "model");
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  Result<FlashBytes> flash =
      measure_flash(compiled->library, compiled->program, *target, RunOptions().compiler_level);
  ASSERT_TRUE(flash.ok()) << flash.error().message;
  Json sizes = {{"compiler", compiler},
                {"code", flash->code},
                {"weights_and_tables", flash->weights},
                {"arena", compiled->library.arena_bytes}};
  if (updating()) {
    record[key] = sizes;
    ASSERT_TRUE(write_text_file(record_path(), record.dump(1) + "\n").ok());
    return;
  }
  ASSERT_TRUE(record.contains(key)) << key << " is not recorded";
  for (const char* what : {"code", "weights_and_tables", "arena"}) {
    const auto found = sizes[what].get<double>(), recorded = record[key][what].get<double>();
    EXPECT_NEAR(found, recorded, 0.01 * recorded)
        << what << " in bytes, more than 1 % from what is recorded. If that is meant, record it: "
        << "NIBBLE_UPDATE_SIZES=1 build/tests/size/nibble_size_test";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, RecordedSize, testing::ValuesIn(cases()),
                         [](const auto& size_case) {
                           return test_name(size_case.param.model + "_" +
                                            size_case.param.core.core);
                         });

}  // namespace
}  // namespace nibble
