// The network and its confusions as the report has them, by hand.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/report.h"
#include "support/graph_text.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

TEST(GraphJson, HasEdgesByNameAndNoneOfConstants) {
  const Graph graph = graph_of(
      "input %x : f32[1,2]\n"
      "const %w : f32[2,2] = random\n"
      "const %b : f32[2] = random\n"
      "node \"fc\" %h : f32[1,2] = dense(%x, %w, %b)\n"
      "node \"sum\" %y : f32[1,2] = add(%h, %x)\n"
      "output %y\n"
      "output %h\n");
  const Json json = graph_json(graph, {{"fc", FlashOwner::Kind::kWeights, 24},
                                       {"fc", FlashOwner::Kind::kCode, 100},
                                       {"other", FlashOwner::Kind::kWeights, 7}});
  EXPECT_EQ(json["inputs"], Json::parse(R"([{"name": "x", "shape": [1, 2], "dtype": "f32"}])"));
  EXPECT_EQ(json["outputs"], Json::parse(R"(["sum", "fc"])"));
  ASSERT_EQ(json["nodes"].size(), 2u);
  EXPECT_EQ(json["nodes"][0], Json::parse(R"({"name": "fc", "op": "dense", "inputs": ["x"],
      "shape": [1, 2], "dtype": "f32", "macs": 4, "parameters": 6, "weight_bytes": 24})"));
  EXPECT_EQ(json["nodes"][1]["inputs"], Json::parse(R"(["fc", "x"])"));
  EXPECT_EQ(json["nodes"][1]["weight_bytes"], 0);
}

TEST(ConfusionJson, CountsAreSquare) {
  EXPECT_EQ(confusion_json({"int8", {"a", "b", "c"}, 3, {{{0, 0}, 5}, {{2, 1}, 7}}}),
            Json::parse(R"({"arithmetic": "int8", "classes": ["a", "b", "c"],
                            "counts": [[5, 0, 0], [0, 0, 0], [0, 7, 0]]})"));
  EXPECT_FALSE(confusion_json({"int8", {}, 2, {}}).contains("classes"));
}

TEST(ConfusionJson, OfManyClassesThereAreThePairsThatAreMixedUpMost) {
  Confusion confusion{"int8", {}, kMostClasses + 1, {{{3, 3}, 1000}, {{64, 0}, 4}, {{1, 2}, 9}}};
  EXPECT_EQ(confusion_json(confusion),
            Json::parse(R"({"arithmetic": "int8", "pairs": [[1, 2, 9], [64, 0, 4]]})"));
  for (int64_t i = 0; i < 60; ++i)
    for (int64_t j : {i + 1, i + 2}) confusion.counts[{i, j}] = 1 + i;
  const Json pairs = confusion_json(confusion)["pairs"];
  EXPECT_EQ(pairs.size(), kMostPairs);
  for (size_t i = 1; i < pairs.size(); ++i)
    EXPECT_GE(pairs[i - 1][2].get<int64_t>(), pairs[i][2].get<int64_t>());
  confusion.classes = kMostClasses;
  EXPECT_TRUE(confusion_json({"int8", {}, kMostClasses, {}}).contains("counts"));
}

}  // namespace
}  // namespace nibble
