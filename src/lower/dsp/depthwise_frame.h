// What the parts of a depthwise convolution's assembly share (depthwise_text.h): its stack frame,
// its labels, and the functions that write the parts. Inside lower/dsp/ only.
#pragma once

#include "depthwise_conv2d/depthwise_conv2d_s8_pairs.h"
#include "lower/dsp/depthwise_text.h"

namespace nibble::depthwise_frame {

// The stack frame. The first five are loaded together, r0-r3 and r10; neighbours that are loaded
// together otherwise: kStart kEnd, kScale kRow, kRow kColumn, kWeights kWeightsEnd.
enum Slot {
  kLastRow = 0,  // the dst that a channel's last row pair ends with
  kStart = 4,
  kEnd = 8,       // of the row pair's blocks in the planes
  kNextRow = 12,  // from there to the next row pair's first
  kNextDst = 16,
  kScale = 20,
  kRow = 24,     // bytes from a row of dst to the next; 0 if the strip has one row
  kColumn = 28,  // from a column of dst to the next
  kShift = 32,
  kWeights = 36,
  kWeightsEnd = 40,
  kTail = 44,  // is there a last column without a partner
  kBlocksBytes = 48,
  kLastDst = 52,  // from a channel's first dst to kLastRow
  kStream = 56,
  kGroupEnd = 60,
  kStreamEnd = 64,
  kDst = 68,  // of the next channel
  kPlanes = 72,
  kPlane = 76,  // of the next channel
  kFirstColumn = 80,
  kColumns = 84,
  kChannel = 88,  // the group's first
  kTableEnd = 92,
  kY = 96,
  kEndRow = 100,
  kSrc = 104,
  kDstImage = 108,
  kHeader = 112,
  kZeros = 116,  // a pixel of zero points
  kPairColumn = 120,
  kTable = 124  // for each pair of rows: two addresses, two distances between columns
};
constexpr int kTableEntry = 16, kSavedBytes = 36;

enum Label {
  kFill = 1,
  kFillZeros,
  kStrip,
  kTableLoop,
  kGroup,
  kPairLoop,
  kOne,
  kPairs,
  kTwo,
  kRest,
  kPairDone,
  kChannelLoop,
  kNext,
  kBlock,
  kTap,
  kBlockEnd,
  kTailTap
};

inline std::string slot(int offset) { return fmt::format("[sp, #{}]", offset); }
inline void load(Assembly& code, const char* to, int from) {
  code.op("ldr {}, {}", to, slot(from));
}
inline void store(Assembly& code, const char* from, int to) {
  code.op("str {}, {}", from, slot(to));
}
inline void load_field(Assembly& code, const char* to, int index) {
  code.op("ldr {}, [r3, #{}]", to, 4 * index);
}
// to := from * factor.
inline void multiply(Assembly& code, const char* to, const char* from, int factor) {
  if ((factor & (factor - 1)) == 0) {
    int bits = 0;
    while (1 << bits < factor) ++bits;
    code.op("lsl {}, {}, #{}", to, from, bits);
  } else {
    code.op("movw {}, #{}", to, factor);
    code.op("mul {0}, {0}, {1}", to, from);
  }
}

// The multiply-accumulates of a block of `columns` (1 or 2) by two outputs. Accumulators: r0 and r1
// the upper row, r2 and r3 the lower one; r1 begins as the start value of all. r12: the planes, to
// which `advance` is added. `label`: for a loop.
Assembly products(const DepthwiseText& text, int columns, int advance, int label);

// Adds to `code` the table of the addresses of a strip's rows: r4 the first output row, r6 how
// many.
void write_row_table(const DepthwiseText& text, DepthwiseCode& code);

// Adds to `code` a group's begin: four channels of the strip's rows unpacked into planes.
void write_group(const DepthwiseText& text, DepthwiseCode& code);

}  // namespace nibble::depthwise_frame
