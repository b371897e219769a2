// Cycles of a layer and power of an accelerator. Inside cost/npu/ only.
#pragma once

#include <optional>
#include <string>

#include "cost/npu/npu.h"

namespace nibble {

// Bytes per cycle of the accelerator that the target's banks give its streams; infinite where the
// target does not say that a bank waits.
struct NpuBankRates {
  double data, weights;
};
// The bank of the weights is the accelerator's own, else the flash inside the part that holds
// `weight_bytes`, else the one outside; that of the data the accelerator's own, else the largest
// RAM inside, else outside. A line takes 1 + wait_cycles cycles of the core.
NpuBankRates npu_bank_rates(const Target& target, double clock_hz, double weight_bytes);

struct NpuCycles {
  double cycles = 0;
  std::string way;
};
// The cheapest way of those that select the layer, without layer_cycles.
std::optional<NpuCycles> npu_cycles(const Npu& npu, const NpuLayer& layer,
                                    const NpuBankRates& banks);

// Milliwatts at a clock: linear between two, proportional to the clock outside. Nothing without a
// figure.
std::optional<double> npu_power_mw(const Npu& npu, double clock_hz);

}  // namespace nibble
