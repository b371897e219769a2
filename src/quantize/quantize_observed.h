// quantize() in two parts, for those who calibrate otherwise. Inside quantize/ only.
#pragma once

#include "quantize/calibrate.h"
#include "quantize/quantize.h"

namespace nibble {

// What quantize() refuses before it calibrates.
Status check_quantizable(const Graph& graph, const QuantizeOptions& options);

// The integer form of a prepared float graph with the ranges that were observed, its weights not
// refined. `report` gets the ranges and the float nodes.
Result<Graph> quantize_observed(const Graph& real, const QuantizeOptions& options,
                                Observers observers, QuantizeReport* report);

}  // namespace nibble
