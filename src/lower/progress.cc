#include "lower/progress.h"

#include <algorithm>

namespace nibble {
namespace {

// The first byte of an image that the window of (oy, ox), or one right of it or in a later row,
// reads. Beside the top border a later row may start as high as this one, further left.
int64_t first_byte(const WindowWalk& walk, int64_t oy, int64_t ox) {
  auto at = [&](int64_t row, int64_t column) {
    int64_t y = std::clamp<int64_t>(row * walk.stride_h - walk.pad_top, 0, walk.in_h);
    int64_t x = std::clamp<int64_t>(column * walk.stride_w - walk.pad_left, 0, walk.in_w);
    return (y * walk.in_w + x) * walk.in_c;
  };
  return oy + 1 < walk.out_h ? std::min(at(oy, ox), at(oy + 1, 0)) : at(oy, ox);
}

struct Tile {
  int64_t first_byte = 0;   // that it or a later one reads
  int64_t end_written = 0;  // by it and those before
};

// `tiles` of one image, for all images.
std::vector<AccessStep> moments(const WindowWalk& walk, const std::vector<Tile>& tiles,
                                bool reads_first) {
  const int64_t src_bytes = walk.in_h * walk.in_w * walk.in_c;
  const int64_t dst_bytes = walk.out_h * walk.out_w * walk.out_c;
  std::vector<AccessStep> steps;
  for (int64_t n = 0; n < walk.batches; ++n)
    for (size_t i = 0; i < tiles.size(); ++i) {
      const int64_t unread = i + 1 < tiles.size() ? tiles[i + 1].first_byte : src_bytes;
      const int64_t before = i > 0 ? tiles[i - 1].end_written : 0;
      const int64_t written = reads_first ? before : tiles[i].end_written;
      steps.push_back({n * dst_bytes + written, n * src_bytes + unread});
    }
  return steps;
}

int64_t tile_start(int64_t index, int64_t size, int64_t extent) {
  return std::max<int64_t>(0, std::min(index * size, extent - size));
}

}  // namespace

WindowWalk window_walk(const LayerView& layer) {
  WindowWalk walk;
  walk.batches = layer.field("batches");
  walk.in_h = layer.field("in_h"), walk.in_w = layer.field("in_w");
  walk.out_h = layer.field("out_h"), walk.out_w = layer.field("out_w");
  walk.stride_h = layer.field("stride_h"), walk.stride_w = layer.field("stride_w");
  walk.pad_top = layer.field("pad_top"), walk.pad_left = layer.field("pad_left");
  if (layer.family() == "conv2d_s8") {
    walk.in_c = layer.field("in_c");
    walk.out_c = layer.field("out_c");
  } else if (layer.family() == "depthwise_conv2d_s8") {
    walk.in_c = layer.field("in_c");
    walk.out_c = walk.in_c * layer.field("channel_multiplier");
  } else {
    walk.in_c = walk.out_c = layer.field("channels");
  }
  return walk;
}

std::vector<AccessStep> tile_progress(const WindowWalk& walk, const WalkTile& tile) {
  std::vector<Tile> tiles;
  int64_t written = 0;
  for (int64_t row = 0; row * tile.rows < walk.out_h; ++row)
    for (int64_t column = 0; column * tile.columns < walk.out_w; ++column) {
      int64_t oy = tile.cut ? row * tile.rows : tile_start(row, tile.rows, walk.out_h);
      int64_t ox = tile.cut ? column * tile.columns : tile_start(column, tile.columns, walk.out_w);
      int64_t last_row = std::min(oy + tile.rows, walk.out_h) - 1;
      int64_t end = last_row * walk.out_w + std::min(ox + tile.columns, walk.out_w);
      written = std::max(written, end * walk.out_c);
      tiles.push_back({first_byte(walk, oy, ox), written});
    }
  // The next row of tiles may start further up than this tile.
  for (size_t i = tiles.size(); i-- > 1;)
    tiles[i - 1].first_byte = std::min(tiles[i - 1].first_byte, tiles[i].first_byte);
  return moments(walk, tiles, tile.reads_first);
}

std::vector<AccessStep> run_progress(const WindowWalk& walk, int64_t pixels, bool reads_first) {
  std::vector<Tile> tiles;
  const int64_t count = walk.out_h * walk.out_w;
  for (int64_t i = 0; i * pixels < count; ++i) {
    int64_t pixel = tile_start(i, pixels, count);
    tiles.push_back({first_byte(walk, pixel / walk.out_w, pixel % walk.out_w),
                     std::min(pixel + pixels, count) * walk.out_c});
  }
  for (size_t i = tiles.size(); i-- > 1;)
    tiles[i - 1].first_byte = std::min(tiles[i - 1].first_byte, tiles[i].first_byte);
  return moments(walk, tiles, reads_first);
}

std::vector<AccessStep> unit_progress(int64_t units, int64_t src_bytes, int64_t dst_bytes) {
  std::vector<AccessStep> steps;
  for (int64_t unit = 1; unit <= units; ++unit)
    steps.push_back({unit * dst_bytes, unit * src_bytes});
  return steps;
}

std::vector<AccessStep> portable_progress(const KernelRequest& request) {
  const LayerView layer(request);
  auto field = [&](const char* name) { return layer.field(name); };
  const std::string& family = request.family;
  // Pixel by pixel, all channels of it.
  if (family == "conv2d_s8" || family == "depthwise_conv2d_s8" || family == "max_pool2d_s8" ||
      family == "avg_pool2d_s8")
    return tile_progress(window_walk(layer), {});
  if (family == "dense_s8") return unit_progress(field("rows"), field("in_len"), field("out_len"));
  if (family == "mean_s8")
    return unit_progress(field("outer"),
                         field("axis_a") * field("middle") * field("axis_b") * field("inner"),
                         field("middle") * field("inner"));
  // A row is moved once it lies wholly above what has been written.
  if (family == "copy_2d_s8" && field("dst_stride") == field("row_len") &&
      field("src_stride") >= 0) {
    std::vector<AccessStep> steps;
    for (int64_t row = 0; row < field("rows"); ++row)
      steps.push_back({row * field("row_len"), field("src_offset") + row * field("src_stride")});
    return steps;
  }
  return {};
}

}  // namespace nibble
