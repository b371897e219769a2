// The assembly of a convolution's function (see conv2d_text.h). While windows are widened: r0
// source, r1 window, r2 sum, r6 and r7 the lanes of -zero point and of ones, r8 and r9 counters,
// r10 the input column, r11 its place among the sums, r12 its address in the first row, lr from the
// end of a run to the next row.
#include "conv2d/conv2d_s8_pairs.h"
#include "lower/dsp/conv2d_text.h"

namespace nibble {
namespace {

// The stack frame. Neighbours that are loaded together stand on 8 bytes.
enum Slot {
  kProducts = 0,  // what a channel pair begins with: the sums per pixel; wide: the window
  kTopSkip = 4,   // bytes of weights of kernel rows above the image
  kBuffer = 4,    // patch: for the runs of a window that is partly outside
  kDst = 8,       // of the block's first pixel, next channel
  kOutC = 12,
  kLoopEnd = 16,  // of the window
  kBottomSkip = 20,
  kWindowEnd = 20,  // if no rows are left out
  kStreamEnd = 24,
  kWeights = 28,   // of the first pair
  kX = 32,         // input column of the block's first tap
  kLeft = 36,      // pixels of the row that are left
  kPixelDst = 40,  // of the block's first pixel
  kRowSrc = 44,    // first kernel row inside the image, column 0
  kRows = 48,      // kernel rows inside the image
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

// Registers of the products: `pixels` T and B each, columns and weights.
struct Registers {
  std::vector<std::string> t, b, column, weight;
};
const Registers& registers_for(int pixels) {
  static const Registers three = {
      {"r8", "r9", "r10"}, {"r11", "r12", "lr"}, {"r0", "r1", "r2"}, {"r3", "r4", "r5"}};
  static const Registers two = {
      {"r8", "r9"}, {"r10", "r11"}, {"r0", "r1", "r2", "r3", "r12"}, {"r4", "r5", "lr"}};
  static const Registers one = {
      {"r8"}, {"r9"}, {"r0", "r1", "r2", "r3", "r12"}, {"r4", "r5", "lr"}};
  return pixels == 3 ? three : pixels == 2 ? two : one;
}

// Loads `count` registers of `list` from `first` on, at `pointer`, and moves it on.
void load_next(Assembly& code, const std::string& pointer, const std::vector<std::string>& list,
               size_t first, size_t count) {
  if (count == 1) {
    code.op("ldr {}, [{}], #4", list[first], pointer);
    return;
  }
  std::string names;
  for (size_t i = first; i < first + count; ++i) names += (names.empty() ? "" : ", ") + list[i];
  code.op("ldmia {}!, {{{}}}", pointer, names);
}

class ConvWriter {
 public:
  ConvWriter(const ConvText& text, const OutputStage& stage) : text_(text), stage_(stage) {}

  ConvCode write() {
    prologue();
    if (!text_.flat) {
      code_.all.label(kRowLoop);
      code_.row = row_begin();
      code_.all.append(code_.row);
    }
    code_.all.label(kBlockLoop);
    code_.block = block_begin();
    widen();
    if (!text_.patch && !text_.wide) column_sums();
    block_products();
    code_.all.label(kRowEnd);
    if (!text_.flat) row_end();
    code_.all.op("add sp, sp, #{}", int{kFrameBytes});
    code_.all.op("pop {{r4-r11, pc}}");
    if (text_.phases() > 1) column_loop(true);
    return std::move(code_);
  }

 private:
  static void field(Assembly& code, const char* to, int index, const char* header = "r3") {
    code.op("ldr {}, [{}, #{}]", to, header, 4 * index);
  }
  static void load(Assembly& code, const char* to, int slot) {
    code.op("ldr {}, [sp, #{}]", to, slot);
  }
  static void store(Assembly& code, const char* from, int slot) {
    code.op("str {}, [sp, #{}]", from, slot);
  }

  void prologue() {
    Assembly& code = code_.all;
    code.op("push {{r4-r11, lr}}");
    code.op("sub sp, sp, #{}", int{kFrameBytes});
    load(code, "r4", kFrameBytes + kSavedBytes);
    load(code, "r5", kFrameBytes + kSavedBytes + 4);
    if (text_.sums_offset_bytes() > 0) code.op("add r2, r2, #{}", text_.sums_offset_bytes());
    store(code, "r2", kSums);
    if (text_.wide) {
      code.op("add r6, r2, #{}", 4 * kConvPixels);
      store(code, "r6", kProducts);
    } else {
      store(code, "r2", kProducts);
    }
    store(code, "r3", kStream);
    field(code, "r6", NIBBLE_CONV2D_STREAM_BYTES);
    code.op("add r6, r6, r3");
    store(code, "r6", kStreamEnd);
    code.op("add r6, r3, #{}",
            4 * (text_.flat ? int{NIBBLE_CONV2D_FLAT_FIELDS} : int{NIBBLE_CONV2D_FIELDS}));
    store(code, "r6", kWeights);
    if (text_.quad_loop) {
      field(code, "r6", NIBBLE_CONV2D_RUN_QUADS);
      store(code, "r6", kQuads);
    }
    if (text_.entry) {
      field(code, "r6", NIBBLE_CONV2D_ENTRY);
      store(code, "r6", kEntry);
    }
    if (!text_.skips_rows() && text_.looped) {
      field(code, "r6", NIBBLE_CONV2D_LOOP_BYTES);
      code.op("add r6, r6, r2");
      code.op("add r6, r6, #{}", 4 * kConvPixels);
      store(code, "r6", kLoopEnd);
    }
    field(code, "r6", NIBBLE_CONV2D_OUT_C);
    store(code, "r6", kOutC);
    field(code, "r7", NIBBLE_CONV2D_OUT_W);
    code.op("mul r8, r7, r6");
    code.op("mla r1, r4, r8, r1");
    store(code, "r1", kPixelDst);
    field(code, "r8", NIBBLE_CONV2D_IN_C);
    times(code, "r9", "r8", text_.stride_w);
    store(code, "r9", kColumnBytes);
    if (text_.flat) {
      field(code, "r9", NIBBLE_CONV2D_ROW_BYTES);
      code.op("mla r0, r4, r9, r0");
      store(code, "r0", kRowSrc);
      code.op("sub r5, r5, r4");
      code.op("mul r5, r5, r7");
      store(code, "r5", kLeft);
      code.op("mov r4, #0");
      store(code, "r4", kX);
      return;
    }
    store(code, "r0", kSrc);
    store(code, "r4", kRow);
    store(code, "r5", kEndRow);
    field(code, "r4", NIBBLE_CONV2D_IN_W);
    if (text_.patch) code.op("sub r4, r4, #{}", text_.k_w);
    store(code, "r4", kInW);
    field(code, "r4", NIBBLE_CONV2D_ROW_SKIP);
    store(code, "r4", kRowSkip);
    if (!text_.vertical) {
      field(code, "r4", NIBBLE_CONV2D_K_H);
      store(code, "r4", kRows);
      field(code, "r5", NIBBLE_CONV2D_RUN_WORDS);
      code.op("mul r4, r4, r5");
      store(code, "r4", kWords);
    }
    if (text_.horizontal || (text_.slides() && !text_.skips_rows())) {
      field(code, "r4", NIBBLE_CONV2D_K_H);
      field(code, "r5", NIBBLE_CONV2D_RUN_WORDS);
      code.op("mul r4, r4, r5");
      code.op("mov r5, #{}", text_.column_step_bytes());
      code.op("mla r4, r4, r5, r2");
      code.op("add r4, r4, #{}", 4 * kConvPixels);
      store(code, "r4", text_.horizontal ? kBuffer : kWindowEnd);
    }
  }

  // to := from * factor; `to` differs from `from`.
  static void times(Assembly& code, const char* to, const char* from, int factor) {
    if (factor == 1) {
      code.op("mov {}, {}", to, from);
    } else if (factor == 2) {
      code.op("lsl {}, {}, #1", to, from);
    } else {
      code.op("movw {}, #{}", to, factor);
      code.op("mul {0}, {0}, {1}", to, from);
    }
  }

  Assembly row_begin() {
    Assembly code;
    load(code, "r3", kStream);
    load(code, "r4", kRow);
    load(code, "r0", kSrc);
    field(code, "r5", NIBBLE_CONV2D_STRIDE_H);
    field(code, "r11", NIBBLE_CONV2D_ROW_BYTES);
    code.op("mul r4, r4, r5");
    if (text_.vertical) kernel_rows(code);
    code.op("mla r0, r4, r11, r0");
    store(code, "r0", kRowSrc);
    field(code, "r4", NIBBLE_CONV2D_PAD_LEFT);
    code.op("rsb r4, r4, #0");
    store(code, "r4", kX);
    field(code, "r4", NIBBLE_CONV2D_OUT_W);
    store(code, "r4", kLeft);
    if (text_.slides()) {
      code.op("mov r4, #0");
      store(code, "r4", kFirstColumn);
    }
    return code;
  }

  // r4: first row of the window without padding := first row inside the image.
  void kernel_rows(Assembly& code) {
    field(code, "r6", NIBBLE_CONV2D_PAD_TOP);
    field(code, "r7", NIBBLE_CONV2D_K_H);
    field(code, "r8", NIBBLE_CONV2D_IN_H);
    field(code, "r12", NIBBLE_CONV2D_RUN_WORDS);
    code.op("sub r4, r4, r6");
    code.op("rsbs r9, r4, #0");
    code.op("it lt");
    code.op("movlt r9, #0");
    code.op("sub r8, r8, r4");
    code.op("cmp r8, r7");
    code.op("it gt");
    code.op("movgt r8, r7");
    code.op("sub r7, r7, r8");  // below
    code.op("add r4, r4, r9");
    code.op("sub r10, r8, r9");  // inside
    store(code, "r10", kRows);
    code.op("mul r9, r9, r12");
    code.op("mul r7, r7, r12");
    code.op("mul r10, r10, r12");
    if (text_.patch) {
      store(code, "r9", kTopWords);
      store(code, "r7", kBottomWords);
      return;
    }
    store(code, "r10", kWords);
    code.op("mov r12, #{}", (text_.wide ? 8 : 4) * text_.taps());
    code.op("mul r9, r9, r12");
    store(code, "r9", kTopSkip);
    code.op("mul r7, r7, r12");
    store(code, "r7", kBottomSkip);
    code.op("mov r12, #{}", text_.column_step_bytes());
    load(code, "r9", kSums);
    code.op("mla r10, r10, r12, r9");
    code.op("add r10, r10, #{}", 4 * kConvPixels);
    store(code, "r10", kLoopEnd);
  }

  Assembly block_begin() {
    Assembly& code = code_.all;
    if (text_.last_pixels() > 1) {
      load(code, "r4", kLeft);
      code.op("rsbs r4, r4, #{}", text_.last_pixels());
      code.op("ble {}f", int{kNear});
      load(code, "r5", kX);
      load(code, "r6", kPixelDst);
      load(code, "r7", kOutC);
      code.op("mls r6, r4, r7, r6");
      times(code, "r7", "r4", text_.stride_w);
      code.op("sub r5, r5, r7");
      store(code, "r5", kX);
      store(code, "r6", kPixelDst);
      code.op("mov r4, #{}", text_.last_pixels());
      store(code, "r4", kLeft);
      if (text_.slides()) {
        code.op("mov r4, #0");
        store(code, "r4", kFirstColumn);
      }
      code.label(kNear);
    }
    Assembly setup;
    load(setup, "r3", kStream);
    load(setup, "r10", kX);
    load(setup, "r11", kSums);
    load(setup, "r5", kRowSrc);
    field(setup, "r6", NIBBLE_CONV2D_IN_ZERO);
    field(setup, "r4", NIBBLE_CONV2D_IN_C);
    setup.op("mov r7, #0x00010001");
    if (text_.patch) {
      patch_column_end(setup);
    } else {
      setup.op("sub r11, r11, #{}", text_.sums_offset_bytes());
    }
    if (text_.slides()) {
      load(setup, "r8", kFirstColumn);
      setup.op("add r10, r10, r8");
      setup.op("add r11, r11, r8, lsl #2");
    }
    setup.op("mla r12, r10, r4, r5");
    if (text_.phases() == 1 && !text_.one_row) load(setup, "lr", kRowSkip);
    if (text_.entry) field(setup, "lr", NIBBLE_CONV2D_QUAD_STEP);
    code.append(setup);
    return setup;
  }

  void patch_column_end(Assembly& code) {
    if (text_.tail == 0) {
      code.op("add r8, r11, #{}", 4 * kConvPixels);
    } else {
      load(code, "r8", kLeft);
      code.op("cmp r8, #{}", kConvPixels);
      code.op("it gt");
      code.op("movgt r8, #{}", kConvPixels);
      code.op("add r8, r11, r8, lsl #2");
    }
    store(code, "r8", kColumnEnd);
  }

  void widen() {
    Assembly& code = code_.all;
    if (text_.phases() == 1) {
      column_loop(false);
      return;
    }
    int first = 0;
    for (int phase = 0; phase < text_.phases(); ++phase) {
      load(code, "r8", kSums);
      first += text_.phase_columns(phase);
      if (first < text_.columns()) code.op("sub r8, r8, #{}", 4 * (text_.columns() - first));
      store(code, "r8", kColumnEnd);
      if (phase > 0) {
        load(code, "r10", kX);
        load(code, "r3", kStream);
        load(code, "r5", kRowSrc);
        code.op("add r10, r10, #{}", phase);
        field(code, "r4", NIBBLE_CONV2D_IN_C);
        code.op("mla r12, r10, r4, r5");
      }
      code.op("bl {}f", int{kColumns});
    }
  }

  // Widens columns from r10 r11 r12 on to the column end. As a routine it returns to lr.
  void column_loop(bool routine) {
    Assembly& code = code_.all;
    if (routine) {
      code.label(kColumns);
      store(code, "lr", kReturn);
      if (!text_.one_row) load(code, "lr", kRowSkip);
    }
    code.label(kColumnLoop);
    Assembly begin, end;
    if (!text_.patch) {
      load(begin, "r3", kInW);
      begin.op("cmp r10, r3");
      begin.op("bhs {}f", int{kZeroColumn});
    }
    if (text_.horizontal) {
      load(begin, "r3", kInW);
      begin.op("cmp r10, r3");
      begin.op("bhi.w {}f", int{kBorder});
      load(begin, "lr", kRowSkip);
    }
    begin.op("mov r0, r12");
    code.append(begin);
    if (text_.horizontal) code.label(kStrip);
    strip();
    code.label(kColumnDone);
    if (text_.wide)
      end.op("add r11, r11, #4");
    else
      end.op("str r2, [r11], #4");
    load(end, "r3", kColumnBytes);
    end.op("add r10, r10, #{}", text_.stride_w);
    end.op("add r12, r12, r3");
    load(end, "r3", text_.patch || routine ? kColumnEnd : kSums);
    end.op("cmp r11, r3");
    end.op("bne {}b", int{kColumnLoop});
    code.append(end);
    code_.column.append(begin);
    code_.column.append(end);
    if (routine)
      load(code, "pc", kReturn);
    else if (!text_.patch || text_.horizontal)
      code.op("b.w {}f", int{kNear});
    if (!text_.patch) zero_column();
    if (text_.horizontal) border();
    if (!routine) code.label(kNear);
  }

  void window_pointer(Assembly& code) {
    // Columns: r11 stands among the sums per column, right before the sums per pixel.
    code.op("add r1, r11, #{}",
            text_.patch ? 4 * kConvPixels : 4 * (text_.columns() + kConvPixels));
  }

  // Zeros of `slot` words into the window.
  void fill(int slot) {
    Assembly& code = code_.all;
    load(code, "r4", slot);
    code.op("mov r3, #0");
    code.op("cbz r4, {}f", int{kFillLoop} + 20);
    code.label(kFillLoop);
    code.op("str r3, [r1], #{}", text_.column_step_bytes());
    code.op("subs r4, r4, #1");
    code.op("bne {}b", int{kFillLoop});
    code.label(kFillLoop + 20);
  }

  // One column: r0 to r1, r2 := its sum.
  void strip() {
    Assembly& code = code_.all;
    Assembly begin;
    window_pointer(begin);
    if (!text_.wide) begin.op("mov r2, #0");
    code.append(begin);
    code_.column.append(begin);
    if (text_.patch && text_.vertical) fill(kTopWords);
    if (!text_.one_row) {
      load(code, "r9", kRows);
      code.label(kRunLoop);
    }
    run();
    if (!text_.one_row) {
      code_.run.op("add r0, r0, lr");
      code_.run.op("subs r9, r9, #1");
      code_.run.op("bne {}b", int{kRunLoop});
      code.op("add r0, r0, lr");
      code.op("subs r9, r9, #1");
      code.op("bne {}b", int{kRunLoop});
    }
    if (text_.patch && text_.vertical) fill(kBottomWords);
  }

  void widen_word(Assembly& code, const char* to, const char* rotation) {
    code.op("sxtab16 {}, r6, r3{}", to, rotation);
    if (!text_.wide) code.op("smlad r2, {}, r7, r2", to);
  }
  void widen_quad(Assembly& code) {
    widen_word(code, "r4", "");
    widen_word(code, "r5", ", ror #8");
    code.op("str r4, [r1], #{}", text_.column_step_bytes());
    code.op("str r5, [r1], #{}", text_.column_step_bytes());
  }

  void run() {
    Assembly& code = code_.all;
    auto quads = [&](Assembly& to) {
      for (int i = 0; i < text_.quad_unroll; ++i) {
        to.op("ldr r3, [r0], #4");
        widen_quad(to);
      }
    };
    if (!text_.quad_loop) {
      quads(code_.run);
      code.append(code_.run);
    } else {
      Assembly begin;
      if (text_.entry) {
        begin.op("ldr r3, [r0]");
        begin.op("add r0, r0, lr");
        widen_quad(begin);
      }
      load(begin, "r8", kQuads);
      if (text_.entry) {
        begin.op("cmp r8, #0");
        begin.op("beq {}f", int{kNear});
      }
      code.append(begin);
      code_.run.append(begin);
      code.label(kQuadLoop);
      quads(code_.quad_round);
      code_.quad_round.op("subs r8, r8, #{}", text_.quad_unroll);
      code_.quad_round.op("bne {}b", int{kQuadLoop});
      code.append(code_.quad_round);
      if (text_.entry) code.label(kNear);
    }
    Assembly rest;
    if (text_.run_rest == 1) rest.op("ldrb r3, [r0], #1");
    if (text_.run_rest == 2) rest.op("ldrb r3, [r0], #2");
    if (text_.run_rest == 3) rest.op("ldrh r3, [r0], #3");
    if (text_.run_rest >= 2) {
      rest.op("ldrb r4, [r0, #-1]");
      rest.op("orr r3, r3, r4, lsl #16");
    }
    if (text_.run_rest == 3) widen_quad(rest);
    if (text_.run_rest == 1 || text_.run_rest == 2) {
      widen_word(rest, "r4", "");
      rest.op("str r4, [r1], #{}", text_.column_step_bytes());
    }
    code.append(rest);
    code_.run.append(rest);
  }

  void zero_column() {
    Assembly& code = code_.all;
    code.label(kZeroColumn);
    window_pointer(code);
    load(code, "r8", kWords);
    code.op("mov r2, #0");
    code.label(kFillLoop);
    code.op("str r2, [r1], #{}", text_.column_step_bytes());
    code.op("subs r8, r8, #1");
    code.op("bne {}b", int{kFillLoop});
    code.op("b {}b", int{kColumnDone});
  }

  // A patch that is partly outside: its runs are put together behind the window, zero points
  // outside.
  void border() {
    Assembly& code = code_.all;
    code.label(kBorder);
    load(code, "r3", kStream);
    field(code, "r4", NIBBLE_CONV2D_IN_C);
    field(code, "r5", NIBBLE_CONV2D_IN_W);
    code.op("mul r5, r5, r4");   // bytes of a row
    code.op("mul r2, r10, r4");  // of the run's begin in the row; negative if it is outside
    code.op("rsb r7, r6, #0");   // zero point in the low byte
    times(code, "r8", "r4", text_.k_w);
    load(code, "r1", kBuffer);
    load(code, "r9", kRows);
    code.op("mov r0, r12");
    code.op("mov lr, r1");
    code.label(kByteRow);
    code.op("mov r4, #0");
    code.label(kByteLoop);
    code.op("add r3, r2, r4");
    code.op("cmp r3, r5");
    code.op("ite lo");
    code.op("ldrblo r3, [r0, r4]");
    code.op("movhs r3, r7");
    code.op("strb r3, [r1], #1");
    code.op("add r4, r4, #1");
    code.op("cmp r4, r8");
    code.op("bne {}b", int{kByteLoop});
    code.op("add r0, r0, r5");
    code.op("subs r9, r9, #1");
    code.op("bne {}b", int{kByteRow});
    code.op("mov r0, lr");
    code.op("mov lr, #0");
    code.op("mov r7, #0x00010001");
    code.op("b {}b", int{kStrip});
  }
  // Sums per pixel from sums per column.
  void column_sums() {
    Assembly& code = code_.all;
    int columns = text_.columns();
    load(code, "r0", kSums);
    code.op("sub r0, r0, #{}", 4 * columns);
    for (int pixel = 0; pixel < kConvPixels; ++pixel) {
      bool first = true;
      int base = 0;
      for (int phase = 0; phase < text_.phases(); ++phase) {
        for (int tap = 0; tap < text_.phase_taps(phase); ++tap) {
          code.op("ldr {}, [r0, #{}]", first ? "r1" : "r2", 4 * (base + pixel + tap));
          if (!first) code.op("add r1, r1, r2");
          first = false;
        }
        base += text_.phase_columns(phase);
      }
      code.op("str r1, [r0, #{}]", 4 * (columns + pixel));
    }
  }

  void block_products() {
    Assembly& code = code_.all;
    load(code, "r0", kPixelDst);
    load(code, "r6", kWeights);
    store(code, "r0", kDst);
    bool both = text_.blocks && text_.tail > 0;
    if (both) {
      load(code, "r4", kLeft);
      code.op("cmp r4, #{}", kConvPixels);
      code.op("blt.w {}f", int{kTailBlock});
    }
    if (text_.blocks || text_.tail == 0) {
      products(kConvPixels, code_.unit_round, code_.unit_rest, code_.pair);
      advance(kConvPixels);
    }
    if (both) {
      code.op("b.w {}f", int{kRowEnd});
      code.label(kTailBlock);
    }
    if (text_.tail > 0) {
      products(text_.tail, code_.tail_round, code_.tail_rest, code_.tail_pair);
      advance(text_.tail);
    }
  }

  // To the next block of the row, if there is one.
  void advance(int pixels) {
    Assembly& code = code_.all;
    load(code, "r4", kPixelDst);
    load(code, "r5", kOutC);
    load(code, "r6", kLeft);
    load(code, "r7", kX);
    for (int i = 0; i < pixels; ++i) code.op("add r4, r4, r5");
    store(code, "r4", kPixelDst);
    code.op("add r7, r7, #{}", pixels * text_.stride_w);
    store(code, "r7", kX);
    code.op("subs r6, r6, #{}", pixels);
    store(code, "r6", kLeft);
    if (text_.slides() && pixels == kConvPixels) {
      code.op("beq.w {}f", int{kRowEnd});
      slide();
      code.op("b.w {}b", int{kBlockLoop});
    } else {
      code.op("bne.w {}b", int{kBlockLoop});
    }
  }

  // The columns that the next block shares become its first ones.
  void slide() {
    Assembly& code = code_.all;
    int shared = text_.taps() - 1, step = text_.column_step_bytes();
    load(code, "r0", kSums);
    code.op("mov r4, #{}", shared);
    store(code, "r4", kFirstColumn);
    if (!text_.wide) move_columns(code, "r0", -step, shared);
    load(code, "r1", text_.skips_rows() ? kLoopEnd : kWindowEnd);
    code.op("add r0, r0, #{}", 4 * kConvPixels);
    code.label(kSlideLoop);
    for (int unit = 0; unit < text_.slide_unroll; ++unit)
      move_columns(code_.slide_round, "r0", unit * step, shared);
    code_.slide_round.op("add r0, r0, #{}", text_.slide_unroll * step);
    code_.slide_round.op("cmp r0, r1");
    code_.slide_round.op("bne {}b", int{kSlideLoop});
    code.append(code_.slide_round);
  }
  static void move_columns(Assembly& code, const char* pointer, int offset, int shared) {
    for (int i = 0; i < shared; i += 2) {
      int from = offset + 4 * (i + kConvPixels), to = offset + 4 * i;
      if (i + 1 < shared) {
        code.op("ldrd r4, r5, [{}, #{}]", pointer, from);
        code.op("strd r4, r5, [{}, #{}]", pointer, to);
      } else {
        code.op("ldr r4, [{}, #{}]", pointer, from);
        code.op("str r4, [{}, #{}]", pointer, to);
      }
    }
  }

  // All channel pairs of a block of `pixels`.
  void products(int pixels, Assembly& round, Assembly& rest, Assembly& pair) {
    Assembly& code = code_.all;
    const Registers& r = registers_for(pixels);
    code.label(kPairLoop);
    Assembly begin = pair_begin(pixels, r);
    code.append(begin);
    if (text_.entry) enter_loop(code);
    if (text_.looped) code.label(kTapLoop);
    multiply(round, r, pixels, text_.unroll);
    if (text_.looped) {
      load(round, "r0", kLoopEnd);
      round.op("cmp r7, r0");
      round.op("bne.w {}b", int{kTapLoop});
    }
    multiply(rest, r, pixels, text_.rest);
    code.append(round);
    code.append(rest);
    Assembly end = pair_end(pixels, r);
    code.append(end);
    pair.append(begin);
    pair.append(end);
  }

  // Into the loop at one of its pairs of words.
  void enter_loop(Assembly& code) {
    load(code, "r0", kEntry);
    code.op("tbh [pc, r0, lsl #1]");
    code.label(kEntryTable);
    for (int entry = 0; entry < text_.unroll / 2; ++entry)
      code.op(".short ({}f - {}b) / 2", kFirstEntry + entry, int{kEntryTable});
  }

  Assembly pair_begin(int pixels, const Registers& r) {
    Assembly code;
    if (text_.skips_rows())
      code.op("ldrd r7, r0, [sp, #{}]", int{kProducts});
    else
      load(code, "r7", kProducts);
    code.op("ldmia r6!, {{{}, {}}}", r.t[0], r.b[0]);
    if (text_.skips_rows()) code.op("add r6, r6, r0");
    if (!text_.wide) code.op("ldmia r7!, {{r0-r2}}");
    for (int p = pixels - 1; p >= 0; --p) {
      auto pixel = static_cast<size_t>(p);
      if (!text_.wide)
        code.op("sub {}, {}, {}, lsl #7", r.t[pixel], r.t[0], r.column[pixel]);
      else if (p > 0)
        code.op("mov {}, {}", r.t[pixel], r.t[0]);
      if (p > 0) code.op("mov {}, {}", r.b[pixel], r.b[0]);
    }
    return code;
  }

  Assembly pair_end(int pixels, const Registers& r) {
    Assembly code;
    const std::string &doubled_a = r.weight[0], &doubled_b = r.weight[1], &shifts = r.weight[2];
    if (text_.skips_rows()) {
      load(code, "r0", kBottomSkip);
      code.op("add r6, r6, r0");
    }
    code.op("ldmia r6!, {{{}, {}, {}}}", doubled_a, doubled_b, shifts);
    code.op("ldrd r0, r1, [sp, #{}]", int{kDst});
    for (size_t pixel = 0; pixel < static_cast<size_t>(pixels) && !text_.wide; ++pixel)
      code.op("sub {0}, {0}, {1}, lsl #8", r.t[pixel], r.b[pixel]);
    code.op("sbfx r2, {}, #16, #15", shifts);
    outputs(code, pixels, r.t, doubled_a, shifts);
    // A missing channel b is written where a comes to stand.
    const std::string& dst_b = doubled_a;
    code.op("add {}, r0, {}, lsr #31", dst_b, shifts);
    code.op("lsr {0}, {0}, #8", shifts);
    outputs(code, pixels, r.b, doubled_b, shifts);
    store_pixels(code, pixels, r.b, dst_b);
    store_pixels(code, pixels, r.t, "r0");
    store(code, "r0", kDst);
    load(code, "r3", kStreamEnd);
    code.op("cmp r6, r3");
    code.op("bne.w {}b", int{kPairLoop});
    return code;
  }

  void outputs(Assembly& code, int pixels, const std::vector<std::string>& acc,
               const std::string& doubled, const std::string& shift) {
    for (int p = 0; p < pixels; ++p)
      stage_.instructions(code, acc[static_cast<size_t>(p)], doubled, shift, "r2");
  }

  // To `pointer`, which moves on to the next pair.
  static void store_pixels(Assembly& code, int pixels, const std::vector<std::string>& acc,
                           const std::string& pointer) {
    if (pixels > 1) code.op("strb {}, [{}, r1]", acc[1], pointer);
    if (pixels > 2) code.op("strb {}, [{}, r1, lsl #1]", acc[2], pointer);
    code.op("strb {}, [{}], #2", acc[0], pointer);
  }

  // Hands out the words of weights at r6 in order, loading some at a time.
  struct Weights {
    const Registers& r;
    size_t left, held = 0, used = 0;
    const std::string& next(Assembly& code, size_t at_a_time) {
      if (used == held) {
        held = std::min(at_a_time, left);
        left -= held;
        used = 0;
        load_next(code, "r6", r.weight, 0, held);
      }
      return r.weight[used++];
    }
  };

  // The products of `units`: window at r7, weights at r6.
  void multiply(Assembly& code, const Registers& r, int pixels, int units) {
    Weights weights{r, static_cast<size_t>(units * text_.taps() * (text_.wide ? 2 : 1))};
    for (int unit = 0; unit < units; ++unit) {
      if (text_.entry && unit % 2 == 0) code.label(kFirstEntry + unit / 2);
      for (int phase = 0; phase < text_.phases(); ++phase) {
        auto columns = static_cast<size_t>(text_.phase_columns(phase));
        size_t loaded = 0, ring = r.column.size();
        for (size_t tap = 0; tap < static_cast<size_t>(text_.phase_taps(phase)); ++tap) {
          while (loaded < tap + static_cast<size_t>(pixels)) {
            size_t end = std::min({columns, tap + ring, (loaded / ring + 1) * ring});
            load_next(code, "r7", r.column, loaded % ring, end - loaded);
            loaded = end;
          }
          multiply_tap(code, r, pixels, tap, weights);
        }
        if (loaded < columns) code.op("add r7, r7, #{}", 4 * (columns - loaded));
      }
    }
  }

  void multiply_tap(Assembly& code, const Registers& r, int pixels, size_t tap, Weights& weights) {
    size_t ring = r.column.size(), at_a_time = text_.entry ? 2 : 3;
    auto all = [&](const std::vector<std::string>& acc, const std::string& weight) {
      for (size_t p = 0; p < static_cast<size_t>(pixels); ++p)
        code.op("smlad {0}, {1}, {2}, {0}", acc[p], r.column[(tap + p) % ring], weight);
    };
    const std::string& weight = weights.next(code, at_a_time);
    all(r.t, weight);
    if (text_.wide) {
      all(r.b, weights.next(code, at_a_time));
    } else {
      code.op("sxtb16 {0}, {0}, ror #8", weight);
      all(r.b, weight);
    }
  }

  void row_end() {
    Assembly& code = code_.all;
    load(code, "r4", kRow);
    load(code, "r5", kEndRow);
    code.op("add r4, r4, #1");
    store(code, "r4", kRow);
    code.op("cmp r4, r5");
    code.op("bne.w {}b", int{kRowLoop});
  }

  const ConvText& text_;
  const OutputStage& stage_;
  ConvCode code_;
};

}  // namespace

std::string ConvText::name(const OutputStage& stage) const {
  std::string name = fmt::format("nibble_conv2d_s8_dsp_{}_{}", k_w, stride_w);
  name += patch ? "_patch" : "_columns";
  if (flat) name += "_flat";
  if (one_row) name += "_row";
  if (vertical) name += "_v";
  if (horizontal) name += "_h";
  name += fmt::format("_u{}{}", unroll, looped ? "l" : "");
  if (rest > 0) name += fmt::format("_{}", rest);
  if (entry) name += "_entry";
  if (wide) name += "_wide";
  name += fmt::format("_q{}{}_{}", quad_unroll, quad_loop ? "l" : "", run_rest);
  if (slides()) name += fmt::format("_s{}", slide_unroll);
  if (tail > 0) name += fmt::format("_t{}{}", tail, blocks ? "" : "_only");
  return name + "_" + stage.name(true);
}

ConvCode conv2d_code(const ConvText& text, const OutputStage& stage) {
  return ConvWriter(text, stage).write();
}

}  // namespace nibble
