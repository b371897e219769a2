// The assembly of a convolution's function (conv2d_text.h): what stands around the window and the
// products of a block: the frame, rows, blocks of a row, and the columns that blocks share.
#include "lower/dsp/conv2d_frame.h"

namespace nibble {
namespace {

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
    if (text_.last_pixels() > 1) shift_back();
    write_window(text_, code_);
    block_products();
    code_.all.label(kRowEnd);
    if (!text_.flat) row_end();
    code_.all.op("add sp, sp, #{}", int{kFrameBytes});
    code_.all.op("pop {{r4-r11, pc}}");
    write_window_routine(text_, code_);
    return std::move(code_);
  }

 private:
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
    if (!stage_.is_linear()) {
      load_field(code, "r6", NIBBLE_CONV2D_ADDEND);
      store(code, "r6", kAddend);
    }
    code.op("add r6, r3, #{}",
            4 * (text_.flat ? int{NIBBLE_CONV2D_FLAT_FIELDS} : int{NIBBLE_CONV2D_FIELDS}));
    store(code, "r6", kWeights);
    loop_slots();
    load_field(code, "r6", NIBBLE_CONV2D_OUT_C);
    store(code, "r6", kOutC);
    load_field(code, "r7", NIBBLE_CONV2D_OUT_W);
    code.op("mul r8, r7, r6");
    code.op("mla r1, r4, r8, r1");
    store(code, "r1", kPixelDst);
    load_field(code, "r8", NIBBLE_CONV2D_IN_C);
    multiply_by(code, "r9", "r8", text_.stride_w);
    store(code, "r9", kColumnBytes);
    if (text_.flat) {
      load_field(code, "r9", NIBBLE_CONV2D_ROW_BYTES);
      code.op("mla r0, r4, r9, r0");
      store(code, "r0", kRowSrc);
      code.op("sub r5, r5, r4");
      code.op("mul r5, r5, r7");
      store(code, "r5", kLeft);
      code.op("mov r4, #0");
      store(code, "r4", kX);
    } else {
      image_slots();
    }
  }

  // r2 scratch, r3 header.
  void loop_slots() {
    Assembly& code = code_.all;
    if (text_.quad_loop) {
      load_field(code, "r6", NIBBLE_CONV2D_RUN_QUADS);
      store(code, "r6", kQuads);
    }
    if (text_.entry) {
      load_field(code, "r6", NIBBLE_CONV2D_ENTRY);
      store(code, "r6", kEntry);
    }
    if (!text_.skips_rows() && text_.looped) {
      load_field(code, "r6", NIBBLE_CONV2D_LOOP_BYTES);
      code.op("add r6, r6, r2");
      code.op("add r6, r6, #{}", 4 * kConvPixels);
      store(code, "r6", kLoopEnd);
    }
  }

  // r0 src, r2 scratch, r3 header, r4 first row, r5 end row.
  void image_slots() {
    Assembly& code = code_.all;
    store(code, "r0", kSrc);
    store(code, "r4", kRow);
    store(code, "r5", kEndRow);
    load_field(code, "r4", NIBBLE_CONV2D_IN_W);
    if (text_.patch) code.op("sub r4, r4, #{}", text_.k_w);
    store(code, "r4", kInW);
    load_field(code, "r4", NIBBLE_CONV2D_ROW_SKIP);
    store(code, "r4", kRowSkip);
    if (!text_.vertical) {
      load_field(code, "r4", NIBBLE_CONV2D_K_H);
      store(code, "r4", kRows);
      load_field(code, "r5", NIBBLE_CONV2D_RUN_WORDS);
      code.op("mul r4, r4, r5");
      store(code, "r4", kWords);
    }
    if (text_.horizontal || (text_.slides() && !text_.skips_rows())) {
      load_field(code, "r4", NIBBLE_CONV2D_K_H);
      load_field(code, "r5", NIBBLE_CONV2D_RUN_WORDS);
      code.op("mul r4, r4, r5");
      code.op("mov r5, #{}", text_.column_step_bytes());
      code.op("mla r4, r4, r5, r2");
      code.op("add r4, r4, #{}", 4 * kConvPixels);
      store(code, "r4", text_.horizontal ? kBuffer : kWindowEnd);
    }
  }

  // The last block of a row goes back until it is whole.
  void shift_back() {
    Assembly& code = code_.all;
    load(code, "r4", kLeft);
    code.op("rsbs r4, r4, #{}", text_.last_pixels());
    code.op("ble {}f", int{kNear});
    load(code, "r5", kX);
    load(code, "r6", kPixelDst);
    load(code, "r7", kOutC);
    code.op("mls r6, r4, r7, r6");
    multiply_by(code, "r7", "r4", text_.stride_w);
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

  Assembly row_begin() {
    Assembly code;
    load(code, "r3", kStream);
    load(code, "r4", kRow);
    load(code, "r0", kSrc);
    load_field(code, "r5", NIBBLE_CONV2D_STRIDE_H);
    load_field(code, "r11", NIBBLE_CONV2D_ROW_BYTES);
    code.op("mul r4, r4, r5");
    if (text_.vertical) kernel_rows(code);
    code.op("mla r0, r4, r11, r0");
    store(code, "r0", kRowSrc);
    load_field(code, "r4", NIBBLE_CONV2D_PAD_LEFT);
    code.op("rsb r4, r4, #0");
    store(code, "r4", kX);
    load_field(code, "r4", NIBBLE_CONV2D_OUT_W);
    store(code, "r4", kLeft);
    if (text_.slides()) {
      code.op("mov r4, #0");
      store(code, "r4", kFirstColumn);
    }
    return code;
  }

  // r4: first row of the window without padding := first row inside the image.
  void kernel_rows(Assembly& code) {
    load_field(code, "r6", NIBBLE_CONV2D_PAD_TOP);
    load_field(code, "r7", NIBBLE_CONV2D_K_H);
    load_field(code, "r8", NIBBLE_CONV2D_IN_H);
    load_field(code, "r12", NIBBLE_CONV2D_RUN_WORDS);
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
      write_products(text_, stage_, kConvPixels, code, code_.unit_round, code_.unit_rest,
                     code_.pair);
      advance(kConvPixels);
    }
    if (both) {
      code.op("b.w {}f", int{kRowEnd});
      code.label(kTailBlock);
    }
    if (text_.tail > 0) {
      write_products(text_, stage_, text_.tail, code, code_.tail_round, code_.tail_rest,
                     code_.tail_pair);
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

void multiply_by(Assembly& code, const char* to, const char* from, int factor) {
  if (factor == 1) {
    code.op("mov {}, {}", to, from);
  } else if (factor == 2) {
    code.op("lsl {}, {}, #1", to, from);
  } else {
    code.op("movw {}, #{}", to, factor);
    code.op("mul {0}, {0}, {1}", to, from);
  }
}

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
