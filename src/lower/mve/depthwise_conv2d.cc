// depthwise_conv2d_s8 on cores with Helium: tiles of outputs from patches of 4 x 4 pixels
// (lower/mve/patch_kernel.h); with one input channel it is a convolution.
#include <cmath>

#include "lower/conv_shape.h"
#include "lower/mve/conv_blocks.h"
#include "lower/mve/patch_kernel.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr double kCyclesPerInstruction = 1.3;
constexpr int kSlabChannels = 16, kSlabColumnBytes = 64;
// Two bands where they make up for few columns; the slabs of more would be large.
constexpr int kMaxColumns = 8, kMaxBandColumns = 5;
constexpr double kInstructionsPerSlabColumn = 14;

int multiplier_of(const LayerView& layer) { return layer.int_field("channel_multiplier"); }

PatchShape patch_shape(const ConvShape& conv, int bands, int columns, int multiplier) {
  PatchShape shape;
  shape.row_chunks = (conv.k_h + 3) / 4;
  shape.tap_chunks = (conv.k_w + 3) / 4;
  shape.stride_w = conv.stride_w;
  shape.dilation_w = conv.dilation_w;
  shape.dst_step = multiplier;
  bool one = shape.chunks() == 1;
  // Sharing moves the weights within 16 bytes: they must leave room.
  if (one && conv.k_w <= 3 && conv.k_h <= 3 && conv.stride_w == 1 && conv.dilation_w == 1)
    shape.share = 2;
  if (one && conv.k_w <= 3 && conv.k_h <= 3 && conv.stride_h == 1 && conv.dilation_h == 1 &&
      conv.out_h > 1)
    shape.band_rows = 2;
  shape.bands = bands;
  shape.columns = columns;
  return shape;
}

std::vector<uint8_t> pack(const LayerView& layer, const ConvShape& conv, const PatchShape& shape,
                          const HeliumOutput& output) {
  std::span<const int8_t> filter = layer.s8("filter");
  int multiplier = multiplier_of(layer), out_c = conv.out_c;
  std::vector<int32_t> sums(static_cast<size_t>(out_c), 0);
  for (size_t i = 0; i < filter.size(); ++i) sums[i % static_cast<size_t>(out_c)] += filter[i];
  std::vector<int32_t> bias = bias_with_zero(layer.s32("bias"), sums, conv.in_zero);
  auto weight = [&](int channel, int ky, int kx) -> uint8_t {
    if (ky >= conv.k_h || kx >= conv.k_w) return 0;
    return static_cast<uint8_t>(
        filter[static_cast<size_t>((ky * conv.k_w + kx) * out_c + channel)]);
  };
  std::vector<uint8_t> stream(8, 0);
  std::vector<uint8_t> tables;
  for (int m = 0; m < multiplier; ++m)
    for (int c = 0; c < conv.in_c; ++c) {
      int channel = c * multiplier + m;
      for (int chunk = 0; chunk < shape.chunks(); ++chunk)
        for (int lane = 0; lane < 16; ++lane)
          stream.push_back(weight(channel, chunk / shape.tap_chunks * 4 + lane % 4,
                                  chunk % shape.tap_chunks * 4 + lane / 4));
      auto at = static_cast<size_t>(channel);
      put_word(tables, static_cast<uint32_t>(bias[at]));
      put_word(tables, output.multiplier(at));
      put_word(tables, output.exponent(at));
    }
  stream.insert(stream.end(), tables.begin(), tables.end());
  return stream;
}

double instructions(const ConvShape& conv, const PatchShape& shape, const PatchKernel& kernel,
                    int multiplier) {
  double rows = std::ceil(conv.out_h / static_cast<double>(shape.rows()));
  double columns = std::ceil(conv.out_w / static_cast<double>(shape.columns));
  double blocks = std::ceil(conv.in_c / static_cast<double>(kSlabChannels));
  double slab = (40 + shape.slab_columns() * kInstructionsPerSlabColumn) * shape.slabs();
  double tiles = conv.batches * rows * columns * blocks;
  return 200 + tiles / blocks * 100 * shape.slabs() +
         tiles * (slab + multiplier * (25 + kernel.per_call)) +
         conv.batches * rows * columns * conv.in_c * multiplier * kernel.per_channel;
}

KernelVariant make_variant(const LayerView& layer, const ConvShape& conv, const PatchShape& shape,
                           const HeliumOutput& output) {
  PatchKernel kernel = patch_kernel(shape, output);
  int multiplier = multiplier_of(layer);
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(layer, conv, shape, output)}};
  std::string body = fmt::format(
      "  static const nibble_depthwise_conv2d_s8_patches_args args = {{\n"
      "      {}, &{},\n"
      "      {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}};\n"
      "  nibble_depthwise_conv2d_s8_patches(&args, src, dst, (int8_t *)scratch, stream, "
      "first_row,\n"
      "                                     end_row);\n",
      kernel.name, kernel.shape_name, conv.batches, conv.in_h, conv.in_w, conv.in_c, conv.out_h,
      conv.out_w, multiplier, conv.k_h, conv.k_w, conv.stride_h, conv.dilation_h, conv.pad_top,
      conv.pad_left, conv.in_zero);
  KernelFunction& function = variant.function;
  function.name =
      fmt::format("nibble_depthwise_conv2d_s8_mve_{}_k{}x{}_{}x{}_{}", conv.in_c, conv.k_h,
                  conv.k_w, shape.rows(), shape.columns, text_hash(kernel.text + body));
  function.isa = "mve";
  function.files = {"common/nibble_common.h", "common/requant.h",
                    "common/output_s8.h",     "common/copy_s8.h",
                    "common/window.h",        "depthwise_conv2d/depthwise_conv2d_s8_patches.h"};
  function.parameters = {"const int8_t *", "int8_t *", "void *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "{}/* depthwise_conv2d {}x{}x{} -> {}x{}x{}, {} x {}, stride {} x {} */\n"
      "static void {}(\n    const int8_t *src, int8_t *dst, void *scratch, const uint32_t "
      "*stream,\n"
      "    int32_t first_row, int32_t end_row) {{\n{}}}\n",
      kernel.text, conv.in_h, conv.in_w, conv.in_c, conv.out_h, conv.out_w, conv.out_c, conv.k_h,
      conv.k_w, conv.stride_h, conv.stride_w, function.name, body);
  variant.scratch_bytes = shape.slabs() * shape.slab_columns() * kSlabColumnBytes + 16;
  if (shape.rows() > 1)
    variant.scratch_bytes += shape.rows() * shape.columns * kSlabChannels * multiplier;
  // A tile is read and written 16 channels at a time, and of them nothing is read afterwards.
  bool by_channels = multiplier == 1;
  variant.progress = tile_progress(
      window_walk(layer), {shape.rows(), shape.columns, by_channels || conv.in_c <= kSlabChannels});
  if (by_channels && conv.in_c > kSlabChannels) variant.progress_unit = conv.in_c;
  variant.cycles = kCyclesPerInstruction * instructions(conv, shape, kernel, multiplier);
  variant.function.code_bytes = kernel.code_bytes + 100;
  variant.row_cost.rows = shape.rows();
  return variant;
}

std::vector<KernelVariant> as_convolution(const LayerView& layer, const ConvShape& conv,
                                          const HeliumOutput& output, Optimize optimize) {
  ConvLayer dense{"depthwise_conv2d", conv, {}, layer.s32("bias"), true};
  dense.weight = [&conv, filter = layer.s8("filter")](int out, int tap, int) {
    return filter[static_cast<size_t>(tap * conv.out_c + out)];
  };
  return conv_block_variants(dense, output, optimize);
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s8_mve(const LayerView& layer,
                                                            const LowerOptions& options) {
  std::optional<HeliumOutput> output = HeliumOutput::of(layer);
  ConvShape conv = conv_shape(layer);
  int multiplier = multiplier_of(layer);
  conv.out_c = conv.in_c * multiplier;
  if (!output) return {};
  if (conv.in_c == 1) return as_convolution(layer, conv, *output, options.optimize);
  // Distances within a tile are 16-bit, those of moves along a slab, too.
  bool near = int64_t{conv.out_c} * (3 * conv.out_w + kMaxColumns) < (1 << 16) &&
              int64_t{conv.k_w} * conv.dilation_w < 100 && conv.stride_w < 8 && multiplier < 256;
  if (!near) return {};
  std::vector<KernelVariant> variants;
  for (int bands = 1; bands <= 2; ++bands)
    for (int columns = 1;
         columns <= std::min(bands > 1 ? kMaxBandColumns : kMaxColumns, conv.out_w); ++columns) {
      PatchShape shape = patch_shape(conv, bands, columns, multiplier);
      int batches = patch_batches(shape);
      if (shape.slabs() > kMaxSlabs || batches > kMaxPatchBatches) continue;
      if (shape.rows() > std::max(1, conv.out_h)) continue;
      // Kernels of several chunks read their weights once: one batch.
      if (shape.chunks() > 1 && batches > 1) continue;
      variants.push_back(make_variant(layer, conv, shape, *output));
    }
  return variants;
}

}  // namespace nibble
