// Random integer layers that move elements or change their width, scale or range one by one, for
// the tests of kernels; sums and pools stand in element_layer.h.
#pragma once

#include <numeric>

#include "support/weight_layer.h"

namespace nibble {

inline DType random_activation_dtype(Rng& rng) { return rng.next() % 2 ? DType::kS8 : DType::kS16; }

// Up to `most_rank` axes and a few thousand elements; one axis or two as random_channels.
inline Shape random_shape(Rng& rng, int64_t most_rank) {
  for (;;) {
    Shape shape(static_cast<size_t>(rng.integer(1, most_rank)));
    for (int64_t& extent : shape) extent = rng.integer(1, shape.size() > 3 ? 4 : 10);
    shape[rng.next() % shape.size()] = random_channels(rng);
    if (rng.next() % 2) shape.back() = random_channels(rng);
    if (elem_count(shape) <= 2'000) return shape;
  }
}

inline Result<Layer> random_move(Rng& rng, Op op, DType dtype, Shape shape) {
  Tensor src = random_activation(rng, dtype, std::move(shape));
  std::optional<QuantParams> quant = src.type().quant;
  return make_layer(std::move(op), {std::move(src)}, quant, random_rounding_mode(rng));
}

// Margins on some axes, wider than the tensor at times, filled with what the scale holds or not.
inline Result<Layer> random_pad(Rng& rng) {
  for (;;) {
    Shape shape = random_shape(rng, 4), padded = shape;
    Pad op;
    for (int64_t& extent : padded) {
      op.before.push_back(rng.next() % 2 ? 0 : rng.integer(1, 5));
      op.after.push_back(rng.next() % 2 ? 0 : rng.integer(1, 5));
      extent += op.before.back() + op.after.back();
    }
    if (elem_count(padded) > 6'000) continue;
    const float kValues[] = {0, 1, static_cast<float>(rng.normal()), -INFINITY, 1e6f};
    op.value = kValues[rng.next() % std::size(kValues)];
    return random_move(rng, std::move(op), random_activation_dtype(rng), std::move(shape));
  }
}

// To fewer and to more rows and columns, by all rules; at times to as many.
inline Result<Layer> random_resize_nearest(Rng& rng) {
  Shape shape{rng.next() % 4 ? 1 : 2, rng.integer(1, 9), rng.integer(1, 9), random_channels(rng)};
  ResizeNearest op;
  op.out_h = rng.next() % 4 ? rng.integer(1, 12) : shape[1] * rng.integer(1, 2);
  op.out_w = rng.next() % 4 ? rng.integer(1, 12) : shape[2] * rng.integer(1, 2);
  op.half_pixel_centers = rng.next() % 2;
  op.align_corners = rng.next() % 2;
  return random_move(rng, op, random_activation_dtype(rng), std::move(shape));
}

// As many axes as the kernel has, in any order.
inline Result<Layer> random_transpose(Rng& rng) {
  Shape shape = random_shape(rng, 6);
  Transpose op;
  op.perm.resize(shape.size());
  std::iota(op.perm.begin(), op.perm.end(), 0);
  for (size_t i = shape.size(); i > 1; --i) std::swap(op.perm[i - 1], op.perm[rng.next() % i]);
  return random_move(rng, std::move(op), random_activation_dtype(rng), std::move(shape));
}

// Each axis whole, a run of it, or elements at a distance, at times backwards.
inline Result<Layer> random_slice(Rng& rng) {
  Shape shape = random_shape(rng, 6);
  Slice op;
  for (int64_t extent : shape) {
    const bool whole = rng.next() % 3 == 0;
    int64_t first = whole ? 0 : rng.integer(0, extent - 1);
    int64_t last = whole ? extent - 1 : rng.integer(first, extent - 1);
    int64_t step = whole || rng.next() % 2 ? 1 : rng.integer(1, 3);
    const int64_t count = (last - first) / step + 1;
    last = first + (count - 1) * step;
    const bool backwards = rng.next() % 4 == 0;
    op.begin.push_back(backwards ? last : first);
    op.extent.push_back(count);
    op.step.push_back(backwards ? -step : step);
  }
  return random_move(rng, std::move(op), random_activation_dtype(rng), std::move(shape));
}

// One to four operands along any axis, with the output's parameters or others.
inline Result<Layer> random_concat(Rng& rng) {
  Shape shape = random_shape(rng, 4);
  const DType dtype = random_activation_dtype(rng);
  auto axis = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(shape.size()) - 1));
  std::vector<Tensor> operands{random_activation(rng, dtype, shape)};
  const QuantParams quant = *operands[0].type().quant;
  for (int64_t more = rng.next() % 8 ? rng.integer(1, 3) : 0; more > 0; --more) {
    shape[axis] = rng.integer(1, 10);
    Tensor operand = random_activation(rng, dtype, shape);
    if (rng.next() % 2) operand.set_quant(quant);
    operands.push_back(std::move(operand));
  }
  return make_layer(Concat{static_cast<int64_t>(axis)}, std::move(operands), quant,
                    random_rounding_mode(rng));
}

// random_softmax for s16.
inline Result<Layer> random_softmax_s16(Rng& rng) {
  Shape shape{rng.integer(1, 3), rng.next() % 3 ? random_channels(rng) : rng.integer(100, 400)};
  QuantParams quant = random_s16_params(rng, 0.0005, 4);
  Softmax op{rng.next() % 4 ? 1.0f : static_cast<float>(0.1 + 3 * rng.uniform())};
  return make_layer(op, {random_s16(rng, shape, quant)}, s16_params(1.0f / 32768),
                    random_rounding_mode(rng));
}

// Slopes below and above 1, negative ones and none.
inline Result<Layer> random_leaky_relu_s16(Rng& rng) {
  const float kSlopes[] = {0.01f, 0.3f, 1, 2.5f, -0.4f, 0, static_cast<float>(rng.uniform())};
  QuantParams in = random_s16_params(rng, 0.0005, 1.5), out = random_s16_params(rng, 0.0005, 1.5);
  return make_layer(LeakyRelu{kSlopes[rng.next() % std::size(kSlopes)]},
                    {random_s16(rng, random_shape(rng, 3), in)}, out, random_rounding_mode(rng));
}

// Within one scale, and from one to another.
inline Result<Layer> random_clamp_s16(Rng& rng) {
  QuantParams in = random_s16_params(rng);
  QuantParams out = rng.next() % 2 ? in : random_s16_params(rng);
  return make_layer(Clamp{random_act(rng)}, {random_s16(rng, random_shape(rng, 3), in)}, out,
                    random_rounding_mode(rng));
}

// From s8, s16 or s32 to s8, s16 or s32, as far as there are kernels.
inline Result<Layer> random_requantize(Rng& rng) {
  struct Widths {
    int from, to;
  };
  const Widths kWidths[] = {{8, 8}, {16, 16}, {8, 16}, {16, 8}, {16, 32}, {32, 16}};
  const Widths widths = kWidths[rng.next() % std::size(kWidths)];
  auto params = [&](int bits) {
    if (bits == 8) return random_params(rng);
    if (bits == 16) return random_s16_params(rng);
    QuantParams wide = random_params(rng, 1e-7, 3);
    return QuantParams{wide.scale, {0}, -1, 32, INT32_MIN, INT32_MAX};
  };
  Shape shape = random_shape(rng, 3);
  const QuantParams in = params(widths.from);
  const DType dtype = widths.from == 8 ? DType::kS8 : widths.from == 16 ? DType::kS16 : DType::kS32;
  Tensor src(TensorType{std::move(shape), dtype, in});
  for (int64_t i = 0; i < src.size(); ++i) src.set_integer_at(i, rng.integer(in.q_min, in.q_max));
  return make_layer(Quantize{}, {std::move(src)}, params(widths.to), random_rounding_mode(rng));
}

// random_quantize to s16.
inline Result<Layer> random_quantize_s16(Rng& rng) {
  QuantParams out = random_s16_params(rng, 0.0001, 6);
  if (rng.next() % 4 == 0) out.scale[0] = std::exp2(static_cast<float>(rng.integer(-17, 4)));
  if (rng.next() % 4 == 0) out.q_min = -32767;
  return make_layer(Quantize{}, {random_f32(rng, random_shape(rng, 3))}, out,
                    random_rounding_mode(rng));
}

// Integers to floats at the border of a network.
inline Result<Layer> random_dequantize(Rng& rng) {
  const DType dtype = random_activation_dtype(rng);
  return make_layer(Dequantize{}, {random_activation(rng, dtype, random_shape(rng, 3))},
                    std::nullopt, random_rounding_mode(rng));
}

}  // namespace nibble
