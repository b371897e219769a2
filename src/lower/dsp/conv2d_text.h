// Convolution on cores with 16-bit multiply-accumulate pairs (SMLAD): what the text of a function
// depends on, and the text. Inside lower/dsp/ only.
//
// Three output pixels of a row times two output channels at once. The pixels' windows are widened
// once, minus the zero point, into words of two taps; the words of neighbouring columns for the
// same two channels are adjacent, so that the three pixels of a tap are three words in a row, and
// the next tap of a row needs one more word:
//   window [kernel row][word of the run][column]
// Per word of weights: 1/3 load of it, one load of the window, one unpacking, six SMLAD: 8.3
// instructions for 12 multiply-accumulates. Kernel rows outside the image are left out of the loop.
//
// Where that does not pay (few channels, 1x1), a column is the whole window of one pixel: its run
// is k_w * in_c elements and has one tap (a "patch").
#pragma once

#include <string>
#include <vector>

#include "lower/assembly.h"
#include "lower/dsp/output_stage.h"

namespace nibble {

constexpr int kConvPixels = 3;

struct ConvText {
  // Columns of a kernel row, and the input columns from pixel to pixel.
  int k_w = 1, stride_w = 1;
  bool patch = true;
  bool flat = false;        // rows follow one another: all of them are one
  bool one_row = false;     // k_h is 1 and no row lies outside
  bool vertical = false;    // some kernel rows may lie outside the image
  bool horizontal = false;  // patch: some columns may
  // The loop over the words of weights: units (words of a run, with all columns) per round, whether
  // there is more than one round, units behind it.
  int unroll = 0, rest = 0;
  bool looped = false;
  // Instead: the run is whole quads, and the loop is entered in its middle, so that one text serves
  // all lengths. Patches of one row.
  bool entry = false;
  // Weights are 16 bits wide instead of channel pairs in lanes: nothing to unpack, no sums; 7.7
  // instructions for 12 multiply-accumulates, but twice the flash.
  bool wide = false;
  // Widening a run: quads per round of a loop, or all of them; elements behind.
  bool quad_loop = false;
  int quad_unroll = 0, run_rest = 0;
  int slide_unroll = 0;  // units per round when columns move on to the next block; 0: they do not
  // Rows whose width is no multiple of three: blocks of this many pixels (1, 2) at the end; 0: of
  // three. The last block shifts back over pixels that are computed already, if it must.
  int tail = 0;
  bool blocks = true;  // there are blocks of three

  int taps() const { return patch ? 1 : k_w; }
  int phases() const { return patch ? 1 : std::min(stride_w, k_w); }
  int phase_taps(int phase) const { return patch ? 1 : (k_w - phase + stride_w - 1) / stride_w; }
  int phase_columns(int phase) const { return phase_taps(phase) + kConvPixels - 1; }
  int columns() const { return taps() + phases() * (kConvPixels - 1); }
  int column_step_bytes() const { return 4 * columns(); }
  // Rows outside are left out of the loop; otherwise (patch) they are zeros in the window.
  bool skips_rows() const { return vertical && !patch; }
  bool slides() const { return slide_unroll > 0; }
  // Scratch before the window: sums per pixel, before them sums per column unless they are the
  // same.
  int sums_offset_bytes() const { return patch ? 0 : 4 * columns(); }
  int last_pixels() const { return tail > 0 ? tail : kConvPixels; }
  int window_offset_bytes() const { return sums_offset_bytes() + 4 * kConvPixels; }

  std::string name(const OutputStage& stage) const;
};

struct ConvCode {
  Assembly all;
  // Parts, for the estimate of time: their instructions are in `all`, too.
  Assembly unit_round, unit_rest;    // products: a round of the loop; behind it
  Assembly pair;                     // the rest of a channel pair
  Assembly quad_round, run, column;  // widening: per round of quads, per run, per column
  Assembly slide_round, block, row;
  Assembly tail_round, tail_rest, tail_pair;
};

ConvCode conv2d_code(const ConvText& text, const OutputStage& stage);

}  // namespace nibble
