// conv2d_s16s8 and dense_s16s8 on cores without SIMD: blocks of pixels by output channels
// (kernels/conv2d/conv2d_s16s8_groups.h), so that each load of an element and of a weight serves
// several multiply-accumulates. Each instruction set brings its inner function, which gives the
// sums.
#pragma once

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

struct GroupsKernel {
  int pixels = 1, lanes = 8;
  bool unsigned_weights = false;
  // `body` is a whole nibble_groups_s16_block, with vectors, of the short form only.
  bool whole_block = false;
  Assembly body;
  double cycles_per_step = 0;  // of four elements of the block's windows
  double cycles_per_call = 0;
  double cycles_per_output = 0;
};

struct GroupsCore {
  std::string isa;
  std::string condition;
  std::vector<GroupsKernel> kernels;
  double cycles_per_gathered = 1;  // element
  CostFit fit;
  int bytes_per_instruction = 4;
};

// Of a layer of conv2d_s16s8, dense_s16s8, or depthwise_conv2d_s16s8 of one input channel.
std::vector<KernelVariant> groups_s16(const LayerView& layer, const GroupsCore& core);

// A layer of those families as a convolution without groups.
struct GroupsLayer {
  std::string op;  // "conv2d"
  int batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1, k_h = 1, k_w = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  std::vector<int8_t> filter;  // [out_c][taps]
  std::span<const int64_t> bias;
  std::span<const int32_t> multiplier;
  std::span<const int8_t> exponent;
  int low = -32768, high = 32767;
  int64_t rounding = 0;
  bool takes_rows = true;

  static std::optional<GroupsLayer> of(const LayerView& layer);
  int taps() const { return k_h * k_w * in_c; }
  int len(int step) const { return (taps() + step - 1) / step * step; }
  // The windows of whole steps lie side by side in the source.
  bool in_place(int step) const;
  int64_t start(int channel) const { return bias.empty() ? 0 : bias[size_t(channel)]; }
  int weight(int channel, int tap) const {
    if (channel >= out_c || tap >= taps()) return 0;
    return filter[static_cast<size_t>(channel) * static_cast<size_t>(taps()) +
                  static_cast<size_t>(tap)];
  }
  // (acc * doubled + 2^31) >> 32 for all channels, doubled being even.
  bool is_short() const;
  uint32_t doubled(int channel) const;
  // Of elements whose products' sum fits 32 bits whatever they are, a multiple of `step`: at most
  // len(step), 0 if there is none. `with_start`: together with the start value.
  int segment(int step, bool with_start) const;
  std::string window_fields() const;
  std::vector<AccessStep> progress(int pixels, bool reads_first) const;
};

}  // namespace nibble
