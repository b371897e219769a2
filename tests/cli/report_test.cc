// What `deploy` reports, key by key and sum by sum, and the page that `report` makes of it.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "cli.h"

namespace nibble {
namespace {

using testing::HasSubstr;

constexpr const char* kDeploy =
    "nibble deploy kws/kws.onnx --calibration kws/calibration.npz --data kws/test.npz --samples 24 "
    "--target stm32l4r5 -o ";
constexpr const char* kSmallReport =
    R"({"format": "nibble report 1", "model": "kws/<b>.onnx", "command": "nibble deploy", "notes": ["n"]})";

class Report : public Cli {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::filesystem::path(NIBBLE_PROGRAM).parent_path() /
                                 "report_page.html"))
      GTEST_SKIP() << "left out: the report's page (npm could not install its packages)";
  }
  // A folder with the least that is a report.
  void small_report(const std::string& dir) {
    std::filesystem::create_directory(folder_ / dir);
    spill(folder_ / dir / "report.json", kSmallReport);
  }
  // The data that a page holds.
  json data_of(const std::string& page) {
    const std::string text = slurp(folder_ / page);
    const std::string begin = "<script type=\"application/json\" id=\"report\">";
    const size_t from = text.find(begin) + begin.size();
    const std::string data = text.substr(from, text.find("</script>", from) - from);
    EXPECT_EQ(data.find('<'), std::string::npos);
    return json::parse(data, nullptr, false);
  }
};

std::set<std::string> names_in(const json& list) {
  std::set<std::string> names;
  for (const json& item : list) names.insert(item["name"]);
  return names;
}

void expect_flash_adds_up(const json& report) {
  std::map<std::string, int64_t> kinds, weights;
  int64_t total = 0;
  for (const json& owner : report["flash"]) {
    const int64_t bytes = owner["bytes"];
    EXPECT_GT(bytes, 0) << owner;
    kinds[owner["kind"]] += bytes;
    total += bytes;
    if (owner["kind"] == "weights") weights[owner["owner"]] += bytes;
  }
  const json& flash = report["run"]["flash_bytes"];
  EXPECT_EQ(total, flash["total"]);
  EXPECT_EQ(kinds["weights"] + kinds["tables"], flash["weights"]);
  EXPECT_EQ(kinds["code"] + kinds["other"], flash["code"]);
  for (const char* kind : {"weights", "code"}) EXPECT_GT(kinds[kind], total / 10) << kind;
  int64_t of_nodes = 0;
  for (const json& node : report["graph"]["nodes"]) {
    EXPECT_EQ(node["weight_bytes"], weights[node["name"]]) << node["name"];
    of_nodes += node["weight_bytes"].get<int64_t>();
  }
  EXPECT_EQ(of_nodes, kinds["weights"]);
}

// Every matrix counts the samples of its score, and as many right ones as the score says.
void expect_confusion_is_the_score(const json& report) {
  ASSERT_EQ(report["confusion"].size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const json &confusion = report["confusion"][i], &score = report["scores"][2 * i];
    EXPECT_EQ(confusion["arithmetic"], score["arithmetic"]);
    EXPECT_EQ(confusion["counts"].size(), 12u);
    int64_t samples = 0, right = 0;
    for (size_t t = 0; t < 12; ++t) {
      EXPECT_EQ(confusion["counts"][t].size(), 12u);
      for (const json& count : confusion["counts"][t]) samples += count.get<int64_t>();
      right += confusion["counts"][t][t].get<int64_t>();
    }
    EXPECT_EQ(samples, score["samples"]);
    EXPECT_DOUBLE_EQ(static_cast<double>(right) / static_cast<double>(samples), score["value"]);
  }
}

void expect_graph_holds_together(const json& report) {
  const json& graph = report["graph"];
  std::set<std::string> known = names_in(graph["inputs"]);
  const std::set<std::string> inputs = known;
  int64_t macs = 0;
  for (const json& node : graph["nodes"]) {
    expect_keys(node, {"name", "op", "inputs", "shape", "dtype", "macs", "parameters"});
    EXPECT_FALSE(node["inputs"].empty()) << node;
    for (const json& input : node["inputs"]) EXPECT_TRUE(known.contains(input)) << node;
    EXPECT_TRUE(known.insert(node["name"]).second) << node;
    macs += node["macs"].get<int64_t>();
  }
  EXPECT_EQ(macs, report["run"]["macs"]);
  for (const json& output : graph["outputs"]) EXPECT_TRUE(known.contains(output)) << output;
  for (const auto& list : {report["run"]["layers"], report["explain"]["layers"]})
    for (const std::string& name : names_in(list)) EXPECT_TRUE(known.contains(name)) << name;
  for (const json& call : report["plan"]["calls"]) EXPECT_TRUE(known.contains(call["layer"]));
}

// Layers add up to their network, by class and in both predictions. Counts are rounded down one by
// one, and a few instructions lie between layers.
void expect_predictions_add_up(const json& report) {
  const std::set<std::string> kEvents = {"branch_taken", "load_words", "store_words",
                                         "load_behind_load", "load_use"};
  const json &run = report["run"], &predicted = run["predicted"];
  int64_t cycles = 0, rule_cycles = 0, instructions = 0;
  for (const json& layer : run["layers"]) {
    int64_t of_layer = 0;
    for (const auto& [name, count] : layer["mix"].items())
      if (!kEvents.contains(name)) of_layer += count.get<int64_t>();
    EXPECT_LE(std::abs(layer["instructions"].get<int64_t>() - of_layer), 16) << layer["name"];
    instructions += of_layer;
    cycles += layer["cycles"].get<int64_t>();
    rule_cycles += layer.value("rule_cycles", int64_t{0});
  }
  const int64_t few = run["instructions_per_inference"].get<int64_t>() / 1'000;
  auto apart = [](int64_t sum, const json& whole) { return std::abs(sum - whole.get<int64_t>()); };
  EXPECT_LE(apart(instructions, run["instructions_per_inference"]), few);
  EXPECT_LE(apart(cycles, predicted["by_mix"]["cycles"]), 2 * few);
  EXPECT_LE(apart(rule_cycles, predicted["by_rules"]["rule_cycles"]), 50);
  EXPECT_GT(rule_cycles, 0);
}

TEST_F(Cli, DeployReportsEveryKeyOfTheContractOnTarget) {
  const json report =
      json_of(std::string(kDeploy) + "out --explain --stability --resamplings 2 --json");
  ASSERT_FALSE(report.is_discarded());
  expect_keys(report,
              {"format", "model", "command", "version", "notes", "scores", "confusion", "quantize",
               "layer_errors", "explain", "stability", "graph", "plan", "run", "target", "flash"});
  EXPECT_EQ(json::parse(slurp(folder_ / "out/report.json")), report);
  EXPECT_EQ(report["version"].get<std::string>() + "\n", shell("nibble --version").out);
  expect_flash_adds_up(report);
  expect_confusion_is_the_score(report);
  expect_predictions_add_up(report);
  expect_graph_holds_together(report);
  const json& target = report["target"];
  EXPECT_EQ(target["name"], "stm32l4r5");
  EXPECT_EQ(target["core"], "cortex-m4");
  EXPECT_EQ(target["clock_mhz"], 120);
  EXPECT_FALSE(target["title"].get<std::string>().empty());
  EXPECT_GT(target["flash_bytes"], report["run"]["flash_bytes"]["total"]);

  // As `quantize --explain` has it: the layers that are not inputs are those of layer_errors.
  const json& explain = report["explain"];
  expect_keys(explain, {"samples", "scores", "layers", "worst_first", "certificate", "advice"});
  EXPECT_EQ(explain["scores"]["float"], report["scores"][0]);
  EXPECT_EQ(explain["scores"]["integer"], report["scores"][1]);
  EXPECT_EQ(explain["layers"].size(), report["layer_errors"].size() + 1);
  EXPECT_EQ(explain["layers"][1]["sqnr_db"], report["layer_errors"][0]["sqnr_db"]);
  // Of layers that round something, as all with weights do.
  EXPECT_GT(std::ranges::count_if(explain["layers"],
                                  [](const json& layer) { return layer["alone"].is_object(); }),
            9);
  EXPECT_TRUE(explain["certificate"]["certified"].get<bool>());
  EXPECT_EQ(report["stability"]["resamplings"], 2);
  EXPECT_EQ(report["stability"]["metric"], "accuracy");
}

TEST_F(Cli, ABoardWithoutAClockReportsNoneOnTarget) {
  quantize();
  const json report = json_of(
      "nibble deploy q.nibble --data kws/test.npz --samples 1 --target riscv32-virt -o out --json");
  EXPECT_FALSE(report["target"].contains("clock_mhz"));
  EXPECT_EQ(report["confusion"].size(), 1u);
  EXPECT_FALSE(report.contains("explain"));
  expect_flash_adds_up(report);
}

TEST_F(Report, IsOneFileAndDoesNotKeepTheFolderFromBeingReplacedOnTarget) {
  ASSERT_EQ(shell(std::string(kDeploy) + "out").exit_code, 0);
  ShellResult made = shell("nibble report out");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("out/report.json → out/report.html: "));
  EXPECT_EQ(data_of("out/report.html"), json::parse(slurp(folder_ / "out/report.json")));
  EXPECT_LT(std::filesystem::file_size(folder_ / "out/report.html"), 500'000u);
  ShellResult again = shell(std::string(kDeploy) + "out");
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST_F(Report, TakesRecipesAndSaysWhoseTheyAre) {
  small_report("out");
  spill(folder_ / "c.json", R"({"model": "elsewhere/<b>.onnx", "metric": "accuracy", "float": {},
                                "recipes": [{"name": "int8"}]})");
  json facts = json_of("nibble report out --recipes c.json -o page.html --json");
  EXPECT_EQ(facts["report"], "out/report.json");
  EXPECT_EQ(facts["output"], "page.html");
  EXPECT_EQ(facts["bytes"], std::filesystem::file_size(folder_ / "page.html"));
  EXPECT_TRUE(facts["notes"].empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/report.html"));
  json data = data_of("page.html");
  EXPECT_EQ(data["recipes"], json::parse(slurp(folder_ / "c.json")));
  EXPECT_EQ(data["model"], "kws/<b>.onnx");
  EXPECT_EQ(data["notes"], json({"n"}));
  EXPECT_EQ(data["page_command"], "nibble report out --recipes c.json -o page.html --json");

  spill(folder_ / "c.json", R"({"model": "a.onnx", "metric": "mse", "float": {}, "recipes": []})");
  ShellResult noted = shell("nibble report out --recipes c.json --json");
  EXPECT_EQ(noted.exit_code, 0);
  EXPECT_THAT(noted.err, HasSubstr("nibble report: note: the recipes in 'c.json' were compared on "
                                   "another model"));
  EXPECT_THAT(json::parse(noted.out)["notes"][0], HasSubstr("another model"));
  EXPECT_EQ(data_of("out/report.html")["notes"].size(), 2u);
}

TEST_F(Report, TwoStandSideBySide) {
  small_report("a");
  small_report("b");
  const json facts = json_of("nibble compare-reports a b --json");
  EXPECT_EQ(facts["reports"], json({"a", "b"}));
  EXPECT_EQ(facts["output"], "compared.html");
  const json data = data_of("compared.html");
  EXPECT_EQ(data["format"], "nibble reports 1");
  EXPECT_EQ(data["names"], json({"a", "b"}));
  EXPECT_EQ(data["reports"], json({json::parse(kSmallReport), json::parse(kSmallReport)}));
  ShellResult named = shell("nibble compare-reports a b -o pair.html");
  EXPECT_THAT(named.out, HasSubstr("a and b → pair.html: "));
}

}  // namespace
}  // namespace nibble
