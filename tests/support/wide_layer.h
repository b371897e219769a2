// Random layers with weights whose extents are large where those of weight_layer.h are small: many
// channels, long rows, dilations and strides beyond the reach of immediates, windows as large as
// the image. Their offsets leave 8, 12 and 16 bits.
#pragma once

#include "support/weight_layer.h"

namespace nibble {

constexpr int64_t kMostWideWeights = 12'000, kMostWideElems = 5'000;

// The neighbours of powers of two, and what is none.
inline int64_t wide_extent(Rng& rng, int64_t most) {
  const int64_t kEdges[] = {63,  64,  65,  127, 128,  129,  148,  232,  255,  256,  257,
                            500, 511, 513, 819, 1000, 1023, 1025, 1364, 2047, 2049, 4097};
  int64_t extent = kEdges[rng.next() % std::size(kEdges)];
  return extent <= most ? extent
                        : rng.integer(std::max<int64_t>(1, most / 2), std::max<int64_t>(1, most));
}

inline DType wide_dtype(Rng& rng) { return rng.next() % 3 ? DType::kS8 : DType::kS16; }

// A window that covers the image, or two of three rows of it.
inline Result<Layer> wide_depthwise_window(Rng& rng) {
  DepthwiseConv2d op;
  op.act = random_act(rng);
  const int64_t k_h = rng.integer(1, 7), k_w = rng.integer(1, 7);
  const int64_t channels = wide_extent(rng, kMostWideElems / (k_h * k_w));
  op.window.stride_h = rng.integer(1, 3);
  Shape src{1, k_h + rng.integer(0, 1), k_w, channels};
  return random_weight_layer(rng, op, random_activation(rng, wide_dtype(rng), src),
                             random_filter(rng, {1, k_h, k_w, channels}, 3), channels, k_h * k_w);
}

// Long rows, dilated or with large steps, of few channels.
template <class Convolution>
Result<Layer> wide_rows(Rng& rng) {
  constexpr bool kDepthwise = std::is_same_v<Convolution, DepthwiseConv2d>;
  Convolution op;
  op.act = random_act(rng);
  const int64_t k_h = rng.integer(1, 2), k_w = rng.integer(1, 5), channels = rng.integer(1, 6);
  op.window.dilation_w = rng.next() % 2 ? rng.integer(1, 4) : rng.integer(16, 150);
  op.window.stride_w = rng.next() % 3 ? 1 : rng.integer(2, 40);
  op.window.pad_left = rng.next() % 2 ? 0 : rng.integer(1, k_w * op.window.dilation_w);
  op.window.pad_right = rng.next() % 2 ? 0 : rng.integer(1, k_w * op.window.dilation_w);
  const int64_t reach = (k_w - 1) * op.window.dilation_w + 1,
                most = kMostWideElems / (channels * k_h);
  Shape src{1, k_h, std::min(most, reach + rng.integer(0, 200)), channels};
  const int64_t out = kDepthwise ? channels : rng.integer(1, 9);
  Shape filter = kDepthwise ? Shape{1, k_h, k_w, channels} : Shape{out, k_h, k_w, channels};
  return random_weight_layer(rng, op, random_activation(rng, wide_dtype(rng), src),
                             random_filter(rng, filter, kDepthwise ? 3 : 0), out,
                             k_h * k_w * (kDepthwise ? 1 : channels));
}

// Many input or many output channels.
inline Result<Layer> wide_conv2d(Rng& rng) {
  Conv2d op;
  op.act = random_act(rng);
  const int64_t k_h = rng.integer(1, 3), k_w = rng.integer(1, 3), taps = k_h * k_w;
  op.window = random_window(rng, k_h, k_w);
  Shape src{1, rng.integer(1, 3), rng.integer(1, 3), 0};
  src[3] = wide_extent(rng, std::min(kMostWideElems / (src[1] * src[2]), kMostWideWeights / taps));
  int64_t out = wide_extent(rng, kMostWideWeights / (taps * src[3]));
  if (rng.next() % 2) std::swap(src[3], out);
  return random_weight_layer(rng, op, random_activation(rng, wide_dtype(rng), src),
                             random_filter(rng, {out, k_h, k_w, src[3]}, 0), out, taps * src[3]);
}

inline Result<Layer> wide_dense(Rng& rng) {
  int64_t in_len = wide_extent(rng, kMostWideWeights),
          out_len = wide_extent(rng, kMostWideWeights / in_len);
  if (rng.next() % 2) std::swap(in_len, out_len);
  return random_weight_layer(rng, Dense{random_act(rng)},
                             random_activation(rng, wide_dtype(rng), {rng.integer(1, 2), in_len}),
                             random_filter(rng, {out_len, in_len}, 0), out_len, in_len);
}

inline Result<Layer> random_wide_layer(Rng& rng) {
  switch (rng.next() % 5) {
    case 0:
      return wide_depthwise_window(rng);
    case 1:
      return wide_rows<DepthwiseConv2d>(rng);
    case 2:
      return wide_rows<Conv2d>(rng);
    case 3:
      return wide_conv2d(rng);
    default:
      return wide_dense(rng);
  }
}

}  // namespace nibble
