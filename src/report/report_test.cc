// What a report says of learning, from facts whose sums are known.
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

}  // namespace
}  // namespace nibble
