// Which channels of a float network can be rescaled without changing what it computes: a channel x
// becomes x / s where every layer that writes it divides its weights and bias by s and every layer
// that reads it multiplies its weights by s. Whatever stands between must commute with the scale
// (relu, pools, pads of zero, sums). Channels that something ties together (the two operands of a
// sum) form a group with one s. For equalize and smooth. Inside quantize/ only.
#pragma once

#include <vector>

#include "quantize/methods/channel_stats.h"
#include "quantize/methods/real_layer.h"

namespace nibble {

class ScaleGroups {
 public:
  // `stats`: channel_stats of the graph, or null. A bounded activation (relu6) commutes with no
  // scale. Where the statistics say that a channel never reaches the bound b (largest value m < b),
  // it may be scaled by any s >= m / b, for which the bound goes on doing nothing; a channel that
  // reaches it, or one that nothing is known of, stays as it is.
  ScaleGroups(const Graph& graph, const std::vector<std::vector<ChannelStats>>* stats);

  size_t count() const { return free_.size(); }
  size_t group(ValueId value, int64_t channel) const {
    return group_[first_[static_cast<size_t>(value)] + static_cast<size_t>(channel)];
  }
  bool free(size_t group) const { return free_[group]; }
  // The smallest s that is allowed; 0: any.
  double least_scale(size_t group) const { return least_[group]; }

 private:
  std::vector<size_t> first_;  // per value, where its channels begin in group_
  std::vector<size_t> group_;
  std::vector<bool> free_;
  std::vector<double> least_;
};

// The layers with every channel of a group divided by its scale; scale 1 for groups that are not
// free. `statistics`, if not null, follow.
void rescale(Graph& graph, std::vector<RealLayer>& layers, const ScaleGroups& groups,
             const std::vector<double>& scales, LayerStatistics* statistics = nullptr);

// max |w| over the weights that write, and that read, the channels of each group; 0 where none do.
// A channel whose weights are nothing beside its bias (training left many such behind a batch norm)
// counts as not written: made as large as what reads it, its bias would be all there is.
struct GroupRanges {
  std::vector<double> written, read;
};
GroupRanges weight_ranges(const Graph& graph, const std::vector<RealLayer>& layers,
                          const ScaleGroups& groups);

}  // namespace nibble
