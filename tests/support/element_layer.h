// Random integer layers that work element by element, for the tests of kernels.
#pragma once

#include "support/weight_layer.h"

namespace nibble {

// Sums and differences of two tensors of one shape, lengths around multiples of a vector; at times
// of equal scales, and with an output that saturates or does not use its range.
inline Result<Layer> random_sum(Rng& rng) {
  Shape shape{rng.integer(1, 3), rng.integer(1, 9), random_channels(rng)};
  QuantParams lhs = random_params(rng, 0.05, 1.5), rhs = random_params(rng, 0.05, 1.5);
  if (rng.next() % 4 == 0) rhs.scale = lhs.scale;
  double scale = static_cast<double>(std::max(lhs.scale[0], rhs.scale[0]));
  QuantParams out = random_params(rng, scale * 2, 1.5);
  std::vector<Tensor> operands{random_s8(rng, shape, lhs), random_s8(rng, shape, rhs)};
  Bounds act = random_act(rng);
  Rounding rounding = random_rounding_mode(rng);
  if (rng.next() % 3 == 0) return make_layer(Sub{act}, std::move(operands), out, rounding);
  return make_layer(Add{act}, std::move(operands), out, rounding);
}

}  // namespace nibble
