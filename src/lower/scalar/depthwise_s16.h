// depthwise_conv2d_s16s8 on cores without SIMD and on cores with RISC-V vectors: a few neighbouring
// pixels by one channel, or by the lanes of a vector, whose windows are read in place
// (kernels/depthwise_conv2d/depthwise_conv2d_s16s8_records.h). Each instruction set brings its
// kernel.
#pragma once

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

// What the text of a kernel depends on.
struct DepthwiseShape16 {
  int pixels = 1, lanes = 1, in_c = 1, k_h = 3, k_w = 3, stride_w = 1;
  int dilation_w = 1, low = -32768, high = 32767;

  int columns() const { return (pixels - 1) * stride_w + (k_w - 1) * dilation_w + 1; }
  // The tap of a pixel's window that a column of the block is; -1 if it is none.
  int tap_at(int column, int pixel) const {
    int distance = column - pixel * stride_w;
    if (distance < 0 || distance % dilation_w != 0) return -1;
    return distance / dilation_w < k_w ? distance / dilation_w : -1;
  }
  int taps() const { return k_h * k_w; }
  int column_bytes() const { return 2 * in_c; }
  int weight_bytes() const { return (taps() * lanes + 3) / 4 * 4; }
};

struct DepthwiseKernel16 {
  Assembly code;
  double cycles_per_record = 0;
};

struct DepthwiseCore16 {
  std::string isa, condition;
  std::vector<int> lanes = {1};
  // The kernel (src, stream, dst, row_bytes, stream_end); nothing if the shape is out of its reach.
  std::optional<DepthwiseKernel16> (*kernel)(const DepthwiseShape16& shape) = nullptr;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> depthwise_s16(const LayerView& layer, const DepthwiseCore16& core);

}  // namespace nibble
