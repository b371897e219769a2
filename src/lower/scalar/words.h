// Convolutions and dense layers on cores without SIMD, two multiply-accumulates per multiplication
// (kernels/common/words_s8.h): what the instruction sets share. Each brings a WordsCore: its inner
// function in assembly, and how that rescales.
#pragma once

#include "lower/scalar/rescale.h"

namespace nibble {

// A convolution without groups; dense is one of 1 x 1 with a pixel per row.
struct WordsShape {
  int batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1, k_h = 1, k_w = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int in_zero = 0;

  int taps() const { return k_h * k_w * in_c; }
};

// An instruction set's side.
struct WordsCore {
  std::string isa;        // "thumb2": of the function's name and KernelFunction::isa
  std::string condition;  // of the assembly
  int lanes = 4;          // channels of a block
  Assembly (*widen)() = nullptr;
  Assembly (*block)(const RescaleStage& stage) = nullptr;
  std::span<const RescaleForm> forms;  // by preference
  // For the choice.
  double cycles_per_group = 0;                                    // of a lane and pixel
  double cycles_per_output = 0;                                   // its part of the block's frame
  double (*cycles_of_form)(const RescaleStage& stage) = nullptr;  // rescaling an output
  double cycles_per_run = 0;                                      // of a block's pixel
  double cycles_per_widened = 0;                                  // group
  CostFit fit;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> conv2d_words(const LayerView& layer, const WordsCore& core);

}  // namespace nibble
