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

// One per value of the graph; nothing for constants.
using Observers = std::vector<std::optional<Observer>>;

// Memory: one histogram per activation and worker, independent of the number of samples. Error: no
// samples; an activation that is not finite (value and sample named).
Result<Observers> calibrate(const Graph& graph, const CalibrationData& data,
                            const std::vector<double>& momenta);

// A part of the calibration set, or a resampling of it: how often each sample counts.
using SampleCounts = std::vector<int>;
// The observers of several such parts, in one run over all samples; one run and one set of
// histograms each for as many parts.
Result<std::vector<Observers>> calibrate_parts(const Graph& graph, const CalibrationData& data,
                                               const std::vector<double>& momenta,
                                               const std::vector<SampleCounts>& parts);

}  // namespace nibble
