// What batch norms know of the values inside a network, without any data: training left the mean
// and variance of what each of them reads, and its parameters say the same of what it writes. Part
// of the public header quantize/quantize.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// Per channel (position along the innermost axis).
struct ChannelStatistics {
  std::vector<double> mean, deviation;
};

// By the name of a value in a simplified graph: of what its node computes before its activation, or
// of an input. Channels are taken as normally distributed (Nagel et al. 2019, section 4.2.1).
using LayerStatistics = std::map<std::string, ChannelStatistics, std::less<>>;

// The statistics in `imported`, the float graph as a reader gave it, for the values of
// `simplified`, which simplify() made of it. A batch norm with parameters gamma, beta, mean,
// variance says that
//   what it reads  has the mean `mean` and the deviation sqrt(variance),
//   what it writes has the mean beta   and the deviation |gamma| sqrt(variance / (variance +
//   epsilon)).
// Passes fold it away, move axes, and remove and merge channels. So nothing is taken by name alone:
// both graphs are run on random inputs, and a channel gets the statistics of that channel of the
// batch norm whose values it has. A value with a channel that has none gets no statistics. Empty:
// the model has no batch norms (any more), or none that can be told apart from the layers beside
// it.
LayerStatistics batch_norm_statistics(const Graph& imported, const Graph& simplified);

// The error where a model has no statistics and `what` needs them; says what to do.
Error no_statistics(const std::string& model, const std::string& what);

}  // namespace nibble
