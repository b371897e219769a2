#include "lower/rvv/conv_vectors.h"

#include <cmath>

#include "lower/conv_shape.h"
#include "lower/packing.h"

namespace nibble {
namespace {

// Around a call of the block kernel; a row of pixels; a copied window and each of its rows.
constexpr double kPerCall = 25, kPerRow = 25, kPerWindow = 45, kPerWindowRow = 22;

std::vector<int32_t> start_values(const ConvLayer& layer, int depth) {
  std::vector<int32_t> sums(static_cast<size_t>(layer.conv.out_c), 0);
  for (int channel = 0; channel < layer.conv.out_c; ++channel)
    for (int tap = 0; tap < layer.conv.taps(); ++tap)
      for (int in = 0; in < depth; ++in)
        sums[static_cast<size_t>(channel)] += layer.weight(channel, tap, in);
  return bias_with_zero(layer.bias, sums, layer.conv.in_zero);
}

class ConvVectors {
 public:
  // `pixels` of a block. With shape.depth > 0 they stand side by side in its lanes.
  ConvVectors(const ConvLayer& layer, const VectorOutput& output, VectorShape shape, int pixels)
      : layer_(layer), conv_(layer.conv), output_(output), shape_(shape), pixels_(pixels) {
    points_ = conv_.taps() == 1 && conv_.inside() && shape.depth == 0;
    shape_.rows = points_ ? 1 : conv_.k_h;
    shape_.run = points_ ? conv_.in_c : conv_.k_w * (shape.depth > 0 ? 1 : conv_.in_c);
    shape_.pixel_pitch = conv_.stride_w * conv_.in_c;
    shape_.pixels = shape.depth > 0 ? 1 : pixels;
    shape_.out_c = shape.depth > 0 ? pixels * shape.depth : conv_.out_c;
    shape_.uniform = output.uniform();
    columns_ = (pixels - 1) * conv_.stride_w + conv_.k_w;
  }

  // With functions that layers may share, and others if they are faster.
  void add_variants(const std::vector<int32_t>& bias, std::vector<KernelVariant>& variants) {
    auto weight = [&](int channel, int byte) {
      return shape_.depth > 0 ? layer_.weight(channel % shape_.depth, byte, 0)
                              : layer_.weight(channel, byte / conv_.in_c, byte % conv_.in_c);
    };
    set_partial_sums(shape_, weight);
    std::vector<uint8_t> stream = pack_vectors(shape_, output_, bias, weight);
    variants.push_back(variant(stream));
    if (set_longest_sums(shape_, weight)) variants.push_back(variant(std::move(stream)));
  }

 private:
  KernelVariant variant(std::vector<uint8_t> stream) const {
    VectorKernel kernel = vector_kernel(shape_, output_);
    KernelVariant variant;
    variant.packed = {{"stream", "uint32_t", std::move(stream)}};
    variant.scratch_bytes = points_ ? 0 : int64_t{columns_} * conv_.in_c * conv_.k_h;
    fill_function(kernel, variant.function);
    variant.cycles = instructions(kernel);
    variant.function.code_bytes = kernel.code_bytes + 100;
    if (points_ && joined()) variant.row_cost.pixels = pixels_;
    return variant;
  }

  void fill_function(const VectorKernel& kernel, KernelFunction& function) const {
    std::string body = body_text(kernel);
    function.name = fmt::format("nibble_{}_s8_rvv_{}x{}_k{}x{}_{}", layer_.op, conv_.in_c,
                                conv_.out_c, conv_.k_h, conv_.k_w, text_hash(kernel.text + body));
    function.isa = "rvv";
    function.files = vector_files();
    for (const char* file : {"common/copy_s8.h", "common/window.h", "conv2d/conv2d_s8_vectors.h"})
      function.files.push_back(file);
    function.parameters = {"const int8_t *", "int8_t *"};
    if (!points_) function.parameters.push_back("void *");
    function.takes_rows = layer_.takes_rows;
    function.text = fmt::format(
        "{}/* {} {}x{}x{} -> {}x{}x{}, {} x {}, blocks of {} pixels by {} channels */\n"
        "static void {}(\n    const int8_t *src, int8_t *dst,{} const uint32_t *stream{}) "
        "{{\n{}}}\n",
        kernel.text, layer_.op, conv_.in_h, conv_.in_w, conv_.in_c, conv_.out_h, conv_.out_w,
        conv_.out_c, conv_.k_h, conv_.k_w, pixels_, shape_.lanes(), function.name,
        points_ ? "" : " void *scratch,",
        layer_.takes_rows ? ", int32_t first_row,\n    int32_t end_row" : "", body);
  }

  std::string body_text(const VectorKernel& kernel) const {
    return fmt::format(
        "  static const nibble_conv2d_s8_vectors_args args = {{\n"
        "      {}, {},\n"
        "      {}, {}, {}, {}, {}, {}, {}, {}, {},\n"
        "      {}, {}, {}, {}, {}, {}, {},\n"
        "      {}, {}}};\n"
        "  nibble_conv2d_s8_vector_{}(&args, src, dst, {}stream, {});\n",
        kernel.name, pixels_, conv_.batches, conv_.in_h, conv_.in_w, conv_.in_c, conv_.out_h,
        conv_.out_w, conv_.out_c, conv_.k_h, conv_.k_w, conv_.stride_h, conv_.stride_w,
        conv_.dilation_h, conv_.dilation_w, conv_.pad_top, conv_.pad_left, conv_.in_zero,
        shape_.uniform ? static_cast<int32_t>(output_.multiplier(0)) : 0,
        shape_.uniform ? output_.shift(0) : 0, points_ ? "points" : "windows",
        points_ ? "" : "(int8_t *)scratch, ", layer_.takes_rows ? "first_row, end_row" : "0, 1");
  }

  // The rows of an image follow each other without a gap.
  bool joined() const {
    return conv_.stride_h == 1 && conv_.stride_w == 1 && conv_.in_w == conv_.out_w;
  }

  double instructions(const VectorKernel& kernel) const {
    double per_call = kPerCall + kernel.per_call;
    if (points_ && joined()) {
      double pixels = double{1} * conv_.out_h * conv_.out_w;
      return conv_.batches * (per_call + kPerRow + std::ceil(pixels / pixels_) * kernel.per_block);
    }
    double rows = double{1} * conv_.batches * conv_.out_h;
    double blocks = rows * std::ceil(1.0 * conv_.out_w / pixels_);
    double copied = 0;
    if (!points_ && !conv_.inside())
      copied = conv_.dilation_w > 1
                   ? blocks
                   : std::min(blocks, 2 * rows + 2 * blocks / std::max(1, conv_.out_h));
    double per_window = kPerWindow + conv_.k_h * kPerWindowRow;
    return kPerRow * rows + blocks * kernel.per_block + std::min(blocks, rows + copied) * per_call +
           copied * per_window;
  }

  const ConvLayer& layer_;
  const ConvShape& conv_;
  const VectorOutput& output_;
  VectorShape shape_;
  int pixels_ = 1;
  bool points_ = false;
  int columns_ = 0;  // of a block's windows
};

}  // namespace

std::vector<KernelVariant> conv_vector_variants(const ConvLayer& layer, const VectorOutput& output,
                                                Optimize optimize) {
  const std::vector<int32_t> bias = start_values(layer, layer.conv.in_c);
  std::vector<KernelVariant> variants;
  for (int registers : {4, 2, 1})
    for (int pixels = 4 / registers; pixels >= 1; --pixels) {
      // Fewer lanes than channels only where more pixels make up for it, and never fewer pixels
      // than there may be.
      int lanes = 16 * registers;
      if (registers > 1 && layer.conv.out_c <= lanes / 2) continue;
      if (pixels > layer.conv.out_w || (pixels > 1 && layer.conv.dilation_w > 1)) continue;
      if (!variants.empty() && registers * pixels < 2 && layer.conv.out_c > 16) continue;
      for (bool padded : {true, false}) {
        if (!padded && layer.conv.out_c % lanes == 0) continue;
        VectorShape shape;
        shape.registers = registers;
        shape.padded = padded;
        shape.max_unrolled = max_unrolled_vectors(optimize);
        ConvVectors(layer, output, shape, pixels).add_variants(bias, variants);
      }
    }
  return variants;
}

std::vector<KernelVariant> depthwise_vector_variants(const ConvLayer& layer,
                                                     const VectorOutput& output,
                                                     Optimize optimize) {
  constexpr int kLanes = 64, kGatheredLanes = 32, kMaxPlace = 255;
  const ConvShape& conv = layer.conv;
  const std::vector<int32_t> bias = start_values(layer, 1);
  std::vector<KernelVariant> variants;
  for (int pixels = 1; pixels <= std::min(kLanes / std::min(conv.in_c, kLanes) + 1, conv.out_w);
       ++pixels) {
    bool gathered = pixels > 1 && conv.stride_w > 1;
    int lanes = pixels * conv.in_c, most = gathered ? kGatheredLanes : kLanes;
    if (pixels > 1 && (lanes > most || conv.dilation_w > 1)) break;
    if (gathered && (pixels - 1) * conv.stride_w * conv.in_c + conv.in_c - 1 > kMaxPlace) break;
    VectorShape shape;
    shape.depth = conv.in_c;
    shape.registers = lanes > 32 ? 4 : lanes > 16 || gathered ? 2 : 1;
    shape.padded = lanes == shape.lanes();
    shape.max_unrolled = max_unrolled_vectors(optimize);
    ConvVectors(layer, output, shape, pixels).add_variants(bias, variants);
  }
  return variants;
}

}  // namespace nibble
