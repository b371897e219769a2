// How far a quantization depends on which calibration samples it happened to get, and how many of
// them are enough. Part of the public header quantize.h.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "quantize/options.h"

namespace nibble {

struct StabilityOptions {
  int64_t resamplings = 20;  // of the bootstrap
  uint64_t seed = 1;
};

// One activation over the resamplings: the ends of its range, and the half width of the central 95
// % of its scale as a share of the scale from the whole set.
struct RangeStability {
  std::string value;
  double min = 0, max = 0;  // from the whole set
  double least_min = 0, largest_min = 0, least_max = 0, largest_max = 0;
  double spread = 0;
};

// The first `samples` of the set in a shuffled order; changes are of scales, against the whole set.
struct SubsetStability {
  int64_t samples = 0;
  double median_change = 0, largest_change = 0;
  std::string value;  // of the largest change
  double metric = 0;
};

struct Stability {
  int64_t samples = 0;
  std::vector<RangeStability> ranges;      // the least stable first
  std::string metric_name;                 // of what the caller scored with; empty: metrics are 0
  double metric = 0;                       // of the whole set
  std::vector<double> metrics;             // of the resamplings, ascending
  double metric_low = 0, metric_high = 0;  // their central 95 %
  std::vector<SubsetStability> subsets;    // 1, 2, 4, ... and all samples
  // From how many samples on no median change is above kEnoughChange and no metric outside of the
  // central 95 %. All samples: not even half of them are enough, and more may change the ranges.
  int64_t enough = 0;
};
inline constexpr double kEnoughChange = 0.05;

// What an integer network is worth; empty: nobody asks.
using ScoreGraph = std::function<Result<double>(const Graph& integer)>;

// Bootstrap (Efron 1979) in one pass over the set, whatever its size: each resampling counts a
// sample as often as a Poisson variable of mean 1 says (Hanley and MacGibbon 2006). Networks are
// prepared once, on the whole set, and their weights rounded as the settings say: methods that
// refine or learn are left out, since they would hide what the ranges do. Errors: as quantize().
Result<Stability> measure_stability(const Graph& graph, const CalibrationData& data,
                                    const QuantizeOptions& options,
                                    const StabilityOptions& stability, const ScoreGraph& score);

}  // namespace nibble
