#include "cost/energy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nibble {
namespace {

PowerCase linear(const std::string& board, PowerBasis basis) {
  PowerCase question;
  question.board = board;
  question.core = "cortex-m4";
  question.clock_mhz = 100;
  question.supply_v = 2;
  question.regulator = Regulator::kLdo;
  question.ua_per_mhz = 100;
  question.basis = basis;
  return question;
}

// One row, 40 mW where the figure says 100 MHz 100 uA/MHz 2 V = 20 mW. The ridge shares log 2 among
// intercept (sd 1), basis (.5) and board (.3) by their variances, against the row's .12:
// each gets sd^2 / (1 + .25 + .09 + .0144) of it.
TEST(Power, IsRidgeByHand) {
  const PowerModel model = fit_power({{linear("a", PowerBasis::kHeadline), 40}});
  const double whole = 1 + .25 + .09 + .0144;
  EXPECT_NEAR(model.log_figure, std::log(2) / whole, 1e-12);
  EXPECT_NEAR(model.basis.at("headline"), .25 * std::log(2) / whole, 1e-12);
  // Without the figure: 100 MHz 0.1 mA/MHz 2 V = 20 mW as well.
  EXPECT_NEAR(model.log_plain, std::log(2) / whole, 1e-12);
  EXPECT_NEAR(model.regulator.at("ldo"), .25 * std::log(2) / whole, 1e-12);
}

// .8 and .2: the inverse variances of sd .3 and .6.
TEST(Power, WeighsFigureAndClass) {
  PowerModel model;
  model.log_figure = 0.5;
  model.basis["headline"] = 0.1;
  model.log_plain = 0.25;
  model.regulator["smps"] = -0.25;
  PowerCase question = linear("new", PowerBasis::kHeadline);
  question.regulator = Regulator::kSmps;
  question.figure_v = 3;  // 30 mW by the figure, 18 mW by the class
  const LogEffect power = predict_power(model, question);
  EXPECT_NEAR(power.log, .8 * (std::log(30) + .6) + .2 * std::log(18), 1e-12);
  EXPECT_EQ(power.sd, kFigureSd);
  question.ua_per_mhz.reset();
  EXPECT_NEAR(predict_power(model, question).log, std::log(18), 1e-12);
  EXPECT_EQ(predict_power(model, question).sd, kPlainSd);
  question.core = "cortex-m7";
  EXPECT_NEAR(predict_power(model, question).log, std::log(18 * 2.5), 1e-12);
}

TEST(Power, OfATargetIsWhatWasMeasured) {
  Target target;
  target.core = "cortex-m4";
  EXPECT_FALSE(target_power({}, target));  // no clock
  target.clock_hz = 80'000'000;
  target.power.active_mw = 30;
  EXPECT_NEAR(target_power({}, target)->log, std::log(30), 1e-12);
  EXPECT_EQ(target_power({}, target)->sd, kFigureSd);
  target.power.basis = PowerBasis::kMeasured;
  EXPECT_EQ(target_power({}, target)->sd, kMeasuredSd);
  target.power = {};
  target.power.active_ua_per_mhz = 50;
  target.power.supply_v = 3;
  // 12 mW by the figure; 80 MHz 0.1 mA/MHz 1.8 V by the class, whose regulator nobody said.
  EXPECT_NEAR(target_power({}, target)->log, .8 * std::log(12) + .2 * std::log(14.4), 1e-12);
}

}  // namespace
}  // namespace nibble
