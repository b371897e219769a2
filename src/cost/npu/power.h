// What a chip draws while its accelerator works, in milliwatts. In this order:
//
//   the target's own figure ([npu] active_mw)
//   the accelerator's, at its clock (power of targets/npus/NAME.toml), with the core's where that
//     is the accelerator's alone
//   P = r P_core,   log r = mean of log(P_npu / P_core) over the chips of which both are known
//
// with P_core what the chip draws while its core computes (cost/cost.h). The last is a guess, and
// says how far it goes: of a chip left out, with n others,
//   percent = 100 (exp(t(n - 1) sqrt(s^2 (1 + 1/n) + sd_core^2)) - 1)
// s the standard deviation of those logs, t as in cost/npu/spread.h, sd_core of the log of P_core.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "target/target.h"

namespace nibble {

// A chip of which somebody has published both.
struct NpuPowerCase {
  std::string_view chip, accelerator;
  double npu_mw = 0, core_mw = 0;
  std::string_view source;
};
std::span<const NpuPowerCase> npu_power_cases();

struct NpuPowerRatio {
  double log = 0, sd = 0;  // of a chip that is none of them
  int cases = 0;
};
// All cases but `left_out`.
NpuPowerRatio npu_power_ratio(std::optional<size_t> left_out = {});

struct NpuChipPower {
  std::optional<double> npu_mw, core_mw;
  std::optional<double> guess_percent;  // 80 of 100 within it, where npu_mw is guessed
};
NpuChipPower npu_chip_power(const Npu& npu, const Target& target, double clock_hz);

// Markdown: the cases, each with what the others say of it.
std::string npu_power_table();

}  // namespace nibble
