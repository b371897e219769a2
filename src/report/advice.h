// What stands out of an explanation, in sentences. Inside report/ only.
#pragma once

#include <string>
#include <vector>

#include "report/explanation.h"

namespace nibble {

// Positions of layers, the one that costs most first: by what it alone does to the network's output
// where that was tried, else by its own error.
std::vector<size_t> worst_first(const Explanation& explanation);

// "channel 3 has weights 812 times as large as the median channel".
std::string finding_text(const LayerEvidence& layer, const ScaleFinding& finding);

// What stands out, each with the option that helps.
std::vector<std::string> advice(const Explanation& explanation);

}  // namespace nibble
