// Convolutions and dense layers on cores without SIMD, two multiply-accumulates per multiplication
// (kernels/common/words_s8.h): what the instruction sets share. Each brings a WordsCore: its inner
// function in assembly, and how that rescales.
#pragma once

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

// A convolution without groups; dense is one of 1 x 1 with a pixel per row.
struct WordsShape {
  int batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1, k_h = 1, k_w = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int in_zero = 0;

  int taps() const { return k_h * k_w * in_c; }
};

// The values that an accumulator can take.
struct AccRange {
  int64_t low = 0, high = 0;
};

// The output of a layer, and which of its accumulators differ from what one shift does.
struct WordsOutput {
  std::span<const int32_t> multiplier;
  std::span<const int8_t> exponent;
  int zero = 0, low = 0, high = 0;
  int64_t rounding = 0;

  static WordsOutput of(const LayerView& layer);
  // Negative ties are rounded away from zero, and not clamped away.
  bool away() const;
  // The exact output of a channel.
  int output(size_t channel, int64_t acc) const;
  // "d_m5_m128_100": all that a function's text may depend on.
  std::string name() const;
};

// The rescaling of a channel, behind the start values of a block; nothing where the form does not
// reach. `shared` is one word per block, which all its channels must agree on.
struct ScaledChannel {
  std::vector<uint32_t> words;
};

// (4 * acc * multiplier >> 32) + addend >> shift, for cores with a long multiplication.
std::optional<ScaledChannel> scale_by_high_product(const WordsOutput& output, size_t channel,
                                                   AccRange range);

// An instruction set's side.
struct WordsCore {
  std::string isa;        // "thumb2": of the function's name and KernelFunction::isa
  std::string condition;  // of the assembly
  int lanes = 4;          // channels of a block
  Assembly (*widen)() = nullptr;
  Assembly (*block)(const WordsOutput& output) = nullptr;
  std::string (*plain_block)(const WordsOutput& output) = nullptr;
  // The words of a block's channels behind their start values; empty where that does not reach.
  std::vector<uint32_t> (*rescale)(const WordsOutput& output, std::span<const size_t> channels,
                                   std::span<const AccRange> ranges) = nullptr;
  // For the choice.
  double cycles_per_group = 0;   // of a lane and pixel
  double cycles_per_output = 0;  // rescaling, and its part of the block's frame
  double cycles_per_run = 0;     // of a block's pixel
  double cycles_per_widened = 0;  // group
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> conv2d_words(const LayerView& layer, const WordsCore& core);

}  // namespace nibble
