// Sums of duty cycles, worked out by hand from duty.h.
#include "cost/duty.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

CostFigure exactly(double value) { return {value, value, value, value, value}; }

Target sleeper() {
  Target target;
  target.name = "sleeper";
  target.power.supply_v = 3;
  target.power.sleep_ua = 2;
  return target;
}

TEST(Duty, RefusesWhatNoPartCanDo) {
  for (const char* text : {"1e300/s", "1000001/s", "0.0027/day", "1e-300/day"})
    EXPECT_FALSE(parse_rate(text).ok()) << text;
  EXPECT_TRUE(parse_rate("1000000/s").ok());
  EXPECT_TRUE(parse_rate("0.00274/day").ok());
  EXPECT_FALSE(parse_battery("1e300Wh").ok());
  EXPECT_FALSE(parse_milliwatts("1001W").ok());
  EXPECT_FALSE(parse_phase("wait=31557601s@1mW").ok());
  EXPECT_TRUE(parse_phase("wait=31557600s@1mW").ok());
}

TEST(Duty, ReadsWhatPeopleWrite) {
  EXPECT_DOUBLE_EQ(*parse_rate("1/s"), 1);
  EXPECT_DOUBLE_EQ(*parse_rate("6/min"), .1);
  EXPECT_DOUBLE_EQ(*parse_rate("36/h"), .01);
  EXPECT_DOUBLE_EQ(*parse_rate("4 Hz"), 4);
  EXPECT_DOUBLE_EQ(parse_battery("220mAh@3V")->joules, .22 * 3600 * 3);
  EXPECT_DOUBLE_EQ(parse_battery("2Ah@3.7V")->joules, 2 * 3600 * 3.7);
  EXPECT_DOUBLE_EQ(parse_battery("10Wh")->joules, 36000);
  EXPECT_DOUBLE_EQ(parse_battery("2400J")->joules, 2400);
  EXPECT_DOUBLE_EQ(*parse_milliwatts("250uW"), .25);
  EXPECT_DOUBLE_EQ(*parse_milliwatts("2W"), 2000);
  EXPECT_DOUBLE_EQ(*parse_microjoules("1.5mJ"), 1500);
  const DutyPhase phase = *parse_phase("transmit=5ms@30mW");
  EXPECT_EQ(phase.name, "transmit");
  EXPECT_DOUBLE_EQ(phase.seconds, .005);
  EXPECT_DOUBLE_EQ(phase.milliwatts, 30);
}

TEST(Duty, RefusesTheRest) {
  for (const char* text : {"", "1", "/s", "0/s", "-1/s", "1/y", "inf/s", "nan Hz"})
    EXPECT_FALSE(parse_rate(text).ok()) << text;
  for (const char* text : {"", "220", "220mAh", "mAh@3V", "220mAh@", "220mAh@3", "0J", "220V@3mAh"})
    EXPECT_FALSE(parse_battery(text).ok()) << text;
  for (const char* text : {"", "acquire", "=5ms@3mW", "a=5ms", "a=5@3mW", "a=@3mW", "a=5ms@3"})
    EXPECT_FALSE(parse_phase(text).ok()) << text;
}

// Once a second 100 ms at 2,000 uJ, 50 ms at 4 mW (200 uJ), 850 ms asleep at 6 uW (5.1 uJ).
TEST(Duty, AddsUpARound) {
  Duty duty{1, {{"acquire", .05, 4}}, {}, parse_battery("100J").value()};
  const DutyCost cost = duty_cost(duty, sleeper(), exactly(100), exactly(2000));
  EXPECT_DOUBLE_EQ(cost.round_ms, 150);
  EXPECT_DOUBLE_EQ(cost.round_uj->value, 2200);
  EXPECT_NEAR(cost.average_mw->value, 2.2051, 1e-9);
  EXPECT_NEAR(cost.battery_days->value, 100 / 2.2051e-3 / 86400, 1e-6);
  // The parts of a round make up its energy and the time between two.
  double seconds = 0, microjoules = 0;
  std::string names;
  for (const DutyStep& step : cost.steps) {
    seconds += step.seconds;
    microjoules += *step.microjoules;
    names += step.name + " ";
  }
  EXPECT_EQ(names, "acquire infer asleep ");
  EXPECT_NEAR(seconds, 1, 1e-12);
  EXPECT_NEAR(microjoules, 2205.1, 1e-9);
  // A million rounds take 2205.1 J.
  EXPECT_NEAR(cost.grams_per_million->value, 2205.1 / 3.6e6 * kWorldGridGrams, 1e-9);
}

TEST(Duty, WithoutARateKnowsTheEnergyOfARoundAlone) {
  const DutyCost cost = duty_cost({}, sleeper(), exactly(100), exactly(3.6e6));
  EXPECT_FALSE(cost.average_mw.has_value());
  EXPECT_TRUE(cost.why_not.empty());
  EXPECT_NEAR(cost.grams_per_million->value, kWorldGridGrams,
              1e-6);  // 3.6 J a million times: 1 kWh
}

TEST(Duty, SaysWhyThereIsNoAverage) {
  const DutyCost slow = duty_cost({20, {}, {}, {}}, sleeper(), exactly(100), exactly(2000));
  EXPECT_TRUE(slow.too_slow);
  EXPECT_EQ(slow.why_not, "takes 100 ms a time, and 50 ms is all there is at that rate");
  const DutyCost unknown = duty_cost({1, {}, {}, {}}, Target(), exactly(100), exactly(2000));
  EXPECT_FALSE(unknown.too_slow);
  EXPECT_NE(unknown.why_not.find("--phase sleep=POWER"), std::string::npos);
  const DutyCost said = duty_cost({1, {}, .006, {}}, Target(), exactly(100), exactly(2000));
  EXPECT_NEAR(said.average_mw->value, 2 + .9 * .006, 1e-12);
  EXPECT_FALSE(duty_cost({1, {}, {}, {}}, sleeper(), exactly(100), {}).average_mw.has_value());
}

// More energy is never a longer life, and bounds stay in order.
TEST(Duty, BoundsStayInOrder) {
  const CostFigure energy{2000, 1500, 2700, 1200, 3300};
  const DutyCost cost =
      duty_cost({1, {}, {}, parse_battery("220mAh@3V").value()}, sleeper(), exactly(100), energy);
  for (const auto& figure :
       {cost.round_uj, cost.average_mw, cost.battery_days, cost.grams_per_million}) {
    EXPECT_LT(figure->low95, figure->low80);
    EXPECT_LT(figure->low80, figure->value);
    EXPECT_LT(figure->value, figure->high80);
    EXPECT_LT(figure->high80, figure->high95);
  }
  const DutyCost most = duty_cost({1, {}, {}, parse_battery("220mAh@3V").value()}, sleeper(),
                                  exactly(100), exactly(energy.high95));
  EXPECT_DOUBLE_EQ(most.battery_days->value, cost.battery_days->low95);
}

}  // namespace
}  // namespace nibble
