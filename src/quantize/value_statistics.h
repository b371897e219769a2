// From what batch norms know of some values to what follows for the values around them, in closed
// form. Inside quantize/ only.
#pragma once

#include <optional>
#include <span>

#include "quantize/batch_norm_statistics.h"
#include "quantize/methods/real_layer.h"

namespace nibble {

// Mean and deviation of clamp(X, bounds), X normal with this mean and deviation (Nagel et al. 2019,
// appendix C): with a = (min - m) / s, b = (max - m) / s, phi and Phi of the standard normal,
//   E[Y]   = min Phi(a) + max (1 - Phi(b)) + m (Phi(b) - Phi(a)) + s (phi(a) - phi(b))
//   E[Y^2] = min^2 Phi(a) + max^2 (1 - Phi(b)) + (m^2 + s^2) (Phi(b) - Phi(a))
//            + s ((m + min) phi(a) - (m + max) phi(b)).
struct Moments {
  double mean = 0, deviation = 0;
};
Moments clipped_normal(const Moments& normal, const Bounds& bounds);

// Per output channel, the sum over the layer's taps of w E[x], `means` of each input channel. A tap
// that padding leaves without an input at some positions counts with the share of the others.
std::vector<double> expected_sums(const Graph& graph, const RealLayer& layer,
                                  std::span<const float> weights, std::span<const double> means);

// Per value of the graph, after its activation; nothing where nothing is known (behind max pools,
// products of two activations, inputs, constants). All positions of a channel count as alike. Means
// are exact where they are, and where channels are normal before their activations; deviations take
// summands as independent, and a mean over positions as no narrower than its positions, which is an
// upper bound.
using ValueStatistics = std::vector<std::optional<ChannelStatistics>>;
ValueStatistics value_statistics(const Graph& graph, const LayerStatistics& layers);

}  // namespace nibble
