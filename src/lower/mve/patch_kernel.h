// The patch kernel of cores with Helium: a naked function over nibble_patches_s8
// (kernels/depthwise_conv2d/depthwise_conv2d_s8_patches.h) for one shape of tile. One gather brings
// 4 x 4 pixels of a channel; each output of theirs is one VMLADAVA.S8.
#pragma once

#include "lower/mve/output_stage.h"

namespace nibble {

struct PatchShape {
  int bands = 1;                   // of a tile
  int band_rows = 1, columns = 1;  // outputs of a band; its rows share patches
  int share = 1;                   // columns of outputs that share a patch
  int stride_w = 1, dilation_w = 1;
  int row_chunks = 1, tap_chunks = 1;  // of four taps
  int dst_step = 1;                    // from channel to channel

  int rows() const { return bands * band_rows; }
  int chunks() const { return row_chunks * tap_chunks; }
  int slabs() const { return bands * row_chunks; }
  int patches() const { return (columns + share - 1) / share; }  // of a band
  // Columns of source that a tile's patches reach.
  int slab_columns() const {
    return (patches() - 1) * share * stride_w + (4 * tap_chunks - 1) * dilation_w + 1;
  }
};

// Batches of a tile, of up to eight outputs each; patches are not divided.
int patch_batches(const PatchShape& shape);
constexpr int kMaxPatchBatches = 4, kMaxSlabs = 4;

struct PatchKernel {
  std::string name, shape_name;  // of the function, and of its nibble_patches_s8_shape
  std::string text;              // definitions, guarded
  int64_t code_bytes = 0;
  double per_channel = 0, per_call = 0;  // executed instructions
};
PatchKernel patch_kernel(const PatchShape& shape, const HeliumOutput& output);

}  // namespace nibble
