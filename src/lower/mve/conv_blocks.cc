#include "lower/mve/conv_blocks.h"

#include <cmath>

#include "lower/conv_shape.h"
#include "lower/mve/block_kernel.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

// Cycles per executed instruction: vector instructions take two beats' pairs, loads overlap with
// them.
constexpr double kCyclesPerInstruction = 1.3;
// Distances between outputs of a block are 16-bit.
constexpr int kMaxChannels = 16000;

struct Way {
  std::string driver;  // nibble_conv2d_s8_DRIVER
  BlockShape block;
  int64_t scratch_bytes = 0;
  int pixel_bytes = 0, read_beyond = 0;
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

// Windows whose rows are short, or no whole vectors: the kernel joins them to runs.
void add_runs(const ConvShape& conv, int pixels, int channels, std::vector<Way>& ways) {
  int row = conv.k_w * conv.in_c, run = conv.taps() * conv.in_c;
  if (conv.taps() == 1 || conv.dilation_w != 1 || conv.out_w < pixels || run > 512) return;
  Way way;
  way.driver = "windows";
  way.block = block_of(pixels, channels, conv.out_c);
  way.block.vectors = vectors_of(run);
  way.block.words = true;
  way.block.gather_rows = conv.k_h;
  way.block.gather_run = row;
  way.block.gather_pitch = conv.stride_w * conv.in_c;
  // Stores of whole vectors reach over a run's end.
  way.block.pixel_pitch = 16 * way.block.vectors + 16;
  way.read_beyond = (16 * vectors_of(row) - row + conv.in_c - 1) / conv.in_c;
  int columns = (pixels - 1) * conv.stride_w + conv.k_w;
  int window = (columns * conv.k_h + way.read_beyond) * conv.in_c;
  way.scratch_bytes = 16 * vectors_of(window) + int64_t{pixels} * way.block.pixel_pitch + 16;
  double rows = conv.batches * conv.out_h;
  way.blocks = rows * ceil_div(conv.out_w, pixels);
  double copied = std::min(way.blocks, rows * 2);
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
  int copy = vectors_of(run / static_cast<int>(copies));
  double per_copy = copy == 1 && conv.dilation_w == 1 ? 8 : 15 + 3 * copy;
  way.driver_instructions = 80 + way.blocks * (50 + pixels * (60 + copies * per_copy));
  ways.push_back(std::move(way));
}

std::vector<int32_t> start_values(const ConvLayer& layer) {
  std::vector<int32_t> sums(static_cast<size_t>(layer.conv.out_c), 0);
  for (int channel = 0; channel < layer.conv.out_c; ++channel)
    for (int tap = 0; tap < layer.conv.taps(); ++tap)
      for (int in = 0; in < layer.conv.in_c; ++in)
        sums[static_cast<size_t>(channel)] += layer.weight(channel, tap, in);
  return bias_with_zero(layer.bias, sums, layer.conv.in_zero);
}

std::string body_text(const ConvLayer& layer, const Way& way, const HeliumOutput& output,
                      const std::string& block, size_t stream_words) {
  const ConvShape& conv = layer.conv;
  std::string scratch = way.scratch_bytes > 0 ? "(int8_t *)scratch, " : "";
  return fmt::format(
      "  static const nibble_conv2d_s8_blocks_args args = {{\n"
      "      {}, {}, {}, {}, {}, {},\n"
      "      {}, {}, {}, {}, {}, {}, {},\n"
      "      {}, {}, {}, {}, {}, {}, {}, {}, {},\n"
      "      {}, {}}};\n"
      "  nibble_conv2d_s8_{}(&args, src, dst, {}stream, {});\n",
      block, way.block.pixels, way.block.channels, stream_words, way.pixel_bytes, way.read_beyond,
      conv.batches, conv.in_h, conv.in_w, conv.in_c, conv.out_h, conv.out_w, conv.out_c, conv.k_h,
      conv.k_w, conv.stride_h, conv.stride_w, conv.dilation_h, conv.dilation_w, conv.pad_top,
      conv.pad_left, conv.in_zero,
      way.block.uniform ? static_cast<int32_t>(output.multiplier(0)) : 0,
      way.block.uniform ? static_cast<int32_t>(output.exponent(0)) : 0, way.driver, scratch,
      layer.takes_rows ? "first_row, end_row" : "0, 1");
}

// All else that the text depends on is in the hash of it.
std::string function_name(const ConvLayer& layer, const Way& way, const std::string& text) {
  return fmt::format("nibble_{}_s8_mve_{}_{}x{}_k{}x{}_{}", layer.op, way.driver, layer.conv.in_c,
                     layer.conv.out_c, layer.conv.k_h, layer.conv.k_w, text_hash(text));
}

std::vector<uint8_t> pack(const ConvLayer& layer, const Way& way, const HeliumOutput& output) {
  const ConvShape& conv = layer.conv;
  bool one_run = way.block.rows * way.block.taps == 1;
  auto weight = [&](int channel, int row, int tap, int byte) -> int8_t {
    if (!one_run)
      return byte < conv.in_c ? layer.weight(channel, row * conv.k_w + tap, byte) : int8_t{0};
    if (byte >= conv.taps() * conv.in_c) return 0;
    return layer.weight(channel, byte / conv.in_c, byte % conv.in_c);
  };
  return pack_blocks(way.block, output, start_values(layer), weight);
}

// Whether blocks go on from row to row.
bool goes_on(const ConvShape& conv, const Way& way) {
  bool joined = conv.stride_h == 1 && conv.in_w == conv.out_w;
  return way.driver == "gathered" || (way.driver == "pointwise" && joined);
}

// A block's windows are read again for every group of channels, unless they are copied first.
std::vector<AccessStep> progress_of(const ConvShape& conv, const Way& way) {
  WindowWalk walk{conv.batches,  conv.in_h,    conv.in_w,    conv.in_c,
                  conv.out_h,    conv.out_w,   conv.out_c,   conv.stride_h,
                  conv.stride_w, conv.pad_top, conv.pad_left};
  if (goes_on(conv, way)) return run_progress(walk, way.block.pixels, way.driver == "gathered");
  return tile_progress(walk, {1, way.block.pixels, way.block.gather_rows > 0});
}

KernelVariant make_variant(const ConvLayer& layer, const Way& way, const HeliumOutput& output,
                           const BlockKernel& kernel) {
  const ConvShape& conv = layer.conv;
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(layer, way, output)}};
  std::string body = body_text(layer, way, output, kernel.name, variant.packed[0].bytes.size() / 4);
  KernelFunction& function = variant.function;
  function.name = function_name(layer, way, kernel.text + body);
  function.isa = "mve";
  function.files = block_files();
  for (const char* file : {"common/copy_s8.h", "common/window.h", "conv2d/conv2d_s8_blocks.h"})
    function.files.push_back(file);
  function.parameters = {"const int8_t *", "int8_t *"};
  if (way.scratch_bytes > 0) function.parameters.push_back("void *");
  function.takes_rows = layer.takes_rows;
  function.text = fmt::format(
      "{}/* {} {}x{}x{} -> {}x{}x{}, {} x {}, blocks of {} pixels by {} channels, {} */\n"
      "static void {}(\n    const int8_t *src, int8_t *dst,{} const uint32_t *stream{}) {{\n{}}}\n",
      kernel.text, layer.op, conv.in_h, conv.in_w, conv.in_c, conv.out_h, conv.out_w, conv.out_c,
      conv.k_h, conv.k_w, way.block.pixels, way.block.channels, way.driver, function.name,
      way.scratch_bytes > 0 ? " void *scratch," : "",
      layer.takes_rows ? ", int32_t first_row,\n    int32_t end_row" : "", body);
  variant.scratch_bytes = way.scratch_bytes;
  variant.progress = progress_of(conv, way);
  double instructions = way.blocks * (kernel.per_block + kernel.per_group * way.block.groups()) +
                        way.driver_instructions;
  variant.cycles = kCyclesPerInstruction * instructions;
  variant.function.code_bytes = kernel.code_bytes + 100;
  if (goes_on(conv, way)) variant.row_cost.pixels = way.block.pixels;
  return variant;
}

}  // namespace

std::vector<KernelVariant> conv_block_variants(const ConvLayer& layer, const HeliumOutput& output,
                                               Optimize optimize) {
  if (layer.conv.out_c > kMaxChannels) return {};
  std::vector<Way> ways;
  for (auto [pixels, channels] : {std::pair{4, 2}, {3, 2}, {2, 4}, {1, 8}}) {
    add_pointwise(layer.conv, pixels, channels, ways);
    if (channels == 2) add_windows(layer.conv, pixels, ways);
    add_runs(layer.conv, pixels, channels, ways);
    add_gathered(layer.conv, pixels, channels, ways);
  }
  std::vector<KernelVariant> variants;
  for (Way& way : ways) {
    way.block.uniform = way.block.channels == 8 && output.uniform();
    BlockKernel kernel = block_kernel(way.block, output, max_unrolled(optimize));
    variants.push_back(make_variant(layer, way, output, kernel));
  }
  return variants;
}

}  // namespace nibble
