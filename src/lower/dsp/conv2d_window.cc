// The window of a block in a convolution's assembly: columns of the source are widened to words of
// two taps, minus the zero point, and their sums are taken. Registers: r0 source, r1 window, r2
// sum, r6 and r7 the lanes of -zero point and of ones, r8 and r9 counters, r10 the input column,
// r11 its place among the sums, r12 its address in the first row, lr from the end of a run to the
// next row (whole quads: from the first quad to the second).
#include "lower/dsp/conv2d_frame.h"

namespace nibble {
namespace {

class WindowWriter {
 public:
  WindowWriter(const ConvText& text, ConvCode& code) : text_(text), code_(code) {}

  void write() {
    begin();
    widen();
    if (!text_.patch && !text_.wide) column_sums();
  }
  void write_routine() {
    if (text_.phases() > 1) column_loop(true);
  }

 private:
  void begin() {
    Assembly setup;
    load(setup, "r3", kStream);
    load(setup, "r10", kX);
    load(setup, "r11", kSums);
    load(setup, "r5", kRowSrc);
    load_field(setup, "r6", NIBBLE_CONV2D_IN_ZERO);
    load_field(setup, "r4", NIBBLE_CONV2D_IN_C);
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
    if (text_.entry) load_field(setup, "lr", NIBBLE_CONV2D_QUAD_STEP);
    code_.all.append(setup);
    code_.block.append(setup);
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
        load_field(code, "r4", NIBBLE_CONV2D_IN_C);
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
    load_field(code, "r4", NIBBLE_CONV2D_IN_C);
    load_field(code, "r5", NIBBLE_CONV2D_IN_W);
    code.op("mul r5, r5, r4");   // bytes of a row
    code.op("mul r2, r10, r4");  // of the run's begin in the row; negative if it is outside
    code.op("rsb r7, r6, #0");   // zero point in the low byte
    multiply_by(code, "r8", "r4", text_.k_w);
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

  const ConvText& text_;
  ConvCode& code_;
};

}  // namespace

void write_window(const ConvText& text, ConvCode& code) { WindowWriter(text, code).write(); }

void write_window_routine(const ConvText& text, ConvCode& code) {
  WindowWriter(text, code).write_routine();
}

}  // namespace nibble
