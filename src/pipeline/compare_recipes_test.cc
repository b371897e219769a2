// Recipes side by side: ranks, front and advice on trials made by hand; comparison and automatic
// choice on a small network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/pipeline.h"
#include "support/float_network.h"

namespace nibble {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Accuracy of float 90 % on 1,000 samples.
Comparison comparison_of(std::vector<Trial> trials, const std::string& metric = "accuracy") {
  Comparison comparison;
  comparison.baseline.score = {metric, metric == "accuracy" ? 0.9 : 2.0, 1000, "float32", ""};
  comparison.trials = std::move(trials);
  rank_trials(comparison);
  return comparison;
}

Trial trial(const std::string& name, int64_t bytes, double value, double drop, double half = 0.5) {
  Trial result;
  result.name = name;
  result.bytes = bytes;
  result.activation_bits = 8;
  result.score.metric = "accuracy";
  result.score.value = value;
  result.drop = drop;
  result.drop_interval = {drop - half, drop + half};
  return result;
}

std::vector<std::string> names(const Comparison& comparison, bool only_front = false) {
  std::vector<std::string> found;
  for (const Trial& trial : comparison.trials)
    if (!only_front || trial.on_front) found.push_back(trial.name);
  return found;
}

TEST(RankTrials, BySizeClassAndInItByAccuracy) {
  Trial failed = trial("failed", 0, 0, 0);
  failed.failure = "why";
  const Comparison comparison =
      comparison_of({trial("large", 2000, 0.9, 0), failed, trial("b", 1050, 0.7, 20),
                     trial("a", 1000, 0.6, 30), trial("c", 1051, 0.8, 10)});
  EXPECT_THAT(names(comparison), ElementsAre("b", "a", "c", "large", "failed"));
  EXPECT_EQ(comparison.trials[0].size_class, 1);
  EXPECT_EQ(comparison.trials[0].rank, 1);
  EXPECT_EQ(comparison.trials[1].rank, 2);
  EXPECT_EQ(comparison.trials[2].size_class, 2);
  EXPECT_EQ(comparison.trials[4].size_class, 0);
}

TEST(RankTrials, TheFrontIsWhatNothingSmallerIsAsGoodAs) {
  const Comparison comparison =
      comparison_of({trial("a", 1000, 0.5, 40), trial("same size, worse", 1000, 0.4, 50),
                     trial("larger, as good", 1200, 0.5, 40), trial("b", 1500, 0.8, 10),
                     trial("larger, worse", 2000, 0.7, 20), trial("c", 3000, 0.9, 0)});
  EXPECT_THAT(names(comparison, true), ElementsAre("a", "b", "c"));
}

TEST(RankTrials, WhatIsEmulatedKeepsNothingOffTheFrontAndIsNotRecommended) {
  Trial format = trial("format", 900, 0.9, 0), poor = trial("poor format", 1500, 0.7, 20);
  format.emulated = poor.emulated = true;
  const Comparison comparison =
      comparison_of({format, poor, trial("a", 1000, 0.8, 10), trial("b", 2000, 0.9, 0)});
  EXPECT_THAT(names(comparison, true), ElementsAre("format", "a", "b"));
  EXPECT_EQ(comparison.trials[static_cast<size_t>(comparison.recommended)].name, "b");
}

TEST(RankTrials, LessIsBetterOfAnError) {
  Trial a = trial("a", 1000, 2.5, 25), b = trial("b", 1000, 2.01, 0.5), c = trial("c", 1500, 3, 50);
  const Comparison comparison = comparison_of({a, b, c}, "mse");
  EXPECT_THAT(names(comparison), ElementsAre("b", "a", "c"));
  EXPECT_THAT(names(comparison, true), ElementsAre("b"));
  EXPECT_THAT(comparison.advice, HasSubstr("use 'b' (1000 B): it has 0.50 % more error"));
}

TEST(RankTrials, TheSmallestWithinAPointIsRecommendedWithTheReason) {
  const Comparison comparison = comparison_of(
      {trial("a", 1000, 0.87, 3), trial("b", 1500, 0.895, 0.5, 0.4), trial("c", 2000, 0.9, 0)});
  EXPECT_EQ(comparison.recommended, 1);
  EXPECT_THAT(comparison.advice,
              HasSubstr("use 'b' (1.5 KB): it loses 0.50 points (95 % interval 0.10 to 0.90 "
                        "points), and nothing smaller stays within 1.00 points of float"));
  EXPECT_THAT(comparison.advice, HasSubstr("the next smaller on the front, 'a' (1000 B), loses"));
  EXPECT_THAT(comparison.advice, HasSubstr("1000 samples tell a difference of 0.40 points"));
}

TEST(RankTrials, WhatTheSamplesCannotTellFromNothingIsSaidToBeSo) {
  const Comparison comparison =
      comparison_of({trial("a", 1000, 0.88, 2, 2.5), trial("b", 1500, 0.9, 0, 2)});
  EXPECT_EQ(comparison.recommended, 0);
  EXPECT_THAT(comparison.advice, HasSubstr("which 1000 samples cannot tell from nothing"));
  EXPECT_THAT(comparison.advice, HasSubstr("measured within 1.00 points of float is 'b'"));
}

TEST(RankTrials, OfTheSameSizeFewerActivationBitsThenTheBetterOne) {
  Trial wide = trial("wide", 1000, 0.9, 0);
  wide.activation_bits = 16;
  const Comparison comparison =
      comparison_of({wide, trial("plain", 1000, 0.893, 0.7), trial("better", 1000, 0.896, 0.4)});
  EXPECT_EQ(comparison.trials[static_cast<size_t>(comparison.recommended)].name, "better");
}

// 1 for a hit: the first `hits` of 1,000 samples, from `start` on.
std::vector<double> hits_of(size_t start, size_t hits) {
  std::vector<double> by_sample(1000, 0);
  for (size_t i = start; i < start + hits; ++i) by_sample[i % 1000] = 1;
  return by_sample;
}

TEST(RankTrials, ADifferenceThatIsNoiseBuysNoMethods) {
  Trial plain = trial("plain", 1000, 0.896, 0.4), repaired = trial("repaired", 1000, 0.897, 0.3);
  Trial good = trial("good", 1000, 0.9, 0);
  repaired.methods = 1;
  good.methods = 2;
  plain.by_sample = hits_of(0, 896);
  repaired.by_sample = hits_of(3, 897);  // three won, two lost
  const Comparison alike = comparison_of({plain, repaired});
  EXPECT_EQ(alike.trials[static_cast<size_t>(alike.recommended)].name, "plain");
  EXPECT_THAT(alike.advice, HasSubstr("'repaired', as large and 0.10 points better, takes 1 more "
                                      "method for what 1000 samples cannot tell from nothing"));
  // Twenty won and none lost is no noise.
  good.by_sample = hits_of(0, 916);
  good.score.value = 0.916;
  good.drop = -1.6;
  const Comparison apart = comparison_of({plain, repaired, good});
  EXPECT_EQ(apart.trials[static_cast<size_t>(apart.recommended)].name, "good");
  EXPECT_THAT(apart.advice, Not(HasSubstr("more method")));
}

TEST(RankTrials, OfErrorsToo) {
  Trial plain = trial("plain", 1000, 2.002, 0.1), repaired = trial("repaired", 1000, 2.0, 0);
  repaired.methods = 1;
  plain.by_sample.assign(1000, 2.002);
  for (size_t i = 0; i < 1000; ++i) repaired.by_sample.push_back(i % 2 ? 1.5 : 2.5);
  Comparison found = comparison_of({plain, repaired}, "mse");
  EXPECT_EQ(found.trials[static_cast<size_t>(found.recommended)].name, "plain");
  repaired.by_sample.assign(1000, 2.0);
  plain.by_sample[0] = 2.003;
  found = comparison_of({plain, repaired}, "mse");
  EXPECT_EQ(found.trials[static_cast<size_t>(found.recommended)].name, "repaired");
}

TEST(RankTrials, WhereNothingIsGoodTheBestIsNamed) {
  const Comparison comparison =
      comparison_of({trial("a", 1000, 0.5, 40), trial("b", 1500, 0.8, 10)});
  EXPECT_EQ(comparison.recommended, -1);
  EXPECT_THAT(comparison.advice, HasSubstr("the best is 'b' (1.5 KB): it loses 10.00 points"));
}

// Labels are what the float network says, so that its accuracy is 100 %.
class OnANetwork : public testing::Test {
 protected:
  OnANetwork() : graph_(uneven_network(5)), calibration_(random_data(40, {1, 8, 8, 3}, 1)) {
    const int64_t count = 120;
    data_.samples = Tensor(TensorType{{count, 8, 8, 3}, DType::kF32, std::nullopt});
    const CalibrationData samples = random_data(count, {1, 8, 8, 3}, 1000);
    Interpreter interpreter(graph_);
    for (int64_t i = 0; i < count; ++i) {
      const Tensor sample = samples.sample(i);
      std::ranges::copy(sample.data<float>(),
                        data_.samples.mutable_data<float>().begin() + i * sample.size());
      const Tensor output = interpreter.run({&sample, 1})[0];
      auto values = output.data<float>();
      data_.labels.push_back(std::ranges::max_element(values) - values.begin());
    }
  }

  double drop_of(const Recipe& recipe) const {
    return try_recipe(graph_, calibration_, data_, *measure_baseline(graph_, data_), recipe).drop;
  }

  Graph graph_;
  CalibrationData calibration_;
  Dataset data_;
};

TEST_F(OnANetwork, ARecipeThatFailsIsARowWithItsReason) {
  Recipe failing = make_recipe("failing", {"scheme=w4a8"});
  failing.options.keep_float = {"nobody"};
  const std::vector<Recipe> recipes = {
      failing, make_recipe("w2a8", {"scheme=w2a8"}), make_recipe("w8a8", {"scheme=w8a8"}),
      make_recipe("fp16", {"weight-format=fp16", "activation-format=fp16"})};
  std::vector<std::string> told;
  const auto comparison = compare_recipes(
      graph_, calibration_, data_, recipes, [&](const Trial& trial, size_t index, size_t count) {
        told.push_back(fmt::format("{}/{} {}", index, count, trial.name));
      });
  ASSERT_TRUE(comparison.ok()) << comparison.error().message;
  const Comparison& found = comparison.value();
  EXPECT_EQ(found.baseline.score.value, 1);
  EXPECT_THAT(names(found), ElementsAre("w2a8", "w8a8", "fp16", "failing"));
  EXPECT_THAT(found.trials[3].failure, HasSubstr("nobody"));
  EXPECT_THAT(told, ElementsAre("0/4 failing", "1/4 w2a8", "2/4 w8a8", "3/4 fp16"));
  EXPECT_TRUE(found.trials[2].emulated);
  EXPECT_EQ(found.trials[2].score.arithmetic, "emulated");
  EXPECT_GE(found.trials[2].score.value, 0.99);
  EXPECT_GT(found.trials[0].drop, 10);
  for (const Trial& trial : found.trials) {
    if (!trial.failure.empty()) continue;
    EXPECT_NEAR(trial.drop, 100 * (1 - trial.score.value), 1e-9);
    EXPECT_LE(trial.interval.low, trial.score.value);
    EXPECT_GE(trial.interval.high, trial.score.value);
  }
}

TEST_F(OnANetwork, AutoTakesTheCheapestThatIsGoodEnough) {
  const std::vector<Recipe> recipes = {
      make_recipe("w8a8", {"scheme=w8a8"}),
      make_recipe("fp16", {"weight-format=fp16", "activation-format=fp16"}),
      make_recipe("w2a8", {"scheme=w2a8"}),
      make_recipe("w2a8 gptq", {"scheme=w2a8"}, {"gptq"}),
      make_recipe("w8a16", {"scheme=w8a16"}),
      make_recipe("w2a16", {"scheme=w2a16"}),
  };
  const double good = drop_of(recipes[0]);
  const auto result = auto_quantize(graph_, calibration_, data_, recipes, good);
  ASSERT_TRUE(result.ok()) << result.error().message;
  std::vector<std::string> tried;
  for (const Trial& trial : result.value().tried) tried.push_back(trial.name);
  // fp16 has no integer form, w8a16 is larger than what was good enough.
  EXPECT_THAT(tried, ElementsAre("w2a8", "w2a8 gptq", "w2a16", "w8a8"));
  EXPECT_EQ(result.value().tried.back().drop, good);
  // The graph is the chosen one.
  const auto score = evaluate(result.value().integer, data_);
  ASSERT_TRUE(score.ok());
  EXPECT_EQ(score.value().value, result.value().tried.back().score.value);
  EXPECT_EQ(result.value().report.samples, 40);
}

TEST_F(OnANetwork, AutoNamesTheBestWhereNoneIsGoodEnough) {
  const std::vector<Recipe> recipes = {make_recipe("w2a8", {"scheme=w2a8"}),
                                       make_recipe("w3a8", {"scheme=w3a8"})};
  const size_t best = drop_of(recipes[0]) < drop_of(recipes[1]) ? 0 : 1;
  const auto result = auto_quantize(graph_, calibration_, data_, recipes, 0.1);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kInput);
  EXPECT_THAT(result.error().message, HasSubstr("no recipe stays within --max-drop 0.10 points"));
  EXPECT_THAT(result.error().message, HasSubstr("by '" + recipes[best].name + "'"));
}

TEST_F(OnANetwork, AutoNeedsAnIntegerForm) {
  const std::vector<Recipe> recipes = {make_recipe("fp16", {"weight-format=fp16"})};
  const auto result = auto_quantize(graph_, calibration_, data_, recipes, 1);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("none of the 1 recipes has an integer form"));
}

TEST_F(OnANetwork, WithoutLabelsThereIsNothingToRankBy) {
  data_.labels.clear();
  const auto result = compare_recipes(graph_, calibration_, data_, default_recipes());
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("--labels"));
}

// Targets: the drop is the percent that is added to float's mean squared error.
TEST_F(OnANetwork, ErrorsAreComparedInPercent) {
  data_.labels.clear();
  Rng rng(3);
  Interpreter interpreter(graph_);
  data_.targets = Tensor(TensorType{{data_.size(), 4}, DType::kF32, std::nullopt});
  for (float& value : data_.targets.mutable_data<float>())
    value = static_cast<float>(rng.uniform(-1, 1));
  const auto comparison = compare_recipes(graph_, calibration_, data_,
                                          std::vector{make_recipe("w3a8", {"scheme=w3a8"})});
  ASSERT_TRUE(comparison.ok()) << comparison.error().message;
  const Comparison& found = comparison.value();
  EXPECT_EQ(found.baseline.score.metric, "mse");
  const Trial& trial = found.trials[0];
  EXPECT_NEAR(trial.drop, 100 * (trial.score.value / found.baseline.score.value - 1), 1e-6);
  EXPECT_NEAR((trial.drop_interval.low + trial.drop_interval.high) / 2, trial.drop, 1e-6);
}

}  // namespace
}  // namespace nibble
