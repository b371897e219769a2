// How a depthwise convolution's source becomes planes of pairs of rows (depthwise_text.h).
#include "lower/dsp/depthwise_frame.h"

namespace nibble::depthwise_frame {
namespace {

class PlanesWriter {
 public:
  PlanesWriter(const DepthwiseText& text, DepthwiseCode& code) : text_(text), code_(code) {}

  // Addresses of the strip's rows of the source: r1, for row r4; those outside the image (from r9
  // on, or negative) or not needed are a pixel of zero points.
  void table() {
    Assembly code;
    load_field(code, "r5", NIBBLE_DEPTHWISE_PAD_TOP);
    load_field(code, "r8", NIBBLE_DEPTHWISE_IN_H);
    load_field(code, "r10", NIBBLE_DEPTHWISE_IN_ROW);
    load_field(code, "r11", NIBBLE_DEPTHWISE_IN_C);
    load(code, "r0", kSrc);
    load(code, "r12", kZeros);
    if (text_.stride_h > 1) multiply(code, "r7", "r4", text_.stride_h);
    code.op("sub r4, {}, r5", text_.stride_h > 1 ? "r7" : "r4");
    code.op("sub r6, r6, #1");
    if (text_.stride_h > 1) {
      multiply(code, "r7", "r6", text_.stride_h);
      code.op("add r6, r7, #{}", text_.k_h);
    } else {
      code.op("add r6, r6, #{}", text_.k_h);
    }
    code.op("add r9, r4, r6");
    code.op("cmp r9, r8");
    code.op("it gt");
    code.op("movgt r9, r8");
    code.op("bic r9, r9, r9, asr #31");
    code.op("mla r1, r4, r10, r0");
    code.op("add r5, sp, #{}", int{kTable});
    code.op("add r6, r6, #1");
    code.op("lsr r6, r6, #1");
    code.op("add r7, r5, r6, lsl #4");
    store(code, "r7", kTableEnd);
    code_.all.append(code);
    code_.strip.append(code);
    code_.all.label(kTableLoop);
    Assembly& round = code_.table_pair;
    const char *address[] = {"r2", "r3"}, *step[] = {"r6", "r8"};
    for (int row = 0; row < 2; ++row) {
      round.op("cmp r4, r9");
      round.op("ittee lo");
      round.op("movlo {}, r1", address[row]);
      round.op("movlo {}, r11", step[row]);
      round.op("movhs {}, r12", address[row]);
      round.op("movhs {}, #0", step[row]);
      round.op("add r1, r1, r10");
      round.op("add r4, r4, #1");
    }
    round.op("strd r2, r3, [r5], #8");
    round.op("strd r6, r8, [r5], #8");
    round.op("cmp r5, r7");
    round.op("bne {}b", int{kTableLoop});
    code_.all.append(round);
  }

  void group() {
    Assembly& code = code_.group;
    load(code, "r10", kStream);
    load(code, "r5", kPlanes);
    code.op("ldm r10!, {{r0, r1}}");
    store(code, "r10", kStream);
    code.op("add r1, r1, r10");
    store(code, "r1", kGroupEnd);
    code.op("uxth r2, r0");
    store(code, "r2", kChannel);
    if (!text_.planes_listed) {
      code.op("lsr r0, r0, #16");
      code.op("add r0, r0, r5");
      store(code, "r0", kPlane);
    }
    load(code, "r6", kFirstColumn);
    store(code, "r6", kPairColumn);
    code.op("add lr, sp, #{}", int{kTable});
    if (text_.affine) {
      code.op("mov r4, #0xff00ff00");
    } else {
      load(code, "r3", kHeader);
      load_field(code, "r4", NIBBLE_DEPTHWISE_IN_ZERO);
      code.op("sxtb r4, r4");
      code.op("rsb r4, r4, #0");
      code.op("pkhbt r4, r4, r4, lsl #16");
    }
    code_.all.append(code);
  }

  // Element `byte` of the words of four in `from`, two rows one above the other: r0, r1 the rows,
  // r2, r3 from column to column, r4 mask or minus zero point, r5 columns that are left, r6 the
  // planes.
  void widen(Assembly& code, const char* to, const char* from, bool odd) {
    if (text_.affine)
      code.op("and {}, r4, {}{}", to, from, odd ? "" : ", lsl #8");
    else
      code.op("sxtab16 {}, r4, {}{}", to, from, odd ? ", ror #8" : "");
  }

  void unpack() {
    Assembly& code = code_.all;
    code.label(kPairLoop);
    Assembly begin;
    begin.op("ldm lr!, {{r0-r3}}");
    load(begin, "r7", kChannel);
    load(begin, "r6", kPairColumn);
    load(begin, "r5", kColumns);
    begin.op("add r0, r0, r7");
    begin.op("add r1, r1, r7");
    begin.op("add r8, r6, #8");
    store(begin, "r8", kPairColumn);
    code.append(begin);
    code_.pair = begin;
    if (text_.odd_left) code.op("b {}f", int{kOne});
    code.label(kPairs);
    code.op("subs r5, r5, #2");
    code.op("blo {}f", int{kRest});
    code.label(kTwo);
    two_columns();
    code.append(code_.two_columns);
    code.label(kRest);
    code.op("adds r5, r5, #2");
    code.op("beq {}f", int{kPairDone});
    code.label(kOne);
    one_column();
    code.append(code_.one_column);
    code.label(kPairDone);
    Assembly end;
    load(end, "r7", kTableEnd);
    end.op("cmp lr, r7");
    end.op("bne {}b", int{kPairLoop});
    code.append(end);
    code_.pair.append(end);
  }

  void two_columns() {
    Assembly& code = code_.two_columns;
    int plane = text_.plane_bytes();
    code.op("ldr r9, [r0, r2]");
    code.op("ldr r10, [r1, r3]");
    code.op("ldr r7, [r0]");
    code.op("ldr r8, [r1]");
    code.op("add r0, r0, r2, lsl #1");
    code.op("add r1, r1, r3, lsl #1");
    code.op("pkhbt r11, r7, r8, lsl #16");
    code.op("pkhtb r7, r8, r7, asr #16");
    code.op("pkhbt r8, r9, r10, lsl #16");
    code.op("pkhtb r9, r10, r9, asr #16");
    // Channels 2 and 3 in r7 and r9, 0 and 1 in r11 and r8.
    widen(code, "r10", "r7", false);
    widen(code, "r12", "r9", false);
    code.op("strd r10, r12, [r6, #{}]", 2 * plane);
    widen(code, "r7", "r7", true);
    widen(code, "r9", "r9", true);
    code.op("strd r7, r9, [r6, #{}]", 3 * plane);
    widen(code, "r10", "r11", true);
    widen(code, "r12", "r8", true);
    code.op("strd r10, r12, [r6, #{}]", plane);
    widen(code, "r11", "r11", false);
    widen(code, "r8", "r8", false);
    code.op("strd r11, r8, [r6], #{}", text_.column_pair_bytes());
    code.op("subs r5, r5, #2");
    code.op("bhs {}b", int{kTwo});
  }

  // At first, in the right half of a pair of columns, and last, in the left half.
  void one_column() {
    Assembly& code = code_.one_column;
    int plane = text_.plane_bytes();
    code.op("ldr r7, [r0]");
    code.op("ldr r8, [r1]");
    code.op("add r0, r0, r2");
    code.op("add r1, r1, r3");
    code.op("pkhbt r11, r7, r8, lsl #16");
    code.op("pkhtb r7, r8, r7, asr #16");
    widen(code, "r9", "r11", false);
    code.op("str r9, [r6]");
    widen(code, "r9", "r11", true);
    code.op("str r9, [r6, #{}]", plane);
    widen(code, "r9", "r7", false);
    code.op("str r9, [r6, #{}]", 2 * plane);
    widen(code, "r9", "r7", true);
    code.op("str r9, [r6, #{}]", 3 * plane);
    code.op("subs r5, r5, #1");
    code.op("add r6, r6, #{}", text_.column_pair_bytes() - 4);
    code.op("bne {}b", int{kPairs});
  }

 private:
  const DepthwiseText& text_;
  DepthwiseCode& code_;
};

}  // namespace

void write_row_table(const DepthwiseText& text, DepthwiseCode& code) {
  PlanesWriter(text, code).table();
}

void write_group(const DepthwiseText& text, DepthwiseCode& code) {
  PlanesWriter writer(text, code);
  writer.group();
  writer.unpack();
}

}  // namespace nibble::depthwise_frame
