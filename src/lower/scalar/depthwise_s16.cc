#include "lower/scalar/depthwise_s16.h"

#include <algorithm>

#include "common/requant.h"
#include "common/window_s16.h"
#include "lower/dsp/output_s16.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr int kMostPixels = 4;
constexpr int kMostTaps = 32;           // stand one after the other in the text
constexpr int64_t kMostScratch = 4096;  // of the part of an image under a block

struct RecordsLayer {
  nibble_window_s16 shape{};
  int batches = 1, out_h = 1;
  std::span<const int8_t> filter;
  std::optional<OutputStage16> stage;
};

std::optional<RecordsLayer> records_layer(const LayerView& view) {
  RecordsLayer layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),       get("in_c"),     get("out_w"),
                 get("k_h"),        get("k_w"),        get("stride_h"), get("stride_w"),
                 get("dilation_h"), get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h");
  layer.filter = view.s8("filter");
  const nibble_window_s16& s = layer.shape;
  if (view.field("rounding") != NIBBLE_ROUNDING_REDUCED || get("channel_multiplier") != 1 ||
      s.k_h * s.k_w > kMostTaps || s.in_c >= 1 << 14 || (s.k_w - 1) * s.dilation_w >= 1 << 15)
    return std::nullopt;
  layer.stage = OutputStage16::of(view, s.in_c, [&](size_t index) {
    return static_cast<int>(index % static_cast<size_t>(s.in_c));
  });
  if (!layer.stage) return std::nullopt;
  for (int channel = 0; channel < s.in_c; ++channel)
    if (layer.stage->doubled(static_cast<size_t>(channel)) % 2 != 0) return std::nullopt;
  return layer;
}

std::vector<uint8_t> pack(const RecordsLayer& layer, const DepthwiseShape16& shape) {
  std::vector<uint8_t> stream;
  for (int first = 0; first < shape.in_c; first += shape.lanes) {
    auto exists = [&](int lane) { return first + lane < shape.in_c; };
    auto channel = [&](int lane) { return static_cast<size_t>(first + lane); };
    for (int lane = 0; lane < shape.lanes; ++lane)
      put_word(stream, exists(lane) ? static_cast<uint32_t>(layer.stage->bias(channel(lane))) : 0);
    for (int tap = 0; tap < shape.taps(); ++tap)
      for (int lane = 0; lane < shape.lanes; ++lane)
        stream.push_back(
            exists(lane) ? static_cast<uint8_t>(
                               layer.filter[static_cast<size_t>(tap * shape.in_c + first + lane)])
                         : uint8_t{0});
    stream.resize((stream.size() + 3) / 4 * 4);
    for (int lane = 0; lane < shape.lanes; ++lane)
      put_word(stream, exists(lane) ? layer.stage->doubled(channel(lane)) : 0);
  }
  return stream;
}

CFunction kernel_function(const DepthwiseCore16& core, const DepthwiseShape16& shape,
                          const Assembly& code) {
  std::string fields =
      fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}", shape.pixels, shape.lanes, shape.in_c,
                  shape.k_h, shape.k_w, shape.stride_w, shape.dilation_w, shape.low, shape.high);
  CFunction kernel;
  kernel.name = fmt::format("nibble_depthwise_s16s8_{}_block_{}x{}_{}", core.isa, shape.k_h,
                            shape.k_w, text_hash(fields));
  kernel.comment = fmt::format("depthwise convolution of s16, {} pixels by {} of {} channels",
                               shape.pixels, shape.lanes, shape.in_c);
  kernel.parameters = {"const int16_t *src", "const uint32_t *stream", "int16_t *dst",
                       "int32_t row_bytes", "const uint32_t *stream_end"};
  kernel.condition = core.condition;
  kernel.arm = core.isa.starts_with("thumb");
  kernel.body = code;
  kernel.plain_body = fmt::format(
      "  static const nibble_depthwise_s16s8_records_args args = {{\n      {}}};\n"
      "  nibble_depthwise_s16s8_records(&args, src, stream, dst, row_bytes, stream_end);\n",
      fields);
  return kernel;
}

KernelVariant make_variant(const RecordsLayer& layer, const DepthwiseCore16& core,
                           const DepthwiseShape16& shape, const DepthwiseKernel16& written) {
  const nibble_window_s16& s = layer.shape;
  CFunction kernel = kernel_function(core, shape, written.code);
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(layer, shape)}};
  std::string args = fmt::format(
      "{{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}, {}, {}, {}, {}", s.in_h, s.in_w, s.in_c,
      s.out_w, s.k_h, s.k_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_top,
      s.pad_left, layer.batches, layer.out_h, shape.pixels, variant.packed[0].bytes.size() / 4);
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_depthwise_conv2d_s16s8_{}_{}x{}_c{}_{}", core.isa, s.k_h,
                              s.k_w, s.in_c, text_hash(args + kernel.name));
  function.isa = core.isa;
  function.files = {"common/nibble_common.h",
                    "common/requant.h",
                    "common/output_s16.h",
                    "common/copy_s8.h",
                    "common/window_s16.h",
                    "conv2d/conv2d_s16s8_pairs.h",
                    "depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h",
                    "depthwise_conv2d/depthwise_conv2d_s16s8_records.h"};
  function.parameters = {"const int16_t *", "int16_t *", "void *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "{0}static void {1}(\n    const int16_t *src, int16_t *dst, void *scratch, const uint32_t "
      "*stream,\n    int32_t first_row, int32_t end_row) {{\n"
      "  static const nibble_depthwise_s16s8_pairs_args args = {{\n      {2}}};\n"
      "  nibble_depthwise_s16s8_pairs(\n      &args, {3}, src, dst,\n      (int16_t *)scratch, "
      "stream, first_row, end_row);\n}}\n",
      guarded_text(kernel), function.name, args, kernel.name);
  variant.scratch_bytes = int64_t{shape.column_bytes()} * s.k_h * shape.columns();
  WindowWalk walk{layer.batches, s.in_h,     s.in_w,     2 * s.in_c, layer.out_h, s.out_w,
                  2 * s.in_c,    s.stride_h, s.stride_w, s.pad_top,  s.pad_left};
  variant.progress = tile_progress(walk, {1, shape.pixels, false});
  double blocks = static_cast<double>(layer.batches) * layer.out_h *
                  ((s.out_w + shape.pixels - 1) / shape.pixels);
  double copied = s.pad_top + s.pad_left > 0 ? std::min(1.0, 2.0 * shape.pixels / s.out_w) : 0;
  double records = (s.in_c + shape.lanes - 1) / shape.lanes;
  variant.cycles =
      100 + blocks * (80 + records * written.cycles_per_record +
                      copied * s.k_h * (60 + shape.columns() * s.in_c / (2.0 * shape.lanes)));
  variant.code_bytes =
      static_cast<int64_t>(written.code.count()) * core.bytes_per_instruction + 100;
  return variant;
}

}  // namespace

std::vector<KernelVariant> depthwise_s16(const LayerView& view, const DepthwiseCore16& core) {
  std::optional<RecordsLayer> layer = records_layer(view);
  if (!layer) return {};
  const nibble_window_s16& s = layer->shape;
  std::vector<KernelVariant> variants;
  for (int lanes : core.lanes)
    for (int pixels = 1; pixels <= std::min(s.out_w, kMostPixels); ++pixels) {
      DepthwiseShape16 shape{pixels,
                             lanes,
                             s.in_c,
                             s.k_h,
                             s.k_w,
                             s.stride_w,
                             s.dilation_w,
                             view.int_field("act_min"),
                             view.int_field("act_max")};
      if (shape.column_bytes() * shape.columns() >= kMostScratch && pixels > 1) break;
      if (std::optional<DepthwiseKernel16> kernel = core.kernel(shape))
        variants.push_back(make_variant(*layer, core, shape, *kernel));
    }
  return variants;
}

}  // namespace nibble
