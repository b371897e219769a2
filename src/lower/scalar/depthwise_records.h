// depthwise_conv2d_s8 and depthwise_conv2d_s16s8 on cores without SIMD, and the latter on cores
// with RISC-V vectors: a few neighbouring pixels by one channel, or by the lanes of a vector, whose
// windows are read in place (kernels/depthwise_conv2d/depthwise_conv2d_records.h). Each instruction
// set brings its kernel.
#pragma once

#include "lower/scalar/rescale.h"

namespace nibble {

// What the text of a kernel depends on.
struct RecordsShape {
  int pixels = 1, lanes = 1, k_h = 3, k_w = 3, stride_w = 1, dilation_w = 1;
  int elem_bytes = 1;
  int pixel_bytes = 0;    // of the image; 0: the kernel's last argument says it
  RescaleStage stage;     // of s8
  int low = 0, high = 0;  // of s16

  bool wide() const { return elem_bytes == 2; }
  int columns() const { return (pixels - 1) * stride_w + (k_w - 1) * dilation_w + 1; }
  // The tap of a pixel's window that a column of the block is; -1 if it is none.
  int tap_at(int column, int pixel) const;
  // The columns that are a tap of some pixel, ascending.
  std::vector<int> used_columns() const;
  int taps() const { return k_h * k_w; }
  int weight_bytes() const { return (taps() * lanes + 3) / 4 * 4; }
};

struct RecordsKernel {
  Assembly code;
  double cycles_per_record = 0;
};

struct RecordsCore {
  std::string isa, condition;
  std::vector<int> lanes = {1};
  int most_pixels = 4;
  // A kernel's text holds the bytes of a pixel: which kernels are offered.
  bool free_pixel_bytes = true, fixed_pixel_bytes = false;
  std::span<const RescaleForm> forms;  // of s8
  // The kernel (src, stream, dst, row_bytes, stream_end, pixel_bytes); nothing if the shape is out
  // of its reach.
  std::function<std::optional<RecordsKernel>(const RecordsShape& shape)> kernel;
  CostFit fit;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> depthwise_records(const LayerView& layer, const RecordsCore& core);

}  // namespace nibble
