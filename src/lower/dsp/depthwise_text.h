// The assembly of a depthwise convolution on cores with 16-bit multiply-accumulate pairs (SMLAD).
//
// Rows of the source are taken in pairs: a word holds two elements of a column, one above the
// other. A strip of output rows is computed four input channels at a time. First its rows are
// unpacked into planes of such words, once for all taps that meet them: of each pair of rows and
// two columns four loads of four channels, four PKHBT or PKHTB, eight masks and four double stores.
// Then each channel's outputs follow in blocks of two rows and two columns. For a kernel of 3 x 3,
// whose weights stay in registers: 4 double loads and 24 multiplications for the 36 products of a
// block.
//
// Layout of the planes: [two columns][channel][pair of rows][column].
#pragma once

#include <string>

#include "lower/assembly.h"
#include "lower/dsp/output_stage.h"

namespace nibble {

// What the text depends on.
struct DepthwiseText {
  int k_h = 3, k_w = 3, stride_h = 1, stride_w = 1;
  int pairs = 3;         // pairs of rows that the planes hold
  bool odd_left = true;  // columns of padding
  bool one_column = false;
  bool planes_listed = false;  // several output channels per input channel
  bool affine = false;         // AffineOutput instead of the output stage

  bool weights_in_registers() const { return k_h <= 3 && k_w <= 3; }
  // Pairs of rows that two rows of outputs need.
  int block_pairs() const { return (k_h + stride_h + 1) / 2; }
  // Rows of outputs of a strip, an even number.
  int strip_rows() const { return ((2 * pairs - k_h) / stride_h + 1) / 2 * 2; }
  int plane_bytes() const { return 8 * pairs; }
  int column_pair_bytes() const { return 4 * plane_bytes(); }
  int offset(int column, int pair) const {
    return column / 2 * column_pair_bytes() + column % 2 * 4 + 8 * pair;
  }
  std::string name(const OutputStage& stage) const;
};

// The parts beside `all` are for the estimate of time.
struct DepthwiseCode {
  Assembly all;
  Assembly strip, table_pair, group, pair, two_columns, one_column;
  Assembly channel, row_pair, block, tail;
};

DepthwiseCode depthwise_code(const DepthwiseText& text, const OutputStage& stage);

}  // namespace nibble
