// src/cost/fitted.json is what a refit gives of the rows beside it, those are what the published
// files say, and the errors on boards that a fit has not seen stay as small as they are said to be.
//   build/bench/nibble_cost_fit --write      writes the files anew
#include <gtest/gtest.h>

#include <cmath>

#include "cost/refit.h"
#include "cost_data.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

const CostData& data() {
  static const CostData recorded = *recorded_data();
  return recorded;
}

const Refit& fitted_anew() {
  static const Refit result = refit(data().rows, data().networks);
  return result;
}

const FittedCost& committed() {
  static const FittedCost fitted =
      *parse_fitted(*read_text_file(source_path("src/cost/fitted.json")));
  return fitted;
}

constexpr double kTolerance = 1e-6;

TEST(CostRefit, IsTheCommittedFile) {
  const FittedCost& anew = fitted_anew().fitted;
  EXPECT_EQ(anew.rows, committed().rows);
  EXPECT_EQ(anew.rows_hash, committed().rows_hash);
  EXPECT_NEAR(anew.latency.z80, committed().latency.z80, kTolerance);
  EXPECT_NEAR(anew.latency.z95, committed().latency.z95, kTolerance);
  ASSERT_EQ(anew.latency.stacks.size(), committed().latency.stacks.size());
  for (const auto& [name, stack] : anew.latency.stacks) {
    const StackEffect& other = committed().latency.stacks.at(name);
    EXPECT_EQ(stack.family, other.family);
    for (size_t i = 0; i < kCostKinds; ++i) {
      EXPECT_NEAR(stack.log[i], other.log[i], kTolerance) << name;
      for (size_t j = 0; j < kCostKinds; ++j)
        EXPECT_NEAR(stack.covariance[i][j], other.covariance[i][j], kTolerance) << name;
    }
  }
  ASSERT_EQ(anew.latency.cores.size(), committed().latency.cores.size());
  for (const auto& [name, core] : anew.latency.cores) {
    EXPECT_NEAR(core.log, committed().latency.cores.at(name).log, kTolerance) << name;
    EXPECT_NEAR(core.sd, committed().latency.cores.at(name).sd, kTolerance) << name;
  }
  ASSERT_EQ(anew.latency.boards.size(), committed().latency.boards.size());
  for (const auto& [name, board] : anew.latency.boards)
    EXPECT_NEAR(board.log, committed().latency.boards.at(name).log, kTolerance) << name;
  EXPECT_NEAR(anew.power.log_figure, committed().power.log_figure, kTolerance);
  EXPECT_NEAR(anew.power.log_plain, committed().power.log_plain, kTolerance);
  for (const auto& [name, summary] : anew.errors.left_out)
    EXPECT_NEAR(summary.median, committed().errors.left_out.at(name).median, kTolerance) << name;
  for (const auto& [name, summary] : anew.errors.energy_by_core)
    EXPECT_NEAR(summary.median, committed().errors.energy_by_core.at(name).median, kTolerance);
}

TEST(CostRefit, FittedFileReadsBackAsPrinted) {
  const std::string text = print_fitted(committed());
  EXPECT_EQ(text, *read_text_file(source_path("src/cost/fitted.json")));
}

TEST(CostRefit, RowsAreThoseOfThePublishedFiles) {
  NIBBLE_NEED_SHARED(kMlperfFile);
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny/vww_mobilenetv1_int8.tflite");
  const Result<CostData> published = published_data(shared_path("."));
  ASSERT_TRUE(published.ok()) << published.error().message;
  EXPECT_EQ(print_rows(published->rows), print_rows(data().rows));
  EXPECT_EQ(published->networks, data().networks);
  for (const CostRow& row : published->rows)
    EXPECT_EQ(row.use == RowUse::kOut, !row.reason.empty()) << row.id;
}

TEST(CostRefit, ErrsLittleOnBoardsItHasNotSeen) {
  const std::map<std::string, ErrorSummary>& errors = fitted_anew().fitted.errors.left_out;
  EXPECT_GE(errors.at("board").rows, 180);
  EXPECT_LE(errors.at("board").median, .15);
  EXPECT_LE(errors.at("board").p90, .35);
  EXPECT_LE(errors.at("stack").median, .15);
  EXPECT_LE(errors.at("stack").p90, .35);
  // Networks, and a board, that no fit has ever seen.
  EXPECT_LE(errors.at("never fitted").median, .15);
  EXPECT_LE(errors.at("never fitted").p90, .35);
}

TEST(CostRefit, ErrsLittleInEnergy) {
  const std::map<std::string, ErrorSummary>& errors = fitted_anew().fitted.errors.energy_by_core;
  for (const char* core : {"all", "cortex-m4", "cortex-m33", "cortex-m7"})
    EXPECT_LE(errors.at(core).median, .30) << core;
}

TEST(CostRefit, RangesHoldWhatTheySay) {
  const CostModel& model = fitted_anew().fitted.latency;
  auto coverage = [](const std::vector<Prediction>& predictions, double z) {
    double hits = 0;
    for (const Prediction& p : predictions)
      if (std::abs(p.log - p.measured) <= z * p.sd) hits += 1;
    return hits / static_cast<double>(predictions.size());
  };
  for (const auto* predictions : {&fitted_anew().board, &fitted_anew().stack}) {
    EXPECT_GE(coverage(*predictions, model.z80), .75);
    EXPECT_GE(coverage(*predictions, model.z95), .93);
  }
  EXPECT_GE(coverage(fitted_anew().energy, model.z80), .75);
}

TEST(CostRefit, PageHasItsTables) {
  const Result<WrittenPart> page =
      split_cost_page(*read_text_file(source_path(kCostPage)), "nibble_cost_fit");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->tables, refit_tables(fitted_anew(), data().networks));
}

TEST(CostRefit, PlotsAreWhatTheCommandWrites) {
  EXPECT_EQ(time_plot(fitted_anew()), *read_text_file(source_path("doc/cost_time.svg")));
  EXPECT_EQ(energy_plot(fitted_anew()), *read_text_file(source_path("doc/cost_energy.svg")));
}

}  // namespace
}  // namespace nibble
