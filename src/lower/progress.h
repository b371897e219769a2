// Moments of a call (graph/program.h) for the orders in which kernels go over an image: for the
// portable kernels, and for generators.
#pragma once

#include "lower/variant.h"

namespace nibble {

// Windows over an image, batch by batch, each from the top to the bottom.
struct WindowWalk {
  int64_t batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1;
  int64_t stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0;
};

// Of a layer of conv2d_s8, depthwise_conv2d_s8, max_pool2d_s8 or avg_pool2d_s8.
WindowWalk window_walk(const LayerView& layer);

// A tile of outputs that is computed at once, all channels of it; tiles go from left to right, then
// down. The last tile of a row, and of a column, starts so much earlier that it is whole, if the
// image is that large, or (cut) is smaller.
struct WalkTile {
  int64_t rows = 1, columns = 1;
  // Nothing of a tile is written before all that it needs has been read.
  bool reads_first = false;
  bool cut = false;
};
std::vector<AccessStep> tile_progress(const WindowWalk& walk, const WalkTile& tile);

// The same for tiles of `pixels` outputs that go on from row to row; the last of an image starts
// earlier.
std::vector<AccessStep> run_progress(const WindowWalk& walk, int64_t pixels, bool reads_first);

// Units that are read and written one after the other.
std::vector<AccessStep> unit_progress(int64_t units, int64_t src_bytes, int64_t dst_bytes);

// Of the family's portable kernel; empty if nothing is known of it.
std::vector<AccessStep> portable_progress(const KernelRequest& request);

}  // namespace nibble
