// Random integer layers with weights (conv2d, depthwise_conv2d, dense) and windows for them, at the
// extents where kernels go wrong. For the tests of ops/ and kernels/.
#pragma once

#include "support/layer.h"

namespace nibble {

// 1 to 10, and the neighbours of multiples of 4, 8 and 16, where blocks of channels end.
inline int64_t random_channels(Rng& rng) {
  const int64_t kEdges[] = {3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33};
  return rng.next() % 2 ? rng.integer(1, 10) : kEdges[rng.next() % std::size(kEdges)];
}

// None, relu, relu6, a band that clips both sides, one above everything the output can hold.
inline Bounds random_act(Rng& rng) {
  const Bounds kBounds[] = {{}, {}, {0, INFINITY}, {0, 6}, {-0.5f, 0.7f}, {1e6f, 2e6f}};
  return kBounds[rng.next() % std::size(kBounds)];
}

inline Rounding random_rounding_mode(Rng& rng) {
  return rng.next() % 4 ? Rounding::kTflite : Rounding::kSingle;
}

// Strides and dilations 1 to 3 (mostly 1), padding from none to more than the kernel.
inline Window random_window(Rng& rng, int64_t k_h, int64_t k_w) {
  auto mostly_one = [&] { return rng.next() % 2 ? 1 : rng.integer(1, 3); };
  auto pad = [&](int64_t k) {
    switch (rng.next() % 4) {
      case 0:
        return int64_t{0};
      case 1:
        return k / 2;
      default:
        return rng.integer(0, k + 1);
    }
  };
  Window window;
  window.stride_h = mostly_one();
  window.stride_w = mostly_one();
  window.dilation_h = mostly_one();
  window.dilation_w = mostly_one();
  window.pad_top = pad(k_h);
  window.pad_left = pad(k_w);
  window.pad_bottom = pad(k_h);
  window.pad_right = pad(k_w);
  return window;
}

// Symmetric s8 weights along `axis`, per channel or per tensor. At times all of a channel's are
// zero, so that its output is one constant.
inline Tensor random_filter(Rng& rng, Shape shape, int axis) {
  bool per_channel = rng.next() % 3 != 0;
  auto channels = static_cast<size_t>(per_channel ? shape[static_cast<size_t>(axis)] : 1);
  QuantParams quant{{}, std::vector<int32_t>(channels, 0), per_channel ? axis : -1, 8, -127, 127};
  for (size_t i = 0; i < channels; ++i)
    quant.scale.push_back(static_cast<float>(0.01 * std::pow(10, rng.uniform() - 0.5)));
  Tensor filter(TensorType{std::move(shape), DType::kS8, quant});
  for (int8_t& elem : filter.mutable_data<int8_t>())
    elem = static_cast<int8_t>(rng.integer(-127, 127));
  if (rng.next() % 4 != 0) return filter;
  const Shape& extents = filter.type().shape;
  const auto at = static_cast<size_t>(axis);
  const int64_t silent = rng.integer(0, extents[at] - 1);
  const int64_t inner = elem_count(Shape(extents.begin() + axis + 1, extents.end()));
  for (int64_t i = 0; i < filter.size(); ++i)
    if (i / inner % extents[at] == silent) filter.set_integer_at(i, 0);
  return filter;
}

// Bias of the size of some taps; at times so large that it alone saturates.
inline Tensor random_bias(Rng& rng, int64_t channels) {
  int64_t reach = rng.next() % 8 ? 20'000 : 200'000'000;
  Tensor bias(TensorType{{channels}, DType::kS32, std::nullopt});
  for (int32_t& elem : bias.mutable_data<int32_t>())
    elem = static_cast<int32_t>(rng.integer(-reach, reach));
  return bias;
}

// The same for s16 activations: mostly s64, at times beyond what 32 bits hold.
inline Tensor random_wide_bias(Rng& rng, int64_t channels) {
  bool wide = rng.next() % 4 != 0;
  int64_t reach = rng.next() % 8 ? 5'000'000 : wide ? int64_t{1} << 40 : 1'000'000'000;
  Tensor bias(TensorType{{channels}, wide ? DType::kS64 : DType::kS32, std::nullopt});
  for (int64_t i = 0; i < channels; ++i) bias.set_integer_at(i, rng.integer(-reach, reach));
  return bias;
}

// The layer of `op` on these operands, bias present three times out of four. `taps` is the number
// of products per output: the output scale lies around the spread of their sum, from far too small
// (saturates) to far too large (all the zero point), so that exponents take both signs.
template <class T>
Result<Layer> random_weight_layer(Rng& rng, const T& op, Tensor src, Tensor filter,
                                  int64_t channels, int64_t taps) {
  bool wide = src.dtype() == DType::kS16;
  double spread = static_cast<double>(src.type().quant->scale[0]) *
                  static_cast<double>(filter.type().quant->scale[0]) * (wide ? 18'000 : 70) * 70 *
                  std::sqrt(static_cast<double>(taps));
  QuantParams out = wide ? random_s16_params(rng, spread / 16'000, rng.next() % 4 ? 1 : 6)
                         : random_params(rng, spread / 64, rng.next() % 4 ? 1 : 6);
  std::vector<Tensor> operands{std::move(src), std::move(filter)};
  if (rng.next() % 4)
    operands.push_back(wide ? random_wide_bias(rng, channels) : random_bias(rng, channels));
  return make_layer(op, std::move(operands), out, random_rounding_mode(rng), {false, true, true});
}

inline Result<Layer> random_conv2d_of(DType dtype, Rng& rng) {
  Conv2d op;
  int64_t k_h = rng.integer(1, 5), k_w = rng.integer(1, 5);
  op.groups = rng.next() % 3 ? 1 : rng.integer(1, 4);
  int64_t group_in = random_channels(rng), group_out = random_channels(rng);
  if (op.groups > 1) group_in = rng.integer(1, 5), group_out = rng.integer(1, 9);
  op.window = random_window(rng, k_h, k_w);
  op.act = random_act(rng);
  Shape src{rng.next() % 8 ? 1 : 2, rng.integer(1, 10), rng.integer(1, 10), group_in * op.groups};
  return random_weight_layer(rng, op, random_activation(rng, dtype, src),
                             random_filter(rng, {group_out * op.groups, k_h, k_w, group_in}, 0),
                             group_out * op.groups, k_h * k_w * group_in);
}

inline Result<Layer> random_conv2d(Rng& rng) { return random_conv2d_of(DType::kS8, rng); }
inline Result<Layer> random_conv2d_s16(Rng& rng) { return random_conv2d_of(DType::kS16, rng); }

inline Result<Layer> random_depthwise_conv2d_of(DType dtype, Rng& rng) {
  DepthwiseConv2d op;
  int64_t k_h = rng.integer(1, 5), k_w = rng.integer(1, 5);
  int64_t channels = random_channels(rng), multiplier = rng.next() % 3 ? 1 : rng.integer(1, 4);
  op.window = random_window(rng, k_h, k_w);
  op.act = random_act(rng);
  Shape src{rng.next() % 8 ? 1 : 2, rng.integer(1, 10), rng.integer(1, 10), channels};
  return random_weight_layer(rng, op, random_activation(rng, dtype, src),
                             random_filter(rng, {1, k_h, k_w, channels * multiplier}, 3),
                             channels * multiplier, k_h * k_w);
}

// Windows as wide as the image, as those over time are, and those over a whole image.
inline Result<Layer> random_depthwise_columns(Rng& rng) {
  DepthwiseConv2d op;
  op.act = random_act(rng);
  const int64_t k_h = rng.integer(1, 12), k_w = rng.next() % 2 ? 1 : rng.integer(1, 5);
  const int64_t channels = rng.next() % 4 ? 4 * rng.integer(1, 12) : random_channels(rng);
  op.window.stride_h = rng.integer(1, 3);
  const int64_t in_h = k_h + rng.integer(0, 8);
  return random_weight_layer(rng, op, random_activation(rng, DType::kS8, {1, in_h, k_w, channels}),
                             random_filter(rng, {1, k_h, k_w, channels}, 3), channels, k_h * k_w);
}

inline Result<Layer> random_depthwise_conv2d(Rng& rng) {
  return random_depthwise_conv2d_of(DType::kS8, rng);
}
inline Result<Layer> random_depthwise_conv2d_s16(Rng& rng) {
  return random_depthwise_conv2d_of(DType::kS16, rng);
}

inline Result<Layer> random_dense_of(DType dtype, Rng& rng) {
  // Rows of s16 above some 500 elements may leave 32 bits.
  int64_t in_len =
      rng.next() % 4 ? random_channels(rng) : rng.integer(40, dtype == DType::kS16 ? 700 : 300);
  int64_t out_len = random_channels(rng);
  Shape src{in_len};
  if (rng.next() % 2) src.insert(src.begin(), rng.integer(1, 4));
  if (rng.next() % 4 == 0) src.insert(src.begin(), rng.integer(1, 3));
  return random_weight_layer(rng, Dense{random_act(rng)}, random_activation(rng, dtype, src),
                             random_filter(rng, {out_len, in_len}, 0), out_len, in_len);
}
inline Result<Layer> random_dense(Rng& rng) { return random_dense_of(DType::kS8, rng); }
inline Result<Layer> random_dense_s16(Rng& rng) { return random_dense_of(DType::kS16, rng); }

// Expects that `q` is act(acc * factor of channel) on the output's scale, but for the rounding:
// half a step where the factor is 1, and up to half of the last bit that the right shift drops
// more. Bounds are exact.
inline void expect_rescaled(const Layer& layer, int64_t acc, int64_t channel, const Bounds& act,
                            int64_t q) {
  const QuantParams& filter = *layer.operands[1].type().quant;
  const QuantParams& out = *layer.out_type().quant;
  double factor = static_cast<double>(layer.operands[0].type().quant->scale[0]) *
                  static_cast<double>(
                      filter.scale[filter.scale.size() == 1 ? 0 : static_cast<size_t>(channel)]) /
                  static_cast<double>(out.scale[0]);
  auto bound = [&](float real, double none) {
    if (std::isinf(real)) return none;
    double q_bound = std::round(real / out.scale[0]) + out.zero_point[0];
    return std::clamp(q_bound, -128.0, 127.0);
  };
  double low = bound(act.min, -128), high = bound(act.max, 127);
  double exact = static_cast<double>(acc) * factor + out.zero_point[0];
  double clamped = std::clamp(exact, low, high);
  // The multiplier has 31 bits; a float product of scales (dense per tensor) has 24.
  double slack = 0.5 + 0.5 * std::min(1.0, 2 * factor) + std::abs(exact) * 0x1p-23;
  EXPECT_LE(std::abs(static_cast<double>(q) - clamped), std::min(slack, 1.0) + 1e-9)
      << "acc " << acc << " factor " << factor << " exact " << exact;
  EXPECT_GE(static_cast<double>(q), low);
  EXPECT_LE(static_cast<double>(q), high);
}

// Calls visit(layer) for `wanted` valid layers; those that `draw` gives and verify refuses do not
// count.
template <class Draw, class Visit>
void for_valid_layers(Rng rng, int wanted, Draw draw, Visit visit) {
  int valid = 0;
  for (int i = 0; i < 5 * wanted && valid < wanted; ++i) {
    Result<Layer> layer = draw(rng);
    if (!layer.ok()) continue;
    ++valid;
    visit(*layer);
  }
  EXPECT_EQ(valid, wanted);
}

// Element `index` of the operand src, less its zero point.
inline int64_t centred_src(const Layer& layer, int64_t index) {
  const Tensor& src = layer.operands[0];
  return src.integer_at(index) - src.type().quant->zero_point[0];
}

// Expects that about 50 outputs of a convolution are its definition: bias plus the sum over the
// taps inside the image of tap(pixel, ky, kx, o), in exact integers, and one real factor. `pixel`
// is the index of the tap's channel 0 in src.
template <class Op, class Tap>
void expect_convolution(const Layer& layer, const Op& op, Tap tap) {
  Tensor out = layer.run();
  const Window& window = op.window;
  const Shape &in = layer.operands[0].shape(), &f = layer.operands[1].shape(), &dst = out.shape();
  for (int64_t index = 0; index < out.size(); index += 1 + out.size() / 50) {
    int64_t o = index % dst[3], ox = index / dst[3] % dst[2], oy = index / dst[3] / dst[2] % dst[1],
            n = index / (dst[1] * dst[2] * dst[3]);
    int64_t acc = layer.operands.size() > 2 ? layer.operands[2].integer_at(o) : 0;
    for (int64_t ky = 0; ky < f[1]; ++ky)
      for (int64_t kx = 0; kx < f[2]; ++kx) {
        int64_t y = oy * window.stride_h + ky * window.dilation_h - window.pad_top;
        int64_t x = ox * window.stride_w + kx * window.dilation_w - window.pad_left;
        if (y < 0 || y >= in[1] || x < 0 || x >= in[2]) continue;
        acc += tap(((n * in[1] + y) * in[2] + x) * in[3], ky, kx, o);
      }
    expect_rescaled(layer, acc, o, op.act, out.integer_at(index));
  }
}

}  // namespace nibble
