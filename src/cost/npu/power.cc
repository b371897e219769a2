// Power while the accelerator works: published, or by the core's.
#include "cost/npu/power.h"

#include <fmt/format.h>

#include <cmath>

#include "cost/energy.h"
#include "cost/npu/cycles.h"
#include "cost/npu/spread.h"

namespace nibble {
namespace {

constexpr NpuPowerCase kCases[] = {
    {"nRF54LM20B", "Axon", 9.0, 7.8,
     "datasheet: 3.0 mA in keyword spotting; 2.6 mA of the core alone in that of the nRF54L15; "
     "both at 3 V"},
    {"EFR32MG24", "MVP", 10.3, 7.8,
     "MLPerf Tiny v1.0, four networks; datasheet, 33.4 uA/MHz at 78 MHz and 3 V"},
    {"ESP32-S3", "vector instructions", 239, 169,
     "WROOM-1 datasheet v1.8, table 6-6, 240 MHz: 72.4 mA with 128-bit accesses, 51.2 with 32-bit"},
    {"STM32N657", "Neural-ART", 264.9, 150.5,
     "x-cube-n6-ai-power-measurement, Utilities/pwr_scripts/README.md: inference, post-processing"},
    {"MSPM0G5187", "TinyEngine", 70.7, 27.2,
     "SDAA429, table 5-1: 412.9 uJ in 5.84 ms; 103 uA/MHz at 80 MHz and 3.3 V"},
    {"MAX78000", "CNN accelerator", 35, 6.7,
     "TinyissimoYOLO, 0.19 mJ in 5.5 ms (others: 15 and 72 mW); 22.2 uA/MHz at 100 MHz and 3 V"},
};

double log_ratio(const NpuPowerCase& known) { return std::log(known.npu_mw / known.core_mw); }

double percent_of(const NpuPowerRatio& ratio, double core_sd) {
  return 100 * std::expm1(student_t90(ratio.cases - 1) * std::hypot(ratio.sd, core_sd));
}

}  // namespace

std::span<const NpuPowerCase> npu_power_cases() { return kCases; }

NpuPowerRatio npu_power_ratio(std::optional<size_t> left_out) {
  NpuPowerRatio ratio;
  double sum = 0, squares = 0;
  for (size_t i = 0; i < std::size(kCases); ++i) {
    if (i == left_out) continue;
    const double log = log_ratio(kCases[i]);
    sum += log;
    squares += log * log;
    ++ratio.cases;
  }
  const double n = ratio.cases;
  ratio.log = sum / n;
  ratio.sd = std::sqrt((squares - n * ratio.log * ratio.log) / (n - 1) * (1 + 1 / n));
  return ratio;
}

NpuChipPower npu_chip_power(const Npu& npu, const Target& target, double clock_hz) {
  NpuChipPower power;
  const std::optional<LogEffect> core = core_power(target);
  if (core) power.core_mw = std::exp(core->log);
  if (target.npu && target.npu->active_mw) {
    power.npu_mw = target.npu->active_mw;
  } else if (const std::optional<double> own = npu_power_mw(npu, clock_hz)) {
    if (npu.power[0].covers_chip)
      power.npu_mw = own;
    else if (core)
      power.npu_mw = *own + *power.core_mw;
  } else if (core) {
    const NpuPowerRatio ratio = npu_power_ratio();
    power.npu_mw = std::exp(core->log + ratio.log);
    power.guess_percent = percent_of(ratio, core->sd);
  }
  return power;
}

std::string npu_power_table() {
  std::string text =
      "| chip | accelerator | at work, mW | core at work, mW | ratio | by the others | source |\n"
      "| --- | --- | --: | --: | --: | --- | --- |\n";
  for (size_t i = 0; i < std::size(kCases); ++i) {
    const NpuPowerCase& known = kCases[i];
    const NpuPowerRatio others = npu_power_ratio(i);
    const double wide = 1 + percent_of(others, 0) / 100, middle = std::exp(others.log);
    text += fmt::format("| {} | {} | {:.1f} | {:.1f} | {:.2f} | {:.2f} ({:.2f} to {:.2f}) | {} |\n",
                        known.chip, known.accelerator, known.npu_mw, known.core_mw,
                        known.npu_mw / known.core_mw, middle, middle / wide, middle * wide,
                        known.source);
  }
  const NpuPowerRatio all = npu_power_ratio();
  return text + fmt::format(
                    "\nA chip that is none of these: {:.2f} times its core's power, 80 of 100 "
                    "within {:.0f} "
                    "% (before what is not known of the core's).\n",
                    std::exp(all.log), percent_of(all, 0));
}

}  // namespace nibble
