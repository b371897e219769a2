// The form of rescaling (kernels/common/rescale_s8.h) on RV32IM, which has MULH.
#pragma once

#include "lower/scalar/rescale.h"

namespace nibble {

inline constexpr RescaleForm kRv32Forms[] = {RescaleForm::kHigh};

// A channel's words from `offset` of register `words` to t0, t1, t2.
void rescale_load_rv32(Assembly& code, const std::string& words, int offset);
// t3 := the output of register `acc`, which is lost as a4 is; t0, t1, t2 stay.
void rescale_rv32(Assembly& code, const RescaleStage& stage, const std::string& acc);
// The same without its clamp, a4 stays.
void rescale_unclamped_rv32(Assembly& code, const RescaleStage& stage, const std::string& acc);

// Cycles for an output.
double rescale_cycles_rv32(const RescaleStage& stage);

}  // namespace nibble
