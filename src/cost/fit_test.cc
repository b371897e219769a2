#include "cost/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/linear.h"
#include "base/rng.h"

namespace nibble {
namespace {

FitRow row(const std::string& board, const std::string& core, const std::string& stack,
           const std::string& model, KindVector work, double cycles) {
  const CostStack known = *find_stack(stack);
  return {{core, board, stack, std::string(known.family), work}, model, std::log(cycles)};
}

std::vector<FitRow> some_rows() {
  return {row("a", "cortex-m4", "X-CUBE-AI 9.0", "ic", {12e6, 3e6, 1e4}, 25e6),
          row("a", "cortex-m4", "X-CUBE-AI 10.2", "kws", {1e6, 3e6, 1e4}, 7e6),
          row("b", "cortex-m7", "X-CUBE-AI 10.2", "ad", {0, 0, 4e5}, 6e5),
          row("b", "cortex-m7", "ONNC", "ic", {18e6, 1e6, 1e4}, 9e6),
          row("c", "cortex-m33", "ONNC", "kws", {2e6, 5e6, 1e4}, 8e6)};
}

TEST(Linear, CholeskySolvesAndInverts) {
  std::vector<double> a = {4, 2, 2, 3};  // inverse: [3 -2; -2 4] / 8
  ASSERT_TRUE(cholesky(a, 2));
  std::vector<double> b = {2, 5};
  cholesky_solve(a, 2, b);
  EXPECT_NEAR(b[0], -0.5, 1e-12);
  EXPECT_NEAR(b[1], 2, 1e-12);
  const std::vector<double> inverse = cholesky_inverse(a, 2);
  EXPECT_NEAR(inverse[0], .375, 1e-12);
  EXPECT_NEAR(inverse[1], -.25, 1e-12);
  std::vector<double> indefinite = {1, 2, 2, 1};
  EXPECT_FALSE(cholesky(indefinite, 2));
}

TEST(Fit, GradientIsThatOfDifferences) {
  const std::vector<FitRow> rows = some_rows();
  const FitProblem problem(rows);
  const size_t n = problem.parameters();
  std::vector<double> x = problem.means();
  Rng rng(3);
  for (double& value : x) value += 0.3 * rng.uniform(-1, 1);
  std::vector<double> residuals, jacobian, above, below;
  problem.evaluate(x, residuals, &jacobian);
  constexpr double kStep = 1e-6;
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> moved = x;
    moved[i] += kStep;
    problem.evaluate(moved, above, nullptr);
    moved[i] -= 2 * kStep;
    problem.evaluate(moved, below, nullptr);
    for (size_t r = 0; r < residuals.size(); ++r)
      EXPECT_NEAR(jacobian[r * n + i], (above[r] - below[r]) / (2 * kStep), 1e-5)
          << "residual " << r << ", parameter " << i;
  }
}

TEST(Fit, EndsWhereTheGradientIsZero) {
  const std::vector<FitRow> rows = some_rows();
  const CostModel model = fit(rows);
  // Nothing near is better: each effect of a core moved by hand makes rows and priors cost more.
  auto cost = [&](const CostModel& m) {
    double sum = 0;
    for (const FitRow& r : rows) {
      const double z = (predict(m, r.question).log - r.log_cycles) / kRowSd;
      sum += 2 * (std::sqrt(1 + z * z) - 1);
    }
    for (const auto& [name, effect] : m.cores) {
      const CostCore prior = core_or_unknown(name);
      sum += std::pow((effect.log - std::log(prior.cycles)) / prior.sd, 2);
    }
    return sum;
  };
  for (const auto& [name, effect] : model.cores) {
    for (double step : {-1e-3, 1e-3}) {
      CostModel moved = model;
      moved.cores[name].log += step;
      EXPECT_GT(cost(moved), cost(model)) << name;
    }
  }
}

TEST(Fit, HasPriorsWithoutRows) {
  const CostModel model = fit({});
  EXPECT_TRUE(model.stacks.empty());
  const LogCycles cycles =
      predict(model, {"cortex-m7", "anything", "X-CUBE-AI 10.2", "X-CUBE-AI", {1e6, 1e6, 2e6}});
  EXPECT_NEAR(std::exp(cycles.log), 4e6 * 1.6 * 1.25 / 2.14, 1);
  // Shares .25 .25 .5: own variances count by the sum of squares, .375.
  EXPECT_NEAR(
      cycles.sd * cycles.sd,
      .06 * .06 + .07 * .07 + .08 * .08 + .3 * .3 + .3 * .3 + .375 * (.25 * .25 + .15 * .15),
      1e-12);
  EXPECT_EQ(cycles.unseen, (std::vector<std::string>{"stack", "core", "board"}));
}

TEST(Fit, OneRowPullsTowardsIt) {
  const KindVector work = {1e6, 1e6, 1e6};
  const double prior = 3e6 * 1.6;
  for (double factor : {0.5, 1.5}) {
    const CostModel model =
        fit({row("a", "cortex-m4", "X-CUBE-AI 9.0", "ic", work, prior * factor)});
    const LogCycles cycles = predict(model, {"cortex-m4", "a", "X-CUBE-AI 9.0", "X-CUBE-AI", work});
    const double moved = std::exp(cycles.log) / prior;
    EXPECT_GT(moved, std::min(1.0, factor));
    EXPECT_LT(moved, std::max(1.0, factor));
    EXPECT_LT(std::abs(std::log(moved / factor)), std::abs(std::log(factor)) / 3);
    // Its range is narrower than that of a board, or a core, that was not measured.
    const LogCycles board = predict(model, {"cortex-m4", "b", "X-CUBE-AI 9.0", "X-CUBE-AI", work});
    const LogCycles core = predict(model, {"cortex-m85", "b", "X-CUBE-AI 9.0", "X-CUBE-AI", work});
    EXPECT_LT(cycles.sd, board.sd);
    EXPECT_LT(board.sd, core.sd);
  }
}

TEST(Fit, CountsARepeatedRowOnce) {
  std::vector<FitRow> rows = some_rows();
  const CostModel once = fit(rows);
  for (int i = 0; i < 7; ++i) rows.push_back(rows[0]);
  const CostModel often = fit(rows);
  for (const auto& [name, stack] : once.stacks) {
    for (size_t k = 0; k < kCostKinds; ++k) {
      EXPECT_NEAR(stack.log[k], often.stacks.at(name).log[k], 1e-8);
      EXPECT_NEAR(stack.covariance[k][k], often.stacks.at(name).covariance[k][k], 1e-8);
    }
  }
}

TEST(Fit, TakesTheNearestVersionForOneNotMeasured) {
  const CostModel model = fit(some_rows());
  const KindVector work = {1e6, 2e6, 1e5};
  auto of = [&](const std::string& stack) {
    return predict(model, {"cortex-m4", "a", stack, "X-CUBE-AI", work});
  };
  EXPECT_EQ(of("X-CUBE-AI 8.1").log, of("X-CUBE-AI 9.0").log);
  EXPECT_EQ(of("X-CUBE-AI 12").log, of("X-CUBE-AI 10.2").log);
  EXPECT_NEAR(std::pow(of("X-CUBE-AI 12").sd, 2) - std::pow(of("X-CUBE-AI 10.2").sd, 2), .15 * .15,
              1e-12);
  EXPECT_EQ(of("X-CUBE-AI 12").unseen, std::vector<std::string>{"version"});
}

// Rows drawn from known effects are found again, most of them within two standard deviations.
TEST(Fit, FindsWhatRowsWereDrawnFrom) {
  Rng rng(11);
  const std::vector<std::string> stacks = {"X-CUBE-AI 8.1", "X-CUBE-AI 9.0", "X-CUBE-AI 10.2"};
  const std::vector<double> truth = {.7, .4, .2};
  const std::vector<KindVector> models = {
      {1e7, 1e5, 1e4}, {1e6, 5e6, 1e4}, {1e3, 1e3, 4e5}, {1e6, 1e6, 1e6}};
  std::vector<FitRow> rows;
  for (size_t s = 0; s < stacks.size(); ++s)
    for (const std::string core : {"cortex-m4", "cortex-m33", "cortex-m7"})
      for (size_t m = 0; m < models.size(); ++m) {
        double sum = 0;
        for (double kind : models[m]) sum += kind;
        rows.push_back(row(
            "board of " + core, core, stacks[s], std::to_string(m), models[m],
            sum * core_or_unknown(core).cycles * std::exp(truth[s] + .04 * rng.uniform(-1, 1))));
      }
  const CostModel model = fit(rows);
  for (size_t s = 0; s < stacks.size(); ++s)
    for (double log : model.stacks.at(stacks[s]).log) EXPECT_NEAR(log, truth[s], 0.1) << stacks[s];
}

}  // namespace
}  // namespace nibble
