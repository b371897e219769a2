// The block kernel of cores with Helium: a naked function over nibble_blocks_s8
// (kernels/common/blocks_s8.h) for one shape of block, and the stream of weights that it reads.
// Sixteen multiply-accumulates are one instruction (VMLADAVA.S8) into one of eight even registers:
// four pixels by two channels share each load of activations and weights.
#pragma once

#include "lower/mve/output_stage.h"

namespace nibble {

struct BlockShape {
  // 4 x 2, 3 x 2, 2 x 4 or 1 x 8; taps > 1 with two channels only.
  int pixels = 4, channels = 2;
  int rows = 1, taps = 1, vectors = 1, tail = 16;
  int pixel_pitch = 0, tap_pitch = 0;
  // src and all pitches are multiples of four: loads reach further.
  bool words = false;
  int out_c = 0;
  bool uniform = false;  // one multiplier and exponent, with eight channels
  // The kernel joins windows of gather_rows rows of gather_run bytes to runs first.
  int gather_rows = 0, gather_run = 0, gather_pitch = 0;

  bool stepped() const { return out_c > channels && out_c % channels != 0; }
  int stored() const { return std::min(channels, out_c); }
  int groups() const { return (out_c + channels - 1) / channels; }
};

// A weight by output channel, row, tap and byte of the tap.
using WeightAt = std::function<int8_t(int channel, int row, int tap, int byte)>;

// `bias` holds out_c start values, the zero point of the input folded in.
std::vector<uint8_t> pack_blocks(const BlockShape& shape, const HeliumOutput& output,
                                 const std::vector<int32_t>& bias, const WeightAt& weight);

struct BlockKernel {
  std::string name;
  std::string text;  // definition, guarded: the same in every function that uses it
  int64_t code_bytes = 0;
  double per_group = 0;  // executed instructions per block and group
  double per_block = 0;  // and around the groups of a block
};
// `max_unrolled` instructions of a group's sums stand in a row; longer ones become loops.
BlockKernel block_kernel(const BlockShape& shape, const HeliumOutput& output, int max_unrolled);

// Executed instructions of all blocks for `pixels` pixels that lie in a row.
double block_instructions(const BlockShape& shape, const BlockKernel& kernel, int64_t pixels);

// Limits of unrolling by what the choice is after.
int max_unrolled(Optimize optimize);

// Headers that the text relies on.
std::vector<std::string> block_files();

}  // namespace nibble
