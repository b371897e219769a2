// Depthwise convolutions on cores without SIMD, channel by channel over words
// (kernels/depthwise_conv2d/depthwise_conv2d_s8_planes.h): what the instruction sets share. Each
// brings a PlanesCore: its inner function in assembly, for some number of outputs at once.
#pragma once

#include "lower/scalar/rescale.h"

namespace nibble {

// Offsets of the fields of nibble_depthwise_line on the 32-bit targets, for assembly.
inline constexpr int kLineX = 0, kLineDst = 4, kLineDstStep = 8, kLineCount = 12, kLineTaps = 16,
                     kLineRescale = 20;

// What the text of an inner function depends on.
struct PlanesLine {
  int taps = 9;
  int outputs = 4;  // at once
  RescaleStage stage;

  // Taps between two looks at the end of the list: all of them if they are few.
  int unrolled() const;
};

struct PlanesCore {
  std::string isa, condition;
  std::vector<int> outputs;  // numbers at once that `line` knows
  Assembly (*line)(const PlanesLine& line) = nullptr;
  std::span<const RescaleForm> forms;
  // For the choice: cycles of a group of outputs beside its taps and outputs, of a tap of a group,
  // of an output of a tap, of an output, of a word of a plane.
  double (*cycles_of_form)(const RescaleStage& stage) = nullptr;  // rescaling an output
  double per_group = 0, per_tap = 0, per_product = 0, per_output = 0, per_word = 0;
  CostFit fit;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> depthwise_planes(const LayerView& layer, const PlanesCore& core);

}  // namespace nibble
