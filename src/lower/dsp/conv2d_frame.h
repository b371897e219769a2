// What the parts of a convolution's assembly share (conv2d_text.h): its stack frame, its labels,
// and the functions that write the parts. Inside lower/dsp/ only.
#pragma once

#include "conv2d/conv2d_s8_pairs.h"
#include "lower/dsp/conv2d_text.h"

namespace nibble {

// The stack frame. What a channel pair ends with stands at its begin, to be loaded at once.
enum Slot {
  kDst = 0,  // of the block's first pixel, next channel
  kOutC = 4,
  kAddend = 8,     // of the outputs
  kProducts = 12,  // what a channel pair begins with: the sums per pixel; wide: the window
  kTopSkip = 16,   // bytes of weights of kernel rows above the image
  kBuffer = 16,    // patch: for the runs of a window that is partly outside
  kLoopEnd = 20,   // of the window
  kBottomSkip = 24,
  kWindowEnd = 24,  // if no rows are left out
  kWeights = 28,    // of the first pair
  kX = 32,          // input column of the block's first tap
  kLeft = 36,       // pixels of the row that are left
  kPixelDst = 40,   // of the block's first pixel
  kRowSrc = 44,     // first kernel row inside the image, column 0
  kRows = 48,       // kernel rows inside the image
  kRow = 52,
  kEndRow = 56,
  kSrc = 60,
  kStream = 64,
  kQuads = 68,
  kColumnBytes = 72,  // from a column to the next
  kColumnEnd = 76,
  kFirstColumn = 80,  // columns before it have moved on from the block before
  kInW = 84,          // patch: in_w - k_w
  kRowSkip = 88,
  kWords = 92,     // of a column inside the image
  kTopWords = 96,  // patch: of a column above the image, and below
  kBottomWords = 100,
  kReturn = 104,
  kEntry = 108,
  kSums = 112,  // sums per pixel, then the window
  kFrameBytes = 116
};
constexpr int kSavedBytes = 36;

// Labels.
enum Label {
  kRowLoop = 1,
  kBlockLoop,
  kColumnLoop,
  kTapLoop,
  kPairLoop,
  kZeroColumn,
  kBorder,
  kStrip,
  kNear,
  kRunLoop,
  kQuadLoop,
  kColumnDone,
  kTailBlock,
  kRowEnd,
  kSlideLoop,
  kFillLoop,
  kColumns,
  kByteLoop,
  kByteRow,
  kEntryTable,
  kFirstEntry = 50
};

// A field of the stream's header, whose address is in `header`.
inline void load_field(Assembly& code, const char* to, int index, const char* header = "r3") {
  code.op("ldr {}, [{}, #{}]", to, header, 4 * index);
}
inline void load(Assembly& code, const char* to, int slot) {
  code.op("ldr {}, [sp, #{}]", to, slot);
}
inline void store(Assembly& code, const char* from, int slot) {
  code.op("str {}, [sp, #{}]", from, slot);
}
// to := from * factor; `to` differs from `from`.
void multiply_by(Assembly& code, const char* to, const char* from, int factor);

// Widens the window of the block at kX; kLeft and kX have been moved back if the row ends here.
void write_window(const ConvText& text, ConvCode& code);
// What write_window() calls, behind the function's end.
void write_window_routine(const ConvText& text, ConvCode& code);
// All channels of a block of `pixels`; the parts are for the estimate.
void write_products(const ConvText& text, const OutputStage& stage, int pixels, Assembly& code,
                    Assembly& round, Assembly& rest, Assembly& pair);

}  // namespace nibble
