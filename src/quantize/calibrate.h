// Calibration: run the float graph over the samples and remember every activation's statistics.
// Inside quantize/ only.
#pragma once

#include <optional>
#include <vector>

#include "quantize/observers/observer.h"
#include "quantize/options.h"

namespace nibble {

// Of the moving average, per value: as the settings of the node that writes it say.
std::vector<double> momenta(const Graph& graph, const QuantizeOptions& options);

// One observer per value of the graph; nothing for constants. Memory: one histogram per activation
// and worker, independent of the number of samples. Error: no samples; an activation that is not
// finite (value and sample named).
Result<std::vector<std::optional<Observer>>> calibrate(const Graph& graph,
                                                       const CalibrationData& data,
                                                       const std::vector<double>& momenta);

}  // namespace nibble
