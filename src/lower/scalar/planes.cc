#include "lower/scalar/planes.h"

#include <algorithm>
#include <cmath>

#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr int kMostUnrolled = 9;
// Bytes of source and destination below which a layer hardly sets the memory peak.
constexpr int kSmallTraffic = 8192;

struct Axis {
  int in = 1, out = 1, k = 1, stride = 1, dilation = 1, pad = 0;

  int words(int outputs) const { return (outputs - 1) * stride + (k - 1) * dilation + 1; }
};

struct PlanesShape {
  int batches = 1, in_c = 1, multiplier = 1, in_zero = 0;
  Axis rows, columns;

  int out_c() const { return in_c * multiplier; }
  int taps() const { return rows.k * columns.k; }
};

PlanesShape shape_of(const LayerView& layer) {
  auto axis = [&](const std::string& side, const char* pad) {
    Axis result;
    result.in = layer.int_field("in_" + side), result.out = layer.int_field("out_" + side);
    result.k = layer.int_field("k_" + side), result.stride = layer.int_field("stride_" + side);
    result.dilation = layer.int_field("dilation_" + side), result.pad = layer.int_field(pad);
    return result;
  };
  PlanesShape shape;
  shape.batches = layer.int_field("batches"), shape.in_c = layer.int_field("in_c");
  shape.multiplier = layer.int_field("channel_multiplier");
  shape.in_zero = layer.int_field("in_zero");
  shape.rows = axis("h", "pad_top"), shape.columns = axis("w", "pad_left");
  return shape;
}

// How a layer is cut.
struct Cut {
  bool by_columns = false;
  int tile_rows = 1;
  int outputs = 4;
  int line_words = 0, plane_words = 0;
  double cycles = 0, tile_cycles = 0;  // tile_cycles: of each, whatever its height
  int64_t scratch_bytes = 0;
};

Cut make_cut(const PlanesShape& shape, const PlanesCore& core, bool by_columns, int tile_rows,
             int outputs) {
  Cut cut{by_columns, tile_rows, outputs};
  const Axis& along = by_columns ? shape.rows : shape.columns;
  const Axis& across = by_columns ? shape.columns : shape.rows;
  int length = by_columns ? tile_rows : shape.columns.out;
  int lines = by_columns ? shape.columns.out : tile_rows;
  int words = along.words(length), plane_lines = across.words(lines);
  cut.line_words = (words + along.stride - 1) / along.stride * along.stride;
  cut.plane_words = plane_lines * cut.line_words + outputs;
  cut.scratch_bytes = 4 * (int64_t{cut.plane_words} + 2 * shape.taps());
  double groups = std::ceil(double(length) / outputs);
  double line = core.per_group * groups + 50 + core.per_output * length +
                shape.taps() * groups * (core.per_tap + outputs * core.per_product);
  double plane = plane_lines * (40 + words * core.per_word);
  double tiles = std::ceil(double(shape.rows.out) / tile_rows) * shape.batches;
  // A tile's own: the rows that its neighbours take, too, and each line's and channel's begin.
  int shared_rows = std::max(0, shape.rows.k - shape.rows.stride);
  double shared = by_columns ? plane_lines * (40 + shared_rows * core.per_word)
                             : shared_rows * (40 + words * core.per_word);
  cut.tile_cycles =
      shape.in_c * shared + shape.out_c() * ((by_columns ? lines * 50 : 0) + shape.taps() * 6 + 30);
  cut.cycles =
      200 + tiles * (shape.in_c * plane + shape.out_c() * (lines * line + shape.taps() * 6 + 30));
  return cut;
}

// For a number of outputs at once the cut that costs least: what it saves in time, as a part of the
// layer's, weighed against its memory, as a part of the layer's source and destination.
Cut best_cut(const PlanesShape& shape, const PlanesCore& core, int outputs) {
  constexpr double kTimeForMemory = 0.5;
  double traffic =
      double(shape.batches) * (double(shape.rows.in) * shape.columns.in * shape.in_c +
                               double(shape.rows.out) * shape.columns.out * shape.out_c());
  Cut best;
  double best_cost = 0;
  for (bool by_columns : {false, true})
    for (int rows = 1; rows <= shape.rows.out; ++rows) {
      Cut cut = make_cut(shape, core, by_columns, rows, outputs);
      double memory = double(cut.scratch_bytes) / std::max(traffic, double(kSmallTraffic));
      double cost = cut.cycles * (1 + kTimeForMemory * memory);
      if (best_cost == 0 || cost < best_cost) best = cut, best_cost = cost;
    }
  return best;
}

std::vector<uint8_t> shape_words(const PlanesShape& shape, const Cut& cut) {
  const Axis &rows = shape.rows, &columns = shape.columns;
  std::vector<uint8_t> bytes;
  for (int value :
       {shape.batches, shape.in_c,  shape.multiplier, cut.tile_rows,  int{cut.by_columns},
        rows.in,       columns.in,  rows.out,         columns.out,    rows.k,
        columns.k,     rows.stride, columns.stride,   rows.dilation,  columns.dilation,
        rows.pad,      columns.pad, shape.in_zero,    cut.line_words, cut.plane_words})
    put_word(bytes, value);
  return bytes;
}

// The taps in the order of the stream, across outermost.
struct Tap {
  int filter_index = 0;  // ky * k_w + kx
  int offset_bytes = 0;  // of its word
};

std::vector<Tap> taps_of(const PlanesShape& shape, const Cut& cut) {
  const Axis& along = cut.by_columns ? shape.rows : shape.columns;
  const Axis& across = cut.by_columns ? shape.columns : shape.rows;
  std::vector<Tap> taps;
  for (int j = 0; j < across.k; ++j)
    for (int i = 0; i < along.k; ++i) {
      int at = i * along.dilation;
      int word = j * across.dilation * cut.line_words +
                 at % along.stride * (cut.line_words / along.stride) + at / along.stride;
      int filter = cut.by_columns ? i * shape.columns.k + j : j * shape.columns.k + i;
      taps.push_back({filter, 4 * word});
    }
  return taps;
}

// The filter's element at a tap, by output channel.
class Filter {
 public:
  Filter(const LayerView& layer, const PlanesShape& shape)
      : filter_(layer.s8("filter")), bias_(layer.s32("bias")), shape_(shape) {}
  int at(int filter_index, int channel) const {
    return filter_[static_cast<size_t>(filter_index * shape_.out_c() + channel)];
  }
  int64_t bias(int channel) const {
    return bias_.empty() ? 0 : bias_[static_cast<size_t>(channel)];
  }
  int64_t start(int channel) const {
    int64_t start = bias(channel);
    for (int tap = 0; tap < shape_.taps(); ++tap) start -= shape_.in_zero * at(tap, channel);
    return start;
  }
  AccumulatorRange range(int channel) const {
    AccumulatorRange range{bias(channel), bias(channel)};
    for (int tap = 0; tap < shape_.taps(); ++tap)
      range.add_product(at(tap, channel), shape_.in_zero);
    return range;
  }

 private:
  std::span<const int8_t> filter_;
  std::span<const int32_t> bias_;
  const PlanesShape& shape_;
};

std::vector<uint8_t> pack(const Filter& filter, const PlanesShape& shape, const Cut& cut,
                          const RescaledLayer& rescaled) {
  std::vector<Tap> taps = taps_of(shape, cut);
  std::vector<uint8_t> stream;
  for (int channel = 0; channel < shape.out_c(); ++channel) {
    const RescaledChannel& words = rescaled.channels[static_cast<size_t>(channel)];
    for (const Tap& tap : taps)
      stream.push_back(static_cast<uint8_t>(filter.at(tap.filter_index, channel)));
    stream.resize((stream.size() + 3) / 4 * 4);
    put_word(stream, filter.start(channel) + words.start_shift);
    for (uint32_t word : words.words) put_word(stream, word);
  }
  int read_to = 0;
  for (const Tap& tap : taps) {
    put_word(stream, tap.offset_bytes - read_to);
    read_to = tap.offset_bytes + 4 * cut.outputs;
  }
  return stream;
}

KernelFunction planes_function(const PlanesLine& line, const PlanesCore& core) {
  CFunction inner;
  std::string kind =
      fmt::format("{}_{}x{}_{}", core.isa, line.outputs, line.taps, line.stage.name());
  inner.name = "nibble_depthwise_line_" + kind;
  inner.comment = fmt::format("a line of a channel, {} outputs at once", line.outputs);
  inner.parameters = {"nibble_depthwise_line *line"};
  inner.condition = core.condition;
  inner.arm = core.isa != "rv32";
  inner.body = core.line(line);
  inner.plain_body = fmt::format(
      "  static const nibble_rescale_s8 rescale = {};\n"
      "  nibble_depthwise_line_c(line, {}, {}, &rescale);\n",
      line.stage.c_initializer(), line.taps, line.outputs);
  // The frame is shared with the layers' other functions, if there are any.
  constexpr int kFrameBytes = 1100;
  KernelFunction function;
  function.code_bytes =
      static_cast<int64_t>(inner.body.count()) * core.bytes_per_instruction + kFrameBytes;
  function.name = "nibble_depthwise_conv2d_s8_planes_" + kind;
  function.isa = core.isa;
  function.files = {"common/nibble_common.h", "common/rescale_s8.h",
                    "depthwise_conv2d/depthwise_conv2d_s8_planes.h"};
  function.parameters = {"const int8_t *", "int8_t *", "void *"};
  function.takes_rows = true;
  function.text = function_text(inner) + fmt::format(R"(/* depthwise_conv2d, channel by channel */
static void {}(
    const int8_t *src, int8_t *dst, void *scratch, const uint32_t *shape, const uint32_t *stream,
    int32_t first_row, int32_t end_row) {{
  static const nibble_depthwise_core core = {{{}, {}, {}}};
  nibble_depthwise_planes((const nibble_depthwise_planes_shape *)(const void *)shape, &core, src,
                          dst, (int32_t *)scratch, stream, first_row, end_row);
}}
)",
                                                     function.name, inner.name, line.outputs,
                                                     line.stage.words());
  return function;
}

}  // namespace

int PlanesLine::unrolled() const {
  if (taps <= kMostUnrolled) return taps;
  for (int count = 5; count > 1; --count)
    if (taps % count == 0) return count;
  return 1;
}

std::vector<KernelVariant> depthwise_planes(const LayerView& layer, const PlanesCore& core) {
  PlanesShape shape = shape_of(layer);
  Filter filter(layer, shape);
  std::vector<AccumulatorRange> ranges;
  for (int channel = 0; channel < shape.out_c(); ++channel) ranges.push_back(filter.range(channel));
  std::vector<KernelVariant> variants;
  for (const RescaledLayer& rescaled :
       rescale_layer_ways(LayerOutput::of(layer), ranges, core.forms))
    for (int outputs : core.outputs) {
      Cut cut = best_cut(shape, core, outputs);
      KernelVariant variant;
      variant.function = planes_function({shape.taps(), outputs, rescaled.stage}, core);
      variant.packed = {{"shape", "uint32_t", shape_words(shape, cut)},
                        {"stream", "uint32_t", pack(filter, shape, cut, rescaled)}};
      variant.scratch_bytes = cut.scratch_bytes;
      // Within a tile a channel is read before it is written, and no other is.
      bool by_channels = shape.multiplier == 1;
      variant.progress =
          tile_progress(window_walk(layer), {cut.tile_rows, shape.columns.out, by_channels, true});
      if (by_channels) variant.progress_unit = shape.in_c;
      variant.cycles =
          core.fit(cut.cycles + core.cycles_of_form(rescaled.stage) * shape.batches *
                                    shape.rows.out * shape.columns.out * shape.out_c());
      variant.row_cost = {1, 1, cut.tile_rows,
                          static_cast<int64_t>(core.fit.factor * cut.tile_cycles), 200};
      variants.push_back(std::move(variant));
    }
  return variants;
}

}  // namespace nibble
