// The forms of rescaling (kernels/common/rescale_s8.h) on ARMv7-M without the DSP extension.
#pragma once

#include <array>

#include "lower/scalar/rescale.h"

namespace nibble {

// The forms that rescale_thumb2 knows, the cheapest first.
inline constexpr RescaleForm kThumb2Forms[] = {RescaleForm::kFused, RescaleForm::kHigh};

// Loads a channel's words from `words` ("r1!" or "r1") and rescales register `acc`, which is lost.
// Returns the register of `temps` whose low byte is the output. The first three of `temps` ascend.
std::string rescale_thumb2(Assembly& code, const RescaleStage& stage, const std::string& acc,
                           const std::string& words, const std::array<std::string, 4>& temps);

// The same into `out` with words that were loaded (two of them in the form fused) and stay, but for
// those that are `temp` or, in the form high, the first that is `out`.
void rescale_loaded_thumb2(Assembly& code, const RescaleStage& stage, const std::string& acc,
                           const std::array<std::string, 3>& words, const std::string& temp,
                           const std::string& out);

// Cycles for an output.
double rescale_cycles_thumb2(const RescaleStage& stage);

}  // namespace nibble
