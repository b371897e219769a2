// Which layer of a traced sample is the first that differs from the host's. Inside pipeline/ only.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "report/report.h"

namespace nibble {

// Fills in the layer of the difference, or why none can be named, and the layers that could not be
// compared: those whose bytes were not recorded, or have another number than the host's.
// `trace[i]`: the bytes that layers[i] (layer_calls) left in its dst. `expected`: the result of
// each layer.
void name_first_layer(std::span<const KernelCall* const> layers,
                      const std::vector<std::vector<uint8_t>>& trace,
                      const std::map<std::string, std::vector<uint8_t>>& expected,
                      Difference& difference);

}  // namespace nibble
