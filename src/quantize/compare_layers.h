// The pass over the samples behind compare_layers and layer_evidence: float and integer network
// side by side. Inside quantize/ only.
#pragma once

#include "quantize/explain.h"
#include "quantize/observers/histogram.h"

namespace nibble {

// What is summed up in floating point: kept per sample and added in their order.
struct SampleSums {
  double signal = 0, noise = 0, local_noise = 0;  // sum real^2, (real - dequantized)^2
  double cross = 0, dequantized = 0, sum = 0;     // sum real dequantized, dequantized^2, real
  void add(const SampleSums& other);
};

// What does not depend on the order of the samples.
struct LayerCounts {
  double max_abs = 0;
  int64_t low = 0, high = 0, clipped = 0, count = 0;
  std::vector<float> real_min, real_max;  // per channel
  std::vector<int64_t> q_min, q_max;      // per channel
  Histogram histogram;                    // of the float values
  void merge(const LayerCounts& other);
};

// One row of the comparison.
struct ComparedLayer {
  int node = -1;               // of the integer graph; -1: an input
  ValueId real = kNoValue;     // of the float graph
  ValueId integer = kNoValue;  // of the integer graph
  SampleSums sums;
  LayerCounts counts;
};

// Inputs first (if `inputs`), then nodes in the order of the integer graph. `detail`: also the
// channels and histograms.
Result<std::vector<ComparedLayer>> compare_values(const Graph& real, const Graph& integer,
                                                  const CalibrationData& data, int64_t max_samples,
                                                  bool detail);

LayerError error_of(const Graph& real, const Graph& integer, const ComparedLayer& layer);

}  // namespace nibble
