// What the channels of a float graph's activations are like over calibration data, or by what batch
// norms say of them. Inside quantize/ only.
#pragma once

#include <vector>

#include "quantize/options.h"

namespace nibble {

// Of one channel (position along the innermost axis).
struct ChannelStats {
  float min = 0, max = 0;
  double mean = 0, deviation = 0;
  double largest() const;  // max |x|
};

// Per value of the graph and channel, over the first `samples` samples; empty for constants. Error:
// no samples.
Result<std::vector<std::vector<ChannelStats>>> channel_stats(const Graph& graph,
                                                             const CalibrationData& data,
                                                             int64_t samples);

}  // namespace nibble
