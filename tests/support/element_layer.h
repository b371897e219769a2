// Random integer layers without weights: sums and pools, for the tests of kernels.
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

// Averages over windows of up to 6 x 6 taps, at times over the whole image.
inline Result<Layer> random_avg_pool2d(Rng& rng) {
  AvgPool2d op;
  Shape src{rng.next() % 8 ? 1 : 2, rng.integer(1, 16), rng.integer(1, 16), random_channels(rng)};
  op.k_h = rng.integer(1, 6), op.k_w = rng.integer(1, 6);
  if (rng.next() % 4 == 0) {
    op.k_h = src[1], op.k_w = src[2];
  } else {
    op.window = random_window(rng, op.k_h, op.k_w);
  }
  op.count_pad = rng.next() % 2;
  op.act = random_act(rng);
  QuantParams quant = random_params(rng);
  return make_layer(op, {random_s8(rng, src, quant)}, quant, random_rounding_mode(rng));
}

// random_sum for s16.
inline Result<Layer> random_sum_s16(Rng& rng) {
  Shape shape{rng.integer(1, 3), rng.integer(1, 9), random_channels(rng)};
  QuantParams lhs = random_s16_params(rng, 0.0005, 1.5), rhs = random_s16_params(rng, 0.0005, 1.5);
  if (rng.next() % 4 == 0) rhs.scale = lhs.scale;
  double scale = static_cast<double>(std::max(lhs.scale[0], rhs.scale[0]));
  QuantParams out = random_s16_params(rng, scale * 2, 1.5);
  std::vector<Tensor> operands{random_s16(rng, shape, lhs), random_s16(rng, shape, rhs)};
  Bounds act = random_act(rng);
  Rounding rounding = random_rounding_mode(rng);
  if (rng.next() % 3 == 0) return make_layer(Sub{act}, std::move(operands), out, rounding);
  return make_layer(Add{act}, std::move(operands), out, rounding);
}

inline Result<Layer> random_mul_s16(Rng& rng) {
  Shape shape{rng.integer(1, 3), rng.integer(1, 9), random_channels(rng)};
  QuantParams lhs = random_s16_params(rng), rhs = random_s16_params(rng);
  double scale = static_cast<double>(lhs.scale[0]) * static_cast<double>(rhs.scale[0]) * 20'000;
  QuantParams out = random_s16_params(rng, scale, 1.5);
  std::vector<Tensor> operands{random_s16(rng, shape, lhs), random_s16(rng, shape, rhs)};
  return make_layer(Mul{random_act(rng)}, std::move(operands), out, random_rounding_mode(rng));
}

template <class Pool>
Result<Layer> random_pool_s16(Rng& rng) {
  Pool op;
  Shape src{rng.next() % 8 ? 1 : 2, rng.integer(1, 16), rng.integer(1, 16), random_channels(rng)};
  op.k_h = rng.integer(1, 6), op.k_w = rng.integer(1, 6);
  if (rng.next() % 4 == 0) {
    op.k_h = src[1], op.k_w = src[2];
  } else {
    op.window = random_window(rng, op.k_h, op.k_w);
  }
  if constexpr (requires { op.count_pad; }) op.count_pad = rng.next() % 2;
  op.act = random_act(rng);
  QuantParams quant = random_s16_params(rng);
  return make_layer(op, {random_s16(rng, src, quant)}, quant, random_rounding_mode(rng));
}

}  // namespace nibble
