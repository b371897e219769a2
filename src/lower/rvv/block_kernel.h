// The block kernel of cores with RISC-V vectors: a naked function over nibble_vectors_s8
// (kernels/common/vectors_s8.h) for one shape of block, and the stream that it reads.
//
// Output channels lie across the lanes. A byte of the window times the weights of up to 64 channels
// is one instruction (VWMACC.VX) into 16-bit sums, which are added to the 32-bit accumulators
// before they could overflow: how many taps that is follows from the layer's own weights.
// Depthwise, the lanes of several pixels stand side by side, and a tap's bytes are a vector, too.
#pragma once

#include <functional>

#include "lower/rvv/output_stage.h"

namespace nibble {

struct VectorShape {
  int registers = 4;  // of a tap's weights: 1, 2 or 4
  int pixels = 1;     // registers * pixels <= 4
  int rows = 1, run = 1;
  int pixel_pitch = 0;
  int out_c = 0;
  bool padded = false, uniform = false;
  // Depthwise: the channels; then a pixel's window has `run` pixels in a row, out_c is how many
  // lanes whole pixels fill (or depth), and pixels is 1.
  int depth = 0;
  int max_unrolled = 250;  // instructions of the loop over taps
  // Partial sums: so many taps at most, nearly equal; or of these lengths, in the loop's body and
  // in what stands behind it (or instead of it). set_partial_sums() finds them.
  int taps_in_16_bits = 1;
  std::vector<int> loop_sums, rest_sums;

  int lanes() const { return 16 * registers; }
  int taps() const { return rows * run; }
  // Lanes whose pixels do not lie side by side in the source.
  bool gathered() const { return depth > 0 && out_c > depth && pixel_pitch != depth; }
  int groups() const { return (out_c + lanes() - 1) / lanes(); }
};

// The weight of a byte (depthwise: pixel) of the window, rows * run of them.
using WindowWeight = std::function<int8_t(int channel, int byte)>;

// Sets taps_in_16_bits to the most with which no partial sum leaves 16 bits, whatever the input.
// Layers may share functions then.
void set_partial_sums(VectorShape& shape, const WindowWeight& weight);
// Sets the lengths that are the longest for just these weights. Are they fewer sums?
bool set_longest_sums(VectorShape& shape, const WindowWeight& weight);

// `bias` holds a start value for each channel, the zero point of the input folded in.
std::vector<uint8_t> pack_vectors(const VectorShape& shape, const VectorOutput& output,
                                  const std::vector<int32_t>& bias, const WindowWeight& weight);

struct VectorKernel {
  std::string name;
  std::string text;  // definition, guarded: the same in every function that uses it
  int64_t code_bytes = 0;
  double per_block = 0, per_call = 0;  // executed instructions
};
VectorKernel vector_kernel(const VectorShape& shape, const VectorOutput& output);

// Instructions of a loop that may stand in a row, by what the choice is after.
int max_unrolled_vectors(Optimize optimize);

// Headers that the text relies on.
std::vector<std::string> vector_files();

}  // namespace nibble
