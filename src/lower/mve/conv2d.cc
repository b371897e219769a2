// conv2d_s8 on cores with Helium, in blocks of pixels and channels (lower/mve/block_kernel.h). What
// may be chosen per layer: the size of a block, and whether windows are read in place, or gathered
// into one run per pixel.
#include <cmath>

#include "lower/mve/block_kernel.h"

namespace nibble {
namespace {

// Cycles per executed instruction: vector instructions take two beats' pairs, loads overlap with
// them.
constexpr double kCyclesPerInstruction = 1.3;

struct ConvShape {
  int batches = 0, in_h = 0, in_w = 0, in_c = 0, out_h = 0, out_w = 0, out_c = 0, k_h = 0, k_w = 0;
  int stride_h = 0, stride_w = 0, dilation_h = 0, dilation_w = 0, pad_top = 0, pad_left = 0;
  int in_zero = 0;

  explicit ConvShape(const LayerView& layer) {
    auto get = [&](const char* name) { return layer.int_field(name); };
    batches = get("batches"), in_h = get("in_h"), in_w = get("in_w"), in_c = get("in_c");
    out_h = get("out_h"), out_w = get("out_w"), out_c = get("out_c");
    k_h = get("k_h"), k_w = get("k_w"), stride_h = get("stride_h"), stride_w = get("stride_w");
    dilation_h = get("dilation_h"), dilation_w = get("dilation_w");
    pad_top = get("pad_top"), pad_left = get("pad_left"), in_zero = get("in_zero");
  }
  int taps() const { return k_h * k_w; }
  int64_t pixels() const { return int64_t{batches} * out_h * out_w; }
  // Every window lies inside the image.
  bool inside() const {
    return pad_top == 0 && pad_left == 0 &&
           (out_h - 1) * stride_h + (k_h - 1) * dilation_h < in_h &&
           (out_w - 1) * stride_w + (k_w - 1) * dilation_w < in_w;
  }
};

struct Way {
  std::string driver;  // nibble_conv2d_s8_DRIVER
  BlockShape block;
  int64_t scratch_bytes = 0;
  int pixel_bytes = 0;
  double driver_instructions = 0;
  double blocks = 0;  // in all
};

int vectors_of(int bytes) { return (bytes + 15) / 16; }

BlockShape block_of(int pixels, int channels, int out_c) {
  BlockShape block;
  block.pixels = pixels;
  block.channels = channels;
  block.out_c = out_c;
  return block;
}

double ceil_div(double a, double b) { return std::ceil(a / b); }

// 1 x 1 straight from the source.
void add_pointwise(const ConvShape& conv, int pixels, int channels, std::vector<Way>& ways) {
  if (conv.taps() != 1 || !conv.inside() || conv.out_w < pixels) return;
  Way way;
  way.driver = "pointwise";
  way.block = block_of(pixels, channels, conv.out_c);
  way.block.vectors = vectors_of(conv.in_c);
  way.block.tail = conv.in_c % 16 ? conv.in_c % 16 : 16;
  way.block.pixel_pitch = conv.stride_w * conv.in_c;
  bool joined = conv.stride_h == 1 && conv.in_w == conv.out_w;
  double strips = joined ? conv.batches : conv.batches * conv.out_h;
  way.blocks = strips * ceil_div(static_cast<double>(conv.pixels()) / strips, pixels);
  way.driver_instructions = 60 + 50 * strips;
  ways.push_back(std::move(way));
}

// Rows of whole taps, in place but for the border.
void add_windows(const ConvShape& conv, int pixels, std::vector<Way>& ways) {
  if (conv.k_w == 1 || conv.in_c % 16 != 0 || conv.out_w < pixels) return;
  Way way;
  way.driver = "windows";
  way.block = block_of(pixels, 2, conv.out_c);
  way.block.rows = conv.k_h;
  way.block.taps = conv.k_w;
  way.block.vectors = conv.in_c / 16;
  way.block.pixel_pitch = conv.stride_w * conv.in_c;
  way.block.tap_pitch = conv.dilation_w * conv.in_c;
  int columns = (pixels - 1) * conv.stride_w + (conv.k_w - 1) * conv.dilation_w + 1;
  way.scratch_bytes = conv.inside() ? 8 : int64_t{columns} * conv.in_c * conv.k_h;
  double rows = conv.batches * conv.out_h;
  way.blocks = rows * ceil_div(conv.out_w, pixels);
  double copied = conv.inside() ? 0 : std::min(way.blocks, rows * 2);
  way.driver_instructions =
      60 + 40 * rows + 40 * copied + copied * conv.k_h * (20 + columns * conv.in_c / 16.0 * 3);
  ways.push_back(std::move(way));
}

void add_gathered(const ConvShape& conv, int pixels, int channels, std::vector<Way>& ways) {
  int run = conv.taps() * conv.in_c;
  Way way;
  way.driver = "gathered";
  way.block = block_of(pixels, channels, conv.out_c);
  way.block.vectors = vectors_of(run);
  way.block.words = true;
  way.pixel_bytes = way.block.pixel_pitch = 16 * way.block.vectors;
  way.scratch_bytes = int64_t{pixels} * way.pixel_bytes;
  way.blocks = ceil_div(static_cast<double>(conv.pixels()), pixels);
  double copies = conv.dilation_w == 1 ? conv.k_h : conv.taps();
  double per_copy = 22 + 3 * vectors_of(run / static_cast<int>(copies));
  way.driver_instructions = 80 + way.blocks * (50 + pixels * (15 + copies * per_copy));
  ways.push_back(std::move(way));
}

std::vector<int32_t> weight_sums(std::span<const int8_t> filter, int out_c) {
  std::vector<int32_t> sums(static_cast<size_t>(out_c), 0);
  size_t len = filter.size() / sums.size();
  for (size_t i = 0; i < filter.size(); ++i) sums[i / len] += filter[i];
  return sums;
}

std::string plain_call(const ConvShape& conv, const Way& way, const std::string& block,
                       size_t stream_words) {
  std::string scratch = way.scratch_bytes > 0 ? "(int8_t *)scratch, " : "";
  return fmt::format(
      "  static const nibble_conv2d_s8_blocks_args args = {{\n"
      "      {}, {}, {}, {}, {},\n"
      "      {}, {}, {}, {}, {}, {}, {},\n"
      "      {}, {}, {}, {}, {}, {}, {}, {}, {}}};\n"
      "  nibble_conv2d_s8_{}(&args, src, dst, {}stream, first_row, end_row);\n",
      block, way.block.pixels, way.block.channels, stream_words, way.pixel_bytes, conv.batches,
      conv.in_h, conv.in_w, conv.in_c, conv.out_h, conv.out_w, conv.out_c, conv.k_h, conv.k_w,
      conv.stride_h, conv.stride_w, conv.dilation_h, conv.dilation_w, conv.pad_top, conv.pad_left,
      conv.in_zero, way.driver, scratch);
}

// All else that the text depends on is in the hash of it.
std::string function_name(const ConvShape& conv, const Way& way, const std::string& body) {
  return fmt::format("nibble_conv2d_s8_mve_{}_{}x{}_k{}x{}_{}", way.driver, conv.in_c, conv.out_c,
                     conv.k_h, conv.k_w, text_hash(body));
}

KernelVariant make_variant(const LayerView& layer, const ConvShape& conv, const Way& way,
                           const HeliumOutput& output, const BlockKernel& kernel) {
  std::span<const int8_t> filter = layer.s8("filter");
  int run = conv.taps() * conv.in_c;
  bool one_run = way.driver != "windows";
  auto weight = [&](int channel, int row, int tap, int byte) -> int8_t {
    int limit = one_run ? run : conv.in_c;
    if (byte >= limit) return 0;
    int at = one_run ? byte : (row * conv.k_w + tap) * conv.in_c + byte;
    return filter[static_cast<size_t>(channel) * static_cast<size_t>(run) +
                  static_cast<size_t>(at)];
  };
  std::vector<int32_t> bias =
      bias_with_zero(layer.s32("bias"), weight_sums(filter, conv.out_c), conv.in_zero);
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack_blocks(way.block, output, bias, weight)}};
  KernelFunction& function = variant.function;
  std::string body = plain_call(conv, way, kernel.name, variant.packed[0].bytes.size() / 4);
  function.name = function_name(conv, way, kernel.text + body);
  function.isa = "mve";
  function.files = block_files();
  for (const char* file : {"common/copy_s8.h", "common/window.h", "conv2d/conv2d_s8_blocks.h"})
    function.files.push_back(file);
  function.parameters = {"const int8_t *", "int8_t *"};
  if (way.scratch_bytes > 0) function.parameters.push_back("void *");
  function.takes_rows = true;
  function.text = fmt::format(
      "{}/* conv2d {}x{}x{} -> {}x{}x{}, {} x {}, blocks of {} pixels by {} channels, {} */\n"
      "static void {}(const int8_t *src, int8_t *dst,{} const uint32_t *stream,\n"
      "    int32_t first_row, int32_t end_row) {{\n{}}}\n",
      kernel.text, conv.in_h, conv.in_w, conv.in_c, conv.out_h, conv.out_w, conv.out_c, conv.k_h,
      conv.k_w, way.block.pixels, way.block.channels, way.driver, function.name,
      way.scratch_bytes > 0 ? " void *scratch," : "", body);
  variant.scratch_bytes = way.scratch_bytes;
  double instructions = way.blocks * (kernel.per_block + kernel.per_group * way.block.groups()) +
                        way.driver_instructions;
  variant.cycles = kCyclesPerInstruction * instructions;
  variant.code_bytes = kernel.code_bytes + 100;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s8_mve(const LayerView& layer,
                                                  const LowerOptions& options) {
  if (layer.field("groups") != 1) return {};
  ConvShape conv(layer);
  std::optional<HeliumOutput> output = HeliumOutput::of(layer);
  if (!output || conv.out_c > 16000) return {};
  std::vector<Way> ways;
  for (auto [pixels, channels] : {std::pair{4, 2}, {3, 2}, {2, 4}, {1, 8}}) {
    add_pointwise(conv, pixels, channels, ways);
    if (channels == 2) add_windows(conv, pixels, ways);
    add_gathered(conv, pixels, channels, ways);
  }
  std::vector<KernelVariant> variants;
  for (const Way& way : ways) {
    BlockKernel kernel = block_kernel(way.block, *output, max_unrolled(options.optimize));
    variants.push_back(make_variant(layer, conv, way, *output, kernel));
  }
  return variants;
}

}  // namespace nibble
