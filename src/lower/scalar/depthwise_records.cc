#include "lower/scalar/depthwise_records.h"

#include <algorithm>

#include "common/requant.h"
#include "common/window_s16.h"
#include "lower/dsp/output_s16.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

// Of code that functions of a model share: a part of it for each.
constexpr int kFrameBytes = 250;
constexpr int kMostTaps = 32;           // stand one after the other in the text
constexpr int64_t kMostScratch = 4096;  // of the part of an image under a block

// A channel as its record holds it.
struct Record {
  uint32_t start = 0;
  std::vector<uint32_t> rescale;
};

// A layer whose channels are rescaled in one way.
struct RecordsLayer {
  nibble_window_s16 shape{};
  int batches = 1, out_h = 1, in_zero = 0, elem_bytes = 1;
  std::span<const int8_t> filter;
  std::vector<Record> records;
  RescaleStage stage;     // of s8
  int low = 0, high = 0;  // of s16

  int taps() const { return shape.k_h * shape.k_w; }
  // Lines and columns of the image below all of dst, the border included.
  int span_h() const {
    return (out_h - 1) * shape.stride_h + (shape.k_h - 1) * shape.dilation_h + 1;
  }
  int span_w() const {
    return (shape.out_w - 1) * shape.stride_w + (shape.k_w - 1) * shape.dilation_w + 1;
  }
  // Of the blocks of a row, and of all, `row_blocks` to a row, those that reach over a border.
  double row_part_beyond(double row_blocks) const {
    bool right = span_w() - shape.pad_left > shape.in_w;
    return std::min(1.0, ((shape.pad_left > 0) + right) / row_blocks);
  }
  double part_beyond(double row_blocks) const {
    bool below = span_h() - shape.pad_top > shape.in_h;
    double rows = std::min(1.0, ((shape.pad_top > 0) + below) / double(out_h));
    return 1 - (1 - rows) * (1 - row_part_beyond(row_blocks));
  }
  int weight(int tap, int channel) const {
    return filter[static_cast<size_t>(tap * shape.in_c + channel)];
  }
};

std::optional<RecordsLayer> windows_of(const LayerView& view) {
  RecordsLayer layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),       get("in_c"),     get("out_w"),
                 get("k_h"),        get("k_w"),        get("stride_h"), get("stride_w"),
                 get("dilation_h"), get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h");
  layer.filter = view.s8("filter");
  if (get("channel_multiplier") != 1 || layer.taps() > kMostTaps) return std::nullopt;
  return layer;
}

std::vector<RecordsLayer> layers_s16(const LayerView& view, RecordsLayer layer) {
  const int channels = layer.shape.in_c;
  if (view.field("rounding") != NIBBLE_ROUNDING_REDUCED || channels >= 1 << 14 ||
      (layer.shape.k_w - 1) * layer.shape.dilation_w >= 1 << 15)
    return {};
  std::optional<OutputStage16> stage = OutputStage16::of(view, channels, [&](size_t index) {
    return static_cast<int>(index % static_cast<size_t>(channels));
  });
  if (!stage) return {};
  layer.elem_bytes = 2;
  layer.low = view.int_field("act_min"), layer.high = view.int_field("act_max");
  for (size_t channel = 0; channel < static_cast<size_t>(channels); ++channel) {
    if (stage->doubled(channel) % 2 != 0) return {};
    layer.records.push_back(
        {static_cast<uint32_t>(stage->bias(channel)), {stage->doubled(channel)}});
  }
  return {std::move(layer)};
}

std::vector<RecordsLayer> layers_s8(const LayerView& view, RecordsLayer layer,
                                    std::span<const RescaleForm> forms) {
  const std::span<const int32_t> bias = view.s32("bias");
  layer.in_zero = view.int_field("in_zero");
  std::vector<AccumulatorRange> ranges;
  std::vector<int64_t> starts;
  for (int channel = 0; channel < layer.shape.in_c; ++channel) {
    int64_t start = bias.empty() ? 0 : bias[static_cast<size_t>(channel)];
    AccumulatorRange range{start, start};
    for (int tap = 0; tap < layer.taps(); ++tap) {
      range.add_product(layer.weight(tap, channel), layer.in_zero);
      start -= layer.in_zero * layer.weight(tap, channel);
    }
    ranges.push_back(range);
    starts.push_back(start);
  }
  std::vector<RecordsLayer> layers;
  for (RescaledLayer& rescaled : rescale_layer_ways(LayerOutput::of(view), ranges, forms)) {
    RecordsLayer& one = layers.emplace_back(layer);
    one.stage = rescaled.stage;
    for (size_t i = 0; i < starts.size(); ++i)
      one.records.push_back({static_cast<uint32_t>(starts[i] + rescaled.channels[i].start_shift),
                             std::move(rescaled.channels[i].words)});
  }
  return layers;
}

std::vector<uint8_t> pack(const RecordsLayer& layer, const RecordsShape& shape) {
  std::vector<uint8_t> stream;
  const int channels = layer.shape.in_c;
  for (int first = 0; first < channels; first += shape.lanes) {
    auto exists = [&](int lane) { return first + lane < channels; };
    auto record = [&](int lane) { return layer.records[static_cast<size_t>(first + lane)]; };
    for (int lane = 0; lane < shape.lanes; ++lane)
      put_word(stream, exists(lane) ? record(lane).start : 0);
    for (int tap = 0; tap < shape.taps(); ++tap)
      for (int lane = 0; lane < shape.lanes; ++lane)
        stream.push_back(exists(lane) ? static_cast<uint8_t>(layer.weight(tap, first + lane))
                                      : uint8_t{0});
    stream.resize((stream.size() + 3) / 4 * 4);
    for (size_t word = 0; word < layer.records[0].rescale.size(); ++word)
      for (int lane = 0; lane < shape.lanes; ++lane)
        put_word(stream, exists(lane) ? record(lane).rescale[word] : 0);
  }
  return stream;
}

CFunction kernel_function(const RecordsCore& core, const RecordsShape& shape,
                          const Assembly& code) {
  std::string fields =
      fmt::format("{}, {}, {}, {}, {}, {}, {}, {}", shape.pixels, shape.lanes, shape.k_h, shape.k_w,
                  shape.stride_w, shape.dilation_w, shape.low, shape.high);
  std::string type = shape.wide() ? "s16" : "s8";
  CFunction kernel;
  kernel.name = fmt::format(
      "nibble_depthwise_{}_{}_{}x{}_{}", type, core.isa, shape.k_h, shape.k_w,
      text_hash(fmt::format("{}, {}, {}", fields, shape.pixel_bytes, shape.stage.name())));
  kernel.comment = fmt::format("depthwise convolution of {}, {} pixels by {} of the channels", type,
                               shape.pixels, shape.lanes);
  kernel.parameters = {"const int8_t *src", "const uint32_t *stream",     "int8_t *dst",
                       "int32_t row_bytes", "const uint32_t *stream_end", "int32_t pixel_bytes"};
  kernel.condition = core.condition;
  kernel.arm = core.isa.starts_with("thumb");
  kernel.body = code;
  std::string constants =
      fmt::format("  static const nibble_depthwise_records_args args = {{{}}};\n", fields);
  if (!shape.wide())
    constants += fmt::format("  static const nibble_rescale_s8 rescale = {};\n",
                             shape.stage.c_initializer());
  kernel.plain_body = fmt::format(
      "{}  nibble_depthwise_records_{}(\n      &args, {}src, stream, dst, row_bytes, stream_end, "
      "pixel_bytes);\n",
      constants, type, shape.wide() ? "" : "&rescale, ");
  return kernel;
}

KernelFunction frame_function(const RecordsCore& core, const RecordsShape& shape,
                              const CFunction& kernel) {
  const std::string ctype = shape.wide() ? "int16_t" : "int8_t";
  KernelFunction function;
  function.name =
      fmt::format("nibble_depthwise_conv2d_{}_windows_{}", shape.wide() ? "s16s8" : "s8",
                  kernel.name.substr(kernel.name.find(core.isa)));
  function.isa = core.isa;
  function.files = {"common/nibble_common.h",
                    "common/copy_s8.h",
                    "common/requant.h",
                    "common/rescale_s8.h",
                    "common/window_s16.h",
                    "depthwise_conv2d/depthwise_conv2d_windows.h",
                    "depthwise_conv2d/depthwise_conv2d_records.h"};
  function.parameters = {fmt::format("const {} *", ctype), fmt::format("{} *", ctype), "void *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "{0}static void {1}(\n    const {2} *src, {2} *dst, void *scratch, const uint32_t *shape,\n"
      "    const uint32_t *stream, int32_t first_row, int32_t end_row) {{\n"
      "  nibble_depthwise_windows(\n"
      "      (const nibble_depthwise_windows_shape *)(const void *)shape, {3},\n"
      "      (const int8_t *)src, (int8_t *)dst, (int8_t *)scratch, stream, first_row, "
      "end_row);\n}}\n",
      guarded_text(kernel), function.name, ctype, kernel.name);
  return function;
}

// Columns of the image that are copied at once.
int copied_columns(const RecordsLayer& layer, const RecordsShape& shape, bool strips) {
  return strips ? layer.span_w() : shape.columns();
}

std::vector<uint8_t> shape_words(const RecordsLayer& layer, const RecordsShape& shape, bool strips,
                                 size_t stream_bytes) {
  const nibble_window_s16& s = layer.shape;
  std::vector<uint8_t> bytes;
  for (int value :
       {layer.batches, s.in_h, s.in_w, layer.out_h, s.out_w, s.k_h, s.stride_h, s.stride_w,
        s.dilation_h, s.pad_top, s.pad_left, s.in_c * layer.elem_bytes, layer.in_zero, shape.pixels,
        copied_columns(layer, shape, strips), int{strips}, int(stream_bytes / 4)})
    put_word(bytes, static_cast<uint32_t>(value));
  return bytes;
}

// Cycles of copying a line.
double line_cycles(const RecordsLayer& layer, const RecordsShape& shape, bool strips) {
  constexpr double kBytesPerCycle = 2;
  return 60 + copied_columns(layer, shape, strips) * layer.shape.in_c * layer.elem_bytes /
                  (kBytesPerCycle * shape.lanes);
}

// Cycles of the layer, those of the frame included.
double predicted_cycles(const RecordsLayer& layer, const RecordsShape& shape, bool strips,
                        const RecordsKernel& written) {
  const nibble_window_s16& s = layer.shape;
  double row_blocks = (s.out_w + shape.pixels - 1) / shape.pixels;
  double blocks = layer.batches * layer.out_h * row_blocks;
  double records = (s.in_c + shape.lanes - 1) / shape.lanes;
  double copied =
      strips ? layer.batches * layer.out_h * s.k_h : blocks * s.k_h * layer.part_beyond(row_blocks);
  return blocks * (80 + records * written.cycles_per_record) +
         copied * line_cycles(layer, shape, strips);
}

// Each row of dst is written when all lines below it are read.
std::vector<AccessStep> strips_progress(const RecordsLayer& layer) {
  const nibble_window_s16& s = layer.shape;
  const int64_t elem = layer.elem_bytes * s.in_c, src_row = elem * s.in_w, dst_row = elem * s.out_w;
  std::vector<AccessStep> steps;
  for (int64_t n = 0; n < layer.batches; ++n)
    for (int64_t oy = 0; oy < layer.out_h; ++oy) {
      int64_t read = oy + 1 < layer.out_h
                         ? std::clamp<int64_t>(oy * s.stride_h - s.pad_top + s.k_h, 0, s.in_h)
                         : s.in_h;
      steps.push_back({(n * layer.out_h + oy) * dst_row, (n * s.in_h + read) * src_row});
    }
  return steps;
}

// Whether each block of a row reaches over a border.
bool wants_strips(const RecordsLayer& layer, const RecordsShape& shape) {
  const nibble_window_s16& s = layer.shape;
  return s.dilation_h == 1 && s.stride_h <= s.k_h &&
         layer.row_part_beyond((s.out_w + shape.pixels - 1) / shape.pixels) == 1;
}

KernelVariant make_variant(const RecordsLayer& layer, const RecordsCore& core,
                           const RecordsShape& shape, const RecordsKernel& written) {
  const nibble_window_s16& s = layer.shape;
  const int bytes = s.in_c * layer.elem_bytes;
  const bool strips = wants_strips(layer, shape);
  KernelVariant variant;
  std::vector<uint8_t> stream = pack(layer, shape);
  variant.function = frame_function(core, shape, kernel_function(core, shape, written.code));
  variant.packed = {{"shape", "uint32_t", shape_words(layer, shape, strips, stream.size())},
                    {"stream", "uint32_t", stream}};
  variant.scratch_bytes = int64_t{bytes} * s.k_h * copied_columns(layer, shape, strips);
  if (strips) {
    variant.progress = strips_progress(layer);
    variant.row_cost.call_cycles = static_cast<int64_t>(s.k_h * line_cycles(layer, shape, strips));
  } else {
    WindowWalk walk{layer.batches, s.in_h,     s.in_w,     bytes,     layer.out_h, s.out_w,
                    bytes,         s.stride_h, s.stride_w, s.pad_top, s.pad_left};
    // Within a block a channel is read before it is written, and no other is.
    const bool by_channels = shape.lanes == 1;
    variant.progress = tile_progress(walk, {1, shape.pixels, by_channels});
    if (by_channels) variant.progress_unit = bytes;
  }
  variant.cycles = core.fit(predicted_cycles(layer, shape, strips, written));
  variant.function.code_bytes =
      static_cast<int64_t>(written.code.count()) * core.bytes_per_instruction + kFrameBytes;
  return variant;
}

}  // namespace

int RecordsShape::tap_at(int column, int pixel) const {
  int distance = column - pixel * stride_w;
  if (distance < 0 || distance % dilation_w != 0) return -1;
  return distance / dilation_w < k_w ? distance / dilation_w : -1;
}

std::vector<int> RecordsShape::used_columns() const {
  std::vector<int> used;
  for (int column = 0; column < columns(); ++column)
    for (int pixel = 0; pixel < pixels; ++pixel)
      if (tap_at(column, pixel) >= 0) {
        used.push_back(column);
        break;
      }
  return used;
}

std::vector<KernelVariant> depthwise_records(const LayerView& view, const RecordsCore& core) {
  std::optional<RecordsLayer> windows = windows_of(view);
  if (!windows) return {};
  std::vector<RecordsLayer> layers = view.family() == "depthwise_conv2d_s8"
                                         ? layers_s8(view, *windows, core.forms)
                                         : layers_s16(view, *windows);
  std::vector<KernelVariant> variants;
  for (const RecordsLayer& layer : layers)
    for (int lanes : core.lanes)
      for (int pixels = 1; pixels <= std::min(layer.shape.out_w, core.most_pixels); ++pixels) {
        const nibble_window_s16& s = layer.shape;
        RecordsShape shape{
            pixels,           lanes, s.k_h,       s.k_w,     s.stride_w, s.dilation_w,
            layer.elem_bytes, 0,     layer.stage, layer.low, layer.high};
        const int pixel_bytes = s.in_c * layer.elem_bytes;
        if (pixel_bytes * shape.columns() >= kMostScratch && pixels > 1) break;
        for (bool fixed : {false, true}) {
          if (!(fixed ? core.fixed_pixel_bytes : core.free_pixel_bytes)) continue;
          shape.pixel_bytes = fixed ? pixel_bytes : 0;
          if (std::optional<RecordsKernel> kernel = core.kernel(shape))
            variants.push_back(make_variant(layer, core, shape, *kernel));
        }
      }
  return variants;
}

}  // namespace nibble
