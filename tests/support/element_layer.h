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

// Two shapes of which one is repeated along axes of the other: along all but the channels, along
// the channels, whole, along some of both.
inline std::pair<Shape, Shape> random_broadcast_shapes(Rng& rng) {
  int64_t h = rng.integer(1, 5), w = rng.integer(1, 9), c = random_channels(rng);
  const Shape whole{1, h, w, c};
  const std::pair<Shape, Shape> kPairs[] = {
      {whole, {1, 1, 1, c}}, {whole, {1, 1, 1, c}}, {whole, {c}},
      {whole, {1, h, w, 1}}, {whole, {1, 1, 1, 1}}, {{1, 1, w, c}, {1, h, 1, c}},
      {whole, {1, h, 1, c}}, {whole, {1, h, 1, 1}}, {{1, h, 1, c}, {1, h, w, 1}}};
  std::pair<Shape, Shape> shapes = kPairs[rng.next() % std::size(kPairs)];
  if (rng.next() % 3 == 0) std::swap(shapes.first, shapes.second);
  return shapes;
}

// Products, of equal shapes and not; outputs from such that saturate to such that are nearly zero.
inline Result<Layer> random_mul(Rng& rng) {
  std::pair<Shape, Shape> shapes = random_broadcast_shapes(rng);
  if (rng.next() % 3 == 0) shapes.second = shapes.first;
  QuantParams lhs = random_params(rng), rhs = random_params(rng);
  double scale = static_cast<double>(lhs.scale[0]) * static_cast<double>(rhs.scale[0]) * 100;
  QuantParams out = random_params(rng, scale, 3);
  std::vector<Tensor> operands{random_s8(rng, shapes.first, lhs),
                               random_s8(rng, shapes.second, rhs)};
  return make_layer(Mul{random_act(rng)}, std::move(operands), out, random_rounding_mode(rng));
}

// random_sum with repeated operands.
inline Result<Layer> random_broadcast_sum(Rng& rng) {
  std::pair<Shape, Shape> shapes = random_broadcast_shapes(rng);
  QuantParams lhs = random_params(rng, 0.05, 1.5), rhs = random_params(rng, 0.05, 1.5);
  if (rng.next() % 4 == 0) rhs.scale = lhs.scale;
  double scale = static_cast<double>(std::max(lhs.scale[0], rhs.scale[0]));
  QuantParams out = random_params(rng, scale * 2, 1.5);
  std::vector<Tensor> operands{random_s8(rng, shapes.first, lhs),
                               random_s8(rng, shapes.second, rhs)};
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

// One operand repeated: along rows and columns (squeeze and excite), along all but the channels, or
// one element for all channels.
template <class Op>
Result<Layer> random_broadcast_s16(Rng& rng) {
  Shape shape{rng.integer(1, 3), rng.integer(1, 5), rng.integer(1, 6), random_channels(rng)};
  const Shape kRepeated[] = {{shape[0], 1, 1, shape[3]},
                             {shape[0], 1, 1, shape[3]},
                             {shape[3]},
                             {shape[0], 1, shape[2], shape[3]},
                             {shape[0], shape[1], shape[2], 1}};
  Shape repeated = kRepeated[rng.next() % std::size(kRepeated)];
  bool sum = std::is_same_v<Op, Add>;
  QuantParams lhs = random_s16_params(rng, 0.0005, 1.5), rhs = random_s16_params(rng, 0.0005, 1.5);
  double left = static_cast<double>(lhs.scale[0]), right = static_cast<double>(rhs.scale[0]);
  QuantParams out =
      random_s16_params(rng, sum ? 2 * std::max(left, right) : left * right * 20'000, 1.5);
  bool swapped = rng.next() % 2;
  std::vector<Tensor> operands{random_s16(rng, swapped ? repeated : shape, lhs),
                               random_s16(rng, swapped ? shape : repeated, rhs)};
  return make_layer(Op{random_act(rng)}, std::move(operands), out, random_rounding_mode(rng));
}

// random_mean for s16.
inline Result<Layer> random_mean_s16(Rng& rng) {
  Shape src{rng.next() % 4 ? 1 : 2, rng.integer(1, 19), rng.integer(1, 19), random_channels(rng)};
  const std::vector<int64_t> kAxes[] = {{1, 2}, {1, 2}, {1, 2}, {1}, {2}, {3}, {1, 3}, {0, 2}};
  Mean op{kAxes[rng.next() % std::size(kAxes)], rng.next() % 2 == 0};
  QuantParams in = random_s16_params(rng, 0.0005, 1), out = random_s16_params(rng, 0.0002, 2);
  return make_layer(op, {random_s16(rng, src, in)}, out, random_rounding_mode(rng));
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

// Maxima over windows of up to 5 x 5 taps, at times over the whole image.
inline Result<Layer> random_max_pool2d(Rng& rng) {
  MaxPool2d op;
  Shape src{rng.next() % 8 ? 1 : 2, rng.integer(1, 16), rng.integer(1, 16), random_channels(rng)};
  op.k_h = rng.integer(1, 5), op.k_w = rng.integer(1, 5);
  if (rng.next() % 8 == 0) {
    op.k_h = src[1], op.k_w = src[2];
  } else {
    op.window = random_window(rng, op.k_h, op.k_w);
  }
  op.act = random_act(rng);
  QuantParams quant = random_params(rng);
  return make_layer(op, {random_s8(rng, src, quant)}, quant, random_rounding_mode(rng));
}

// Means over the image, over channels, over other axes.
inline Result<Layer> random_mean(Rng& rng) {
  Shape src{rng.next() % 4 ? 1 : 2, rng.integer(1, 19), rng.integer(1, 19), random_channels(rng)};
  const std::vector<int64_t> kAxes[] = {{1, 2}, {1, 2}, {1, 2}, {1}, {2}, {3}, {1, 3}, {0, 2}};
  Mean op{kAxes[rng.next() % std::size(kAxes)], rng.next() % 2 == 0};
  QuantParams in = random_params(rng, 0.05, 1), out = random_params(rng, 0.02, 2);
  return make_layer(op, {random_s8(rng, src, in)}, out, random_rounding_mode(rng));
}

// Scales from those at which all elements share alike to those at which the largest takes all.
inline Result<Layer> random_softmax(Rng& rng) {
  Shape src{rng.integer(1, 3), rng.next() % 3 ? rng.integer(1, 20) : rng.integer(100, 400)};
  QuantParams quant = random_params(rng, 0.1, 4);
  Softmax op{rng.next() % 4 ? 1.0f : static_cast<float>(0.1 + 3 * rng.uniform())};
  return make_layer(op, {random_s8(rng, src, quant)}, s8_params(1.0f / 256, -128),
                    random_rounding_mode(rng));
}

// Functions of one element: from a table, from one scale to another, clamped, beside others of
// other scales; a few elements and many more than a vector.
inline Result<Layer> random_unary(Rng& rng) {
  Shape shape{1, rng.integer(1, 20), random_channels(rng)};
  QuantParams in = random_params(rng), out = random_params(rng);
  Rounding rounding = random_rounding_mode(rng);
  std::vector<Tensor> operands{random_s8(rng, shape, in)};
  switch (rng.next() % 6) {
    case 4: {
      int64_t axis = rng.integer(1, 2);
      shape[static_cast<size_t>(axis)] = random_channels(rng);
      operands.push_back(random_s8(rng, shape, random_params(rng)));
      return make_layer(Concat{axis}, std::move(operands), out, rounding);
    }
    case 0:
      return make_layer(Tanh{}, std::move(operands), s8_params(1.0f / 128, 0), rounding);
    case 1:
      return make_layer(HardSwish{}, std::move(operands), out, rounding);
    case 2:
      return make_layer(Clamp{random_act(rng)}, std::move(operands), in, rounding);
    case 3:
      return make_layer(Clamp{random_act(rng)}, std::move(operands), out, rounding);
    default:
      return make_layer(Quantize{}, std::move(operands), out, rounding);
  }
}

// Floats at the border of a network, with all kinds of scales.
inline Result<Layer> random_quantize(Rng& rng) {
  QuantParams out = random_params(rng, 0.02, 6);
  if (rng.next() % 4 == 0) out.scale[0] = std::exp2(static_cast<float>(rng.integer(-9, 4)));
  if (rng.next() % 4 == 0) out.q_min = -127;
  Shape shape{1, rng.integer(1, 9), random_channels(rng)};
  return make_layer(Quantize{}, {random_f32(rng, shape)}, out, random_rounding_mode(rng));
}

}  // namespace nibble
