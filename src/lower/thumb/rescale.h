// The forms of rescaling (kernels/common/rescale_s8.h) on ARMv6-M.
#pragma once

#include "lower/scalar/rescale.h"

namespace nibble {

// The forms that rescale_thumb knows, the cheapest first.
inline constexpr RescaleForm kThumbForms[] = {RescaleForm::kSingle, RescaleForm::kDouble,
                                              RescaleForm::kHigh};

// Loads a channel's words from r1, which it advances, and rescales register r`acc` (not r1 to r5;
// it is lost). The low byte of r2 is the output; r3, r4, r5 are lost.
void rescale_thumb(Assembly& code, const RescaleStage& stage, int acc);

// The form single for several outputs of a channel: its words from r1, which it advances, to r3 to
// r6; then for each output r2 from register `acc`, which stays.
void rescale_begin_single_thumb(Assembly& code);
void rescale_single_thumb(Assembly& code, const char* acc);

// Cycles for an output.
double rescale_cycles_thumb(const RescaleStage& stage);

}  // namespace nibble
