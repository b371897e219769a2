// What a report says of learning, and of a run, from facts whose sums are known.
#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nibble {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

Json quantize_json(std::vector<LearnedMethod> learned) {
  ReportFacts facts;
  facts.model = "m.onnx";
  facts.calibrator = "mse";
  facts.learned = std::move(learned);
  facts.times = {{"calibration", 0.26}, {"brecq", 12}};
  return make_report(facts)["quantize"];
}

TEST(LearnedReport, SaysWhatKeptWhatItHad) {
  const Json quantize = quantize_json(
      {{"brecq",
        {{"a ... b", 0.5, 0.25}, {"c", 0.125, 0.125}, {"d", 0, 0}, {"e", 2, 2}, {"f", 1, 1}}}});
  const Json& method = quantize["learned"][0];
  EXPECT_EQ(method["method"], "brecq");
  EXPECT_EQ(method["before"], 3.625);
  EXPECT_EQ(method["after"], 3.375);
  EXPECT_EQ(method["kept"], 4);
  EXPECT_EQ(method["blocks"][1],
            Json({{"nodes", "c"}, {"before", 0.125}, {"after", 0.125}, {"kept", true}}));
  EXPECT_EQ(method["blocks"][0]["kept"], false);
  EXPECT_EQ(format_learned(quantize),
            "brecq: error 3.62 → 3.38; 4 of 5 layers or blocks gained nothing and keep what they "
            "had: 'c', 'd', 'e' and 1 more\n");
  EXPECT_EQ(format_seconds(quantize), "calibration 0.3 s, brecq 12.0 s");
}

TEST(LearnedReport, SaysNothingMoreWhereAllGained) {
  EXPECT_EQ(format_learned(quantize_json({{"adaround", {{"a", 2, 1}, {"b", 1, 0.5}}}})),
            "adaround: error 3 → 1.5\n");
  EXPECT_EQ(format_learned(quantize_json({})), "");
}

TEST(LearnedReport, OfRangesThereIsOneError) {
  EXPECT_THAT(
      format_learned(quantize_json({{"learned ranges", {{"the network's output", 0.5, 0.5}}}})),
      HasSubstr("learned ranges: error 0.5 → 0.5; nothing was gained, and what there was is kept"));
}

// Deployments are to be repeatable, and times are not.
TEST(LearnedReport, WithoutTimesThereIsNoField) {
  ReportFacts facts;
  facts.calibrator = "mse";
  EXPECT_FALSE(make_report(facts)["quantize"].contains("seconds"));
}

RunResult run_of_one_layer() {
  RunResult run;
  LayerCost& layer = run.layers.emplace_back();
  layer.mix.alu = run.mix.alu = 700;
  layer.mix.load = run.mix.load = 300;
  layer.instructions = run.instructions_per_inference = 1'000;
  layer.cycles = run.cycles_per_inference = 1'200;
  layer.rule_cycles = 1'100;
  run.wait_cycles = 100;
  run.rule_cycles = 1'100;
  return run;
}

TEST(RunReport, HasTheMixAndWhatItIsPredictedToTake) {
  RunResult run = run_of_one_layer();
  run.estimate.emplace();
  run.estimate->clock_mhz = 120;
  run.estimate->latency_ms.value = 0.015;
  run.estimate->power_mw = CostFigure{30, 20, 40, 10, 50};
  const Json json = run_json(run, {}, std::nullopt);
  EXPECT_EQ(json["mix"], Json({{"alu", 700}, {"load", 300}}));
  EXPECT_EQ(json["layers"][0]["mix"], json["mix"]);
  const Json& by_mix = json["predicted"]["by_mix"];
  EXPECT_EQ(by_mix["cycles"], 1'200);
  EXPECT_EQ(by_mix["wait_cycles"], 100);
  EXPECT_NEAR(by_mix["latency_ms"].get<double>(), 0.01, 1e-12);
  EXPECT_NEAR(by_mix["energy_uj"].get<double>(), 0.3, 1e-12);
  EXPECT_EQ(json["layers"][0]["energy_uj"], by_mix["energy_uj"]);
  EXPECT_EQ(json["predicted"]["by_rules"]["rule_cycles"], 1'100);
  EXPECT_EQ(json["layers"][0]["rule_cycles"], 1'100);
  EXPECT_EQ(json["predicted"]["by_rules"]["latency_ms"]["value"], 0.015);
  EXPECT_FALSE(json["predicted"]["by_rules"].contains("energy_uj"));
}

TEST(RunReport, PredictsNothingThatNoTableKnows) {
  RunResult run = run_of_one_layer();
  EXPECT_FALSE(run_json(run, {}, std::nullopt)["predicted"]["by_mix"].contains("latency_ms"));
  run.cycles_per_inference = run.layers[0].cycles = 0;
  run.rule_cycles = run.layers[0].rule_cycles = 0;
  const Json json = run_json(run, {}, std::nullopt);
  EXPECT_TRUE(json["predicted"]["by_mix"].is_null());
  EXPECT_TRUE(json["predicted"]["by_rules"].is_null());
  EXPECT_FALSE(json["layers"][0].contains("cycles"));
  EXPECT_FALSE(json["layers"][0].contains("rule_cycles"));
}

}  // namespace
}  // namespace nibble
