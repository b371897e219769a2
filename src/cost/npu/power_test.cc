#include "cost/npu/power.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cost/npu/spread.h"

namespace nibble {
namespace {

TEST(NpuPower, RatioIsTheGeometricMeanOfTheCases) {
  const auto cases = npu_power_cases();
  double product = 1;
  for (const NpuPowerCase& known : cases) product *= known.npu_mw / known.core_mw;
  const NpuPowerRatio ratio = npu_power_ratio();
  EXPECT_EQ(ratio.cases, static_cast<int>(cases.size()));
  EXPECT_NEAR(std::exp(ratio.log), std::pow(product, 1.0 / static_cast<double>(cases.size())),
              1e-9);
  double squares = 0;
  for (const NpuPowerCase& known : cases)
    squares += std::pow(std::log(known.npu_mw / known.core_mw) - ratio.log, 2);
  const auto n = static_cast<double>(cases.size());
  EXPECT_NEAR(ratio.sd, std::sqrt(squares / (n - 1) * (1 + 1 / n)), 1e-9);
}

TEST(NpuPower, CaseThatIsLeftOutSaysNothingOfItself) {
  const auto cases = npu_power_cases();
  const auto n = static_cast<double>(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    const double others = npu_power_ratio(i).log * (n - 1);
    EXPECT_NEAR(others + std::log(cases[i].npu_mw / cases[i].core_mw), npu_power_ratio().log * n,
                1e-9);
  }
}

TEST(NpuPower, TargetsOwnFigureThenTheFilesThenAGuess) {
  Npu npu;
  Target target;
  target.npu = NpuFacts{"small", 0, 0};
  EXPECT_FALSE(npu_chip_power(npu, target, 1e6).npu_mw);  // nothing is known of the chip
  target.power.active_mw = 10;
  const NpuChipPower guess = npu_chip_power(npu, target, 1e6);
  EXPECT_NEAR(*guess.core_mw, 10, 1e-9);
  EXPECT_NEAR(*guess.npu_mw, 10 * std::exp(npu_power_ratio().log), 1e-9);
  EXPECT_GT(*guess.guess_percent, 100 * std::expm1(student_t90(5) * npu_power_ratio().sd));

  npu.power.push_back({});
  npu.power[0].clock_hz = 1e6;
  npu.power[0].active_mw = 7;
  EXPECT_EQ(npu_chip_power(npu, target, 2e6).npu_mw, 14);
  npu.power[0].covers_chip = false;
  EXPECT_NEAR(*npu_chip_power(npu, target, 2e6).npu_mw, 24, 1e-9);
  EXPECT_FALSE(npu_chip_power(npu, target, 2e6).guess_percent);
  target.npu->active_mw = 3;
  EXPECT_EQ(npu_chip_power(npu, target, 2e6).npu_mw, 3);
}

}  // namespace
}  // namespace nibble
