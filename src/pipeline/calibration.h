// What --calibration names, as samples.
#pragma once

#include <string>

#include "formats/formats.h"
#include "graph/graph.h"
#include "quantize/quantize.h"

namespace nibble {

// What --calibration names: data, or "synthetic" or "synthetic:N" for inputs made from the model's
// batch norms.
struct CalibrationRequest {
  std::string source;
  DataOptions options;  // of data; max_samples also of synthetic inputs
  uint64_t seed = 1;    // of synthetic inputs
};
struct Calibration {
  CalibrationData samples;  // with what the model's batch norms say
  std::string note;         // what looks wrong about the data, or what synthetic inputs are
};
// `imported`: the float graph as its file has it; `graph`: simplified. Both are needed no longer
// afterwards. Errors: those of read_dataset; for synthetic inputs a bad number, a model that has no
// batch norms (any more), libtorch is missing.
Result<Calibration> read_calibration(const CalibrationRequest& request, const Graph& imported,
                                     const Graph& graph);
// Whether it names synthetic inputs.
bool is_synthetic(const std::string& source);

}  // namespace nibble
