// The assembly of a depthwise convolution's function (depthwise_text.h).
#include <vector>

#include "lower/dsp/depthwise_frame.h"

namespace nibble {
namespace depthwise_frame {
namespace {

class DepthwiseWriter {
 public:
  DepthwiseWriter(const DepthwiseText& text, const OutputStage& stage)
      : text_(text), stage_(stage) {}

  DepthwiseCode write() {
    prologue();
    code_.all.label(kStrip);
    strip();
    code_.all.label(kGroup);
    write_group(text_, code_);
    code_.all.label(kChannelLoop);
    channel();
    rows();
    ends();
    return std::move(code_);
  }

 private:
  int frame_bytes() const { return kTable + kTableEntry * text_.pairs; }
  bool blocks() const { return !text_.one_column; }

  // r0 src, r1 dst, r2 scratch, r3 stream.
  void prologue() {
    Assembly& code = code_.all;
    code.op("push {{r4-r11, lr}}");
    code.op("sub sp, sp, #{}", frame_bytes());
    load(code, "r4", frame_bytes() + kSavedBytes);
    load(code, "r5", frame_bytes() + kSavedBytes + 4);
    store(code, "r0", kSrc);
    store(code, "r1", kDstImage);
    store(code, "r2", kPlanes);
    store(code, "r3", kHeader);
    store(code, "r4", kY);
    store(code, "r5", kEndRow);
    // Padding in all planes, then a pixel of zero points.
    load_field(code, "r4", NIBBLE_DEPTHWISE_PAD_WORD);
    load_field(code, "r5", NIBBLE_DEPTHWISE_PLANES_BYTES);
    code.op("mov r6, r2");
    code.op("add r5, r5, r2");
    code.label(kFill);
    code.op("strd r4, r4, [r6], #8");
    code.op("cmp r6, r5");
    code.op("bne {}b", int{kFill});
    store(code, "r6", kZeros);
    load_field(code, "r4", NIBBLE_DEPTHWISE_IN_ZERO);
    load_field(code, "r5", NIBBLE_DEPTHWISE_IN_C);
    code.label(kFillZeros);
    code.op("str r4, [r6], #4");
    code.op("subs r5, r5, #4");
    code.op("bgt {}b", int{kFillZeros});
    // Where the first column of the source goes.
    load_field(code, "r4", NIBBLE_DEPTHWISE_PAD_LEFT);
    code.op("lsr r4, r4, #1");
    multiply(code, "r5", "r4", text_.column_pair_bytes());
    code.op("add r5, r5, r2");
    if (text_.odd_left) code.op("add r5, r5, #4");
    store(code, "r5", kFirstColumn);
    load_field(code, "r4", NIBBLE_DEPTHWISE_COLUMNS);
    store(code, "r4", kColumns);
    load_field(code, "r4", NIBBLE_DEPTHWISE_STREAM_BYTES);
    code.op("add r4, r4, r3");
    store(code, "r4", kStreamEnd);
    block_slots();
  }

  void block_slots() {
    Assembly& code = code_.all;
    load_field(code, "r4", NIBBLE_DEPTHWISE_OUT_W);
    load_field(code, "r5", NIBBLE_DEPTHWISE_OUT_C);
    store(code, "r5", kColumn);
    code.op("mul r6, r4, r5");  // a row of dst
    code.op("lsl r7, r6, #1");
    int next_pair = 8 * text_.stride_h;
    if (blocks()) {
      code.op("and r8, r4, #1");
      store(code, "r8", kTail);
      code.op("sub r4, r4, r8");
      code.op("mls r7, r4, r5, r7");
      code.op("lsr r4, r4, #1");
      multiply(code, "r5", "r4", text_.column_pair_bytes() * text_.stride_w);
      store(code, "r5", kBlocksBytes);
      code.op("rsb r5, r5, #{}", next_pair);
    } else {
      code.op("mov r5, #{}", next_pair);
    }
    store(code, "r5", kNextRow);
    store(code, "r7", kNextDst);
  }

  // The next rows of dst: r4 the first, r6 how many.
  void strip() {
    Assembly& code = code_.strip;
    load(code, "r3", kHeader);
    load(code, "r4", kY);
    load(code, "r5", kEndRow);
    code.op("sub r5, r5, r4");
    code.op("cmp r5, #{}", text_.strip_rows());
    code.op("it gt");
    code.op("movgt r5, #{}", text_.strip_rows());
    code.op("bics r6, r5, #1");
    code.op("it eq");
    code.op("moveq r6, #1");
    code.op("add r7, r4, r6");
    store(code, "r7", kY);
    load_field(code, "r7", NIBBLE_DEPTHWISE_OUT_W);
    load_field(code, "r8", NIBBLE_DEPTHWISE_OUT_C);
    load(code, "r0", kDstImage);
    load(code, "r9", kNextDst);
    code.op("mul r7, r7, r8");
    code.op("mla r0, r4, r7, r0");
    store(code, "r0", kDst);
    // kLastDst: (row pairs - 1) * 2 rows and the blocks of one.
    code.op("sub r5, r6, #1");
    code.op("lsr r5, r5, #1");
    code.op("add r5, r5, #1");
    code.op("lsl r10, r7, #1");
    code.op("mul r5, r5, r10");
    code.op("sub r5, r5, r9");
    store(code, "r5", kLastDst);
    code.op("cmp r6, #1");
    code.op("it eq");
    code.op("moveq r7, #0");
    store(code, "r7", kRow);
    code_.all.append(code);
    write_row_table(text_, code_);
    Assembly rest;
    load(rest, "r3", kHeader);
    rest.op("add r3, r3, #{}", 4 * int{NIBBLE_DEPTHWISE_FIELDS});
    store(rest, "r3", kStream);
    code_.all.append(rest);
    code_.strip.append(rest);
  }

  // Reads a record: r12 its planes, lr its dst, r1 the start value.
  void channel() {
    Assembly& code = code_.channel;
    load(code, "r10", kStream);
    if (text_.planes_listed) {
      code.op("ldr r12, [r10], #4");
      load(code, "r0", kPlanes);
      code.op("add r12, r12, r0");
    } else {
      load(code, "r12", kPlane);
    }
    load(code, "lr", kDst);
    if (text_.weights_in_registers()) {
      // r7: row 2 of columns 0 and 1, r9: of column 2.
      code.op("ldm r10!, {{r1, r3-r7, r9}}");
      store(code, "r1", kStart);
      store(code, "r3", kScale);
      if (!text_.affine) store(code, "r9", kShift);
      code.op("pkhtb r9, r9, r6, asr #16");
      code.op("pkhtb r8, r7, r5, asr #16");
      code.op("lsl r7, r7, #16");
      code.op("pkhtb r7, r7, r4, asr #16");
    } else {
      code.op("ldm r10!, {{r1-r3}}");
      store(code, "r1", kStart);
      store(code, "r2", kScale);
      if (!text_.affine) store(code, "r3", kShift);
      store(code, "r10", kWeights);
      code.op("addw r10, r10, #{}", 8 * text_.block_pairs() * text_.k_w);
      store(code, "r10", kWeightsEnd);
    }
    store(code, "r10", kStream);
    if (!text_.planes_listed) {
      code.op("add r10, r12, #{}", text_.plane_bytes());
      store(code, "r10", kPlane);
    }
    code.op("add r11, lr, #1");
    store(code, "r11", kDst);
    if (blocks()) {
      load(code, "r3", kBlocksBytes);
      code.op("add r3, r3, r12");
      store(code, "r3", kEnd);
    }
    load(code, "r3", kLastDst);
    code.op("add r3, r3, lr");
    store(code, "r3", kLastRow);
    code.op("b {}f", int{kBlock});
    code_.all.append(code);
  }

  // All row pairs of a channel.
  void rows() {
    Assembly& code = code_.all;
    code.label(kNext);
    Assembly& next = code_.row_pair;
    next.op("ldm sp, {{r0-r3, r10}}");
    next.op("cmp lr, r0");
    next.op("beq.w {}f", int{kBlockEnd});
    next.op("add r12, r12, r3");
    next.op("add lr, lr, r10");
    if (blocks()) {
      next.op("add r2, r2, #{}", 8 * text_.stride_h);
      store(next, "r2", kEnd);
    }
    code.append(next);
    code.label(kBlock);
    if (blocks()) {
      code_.block = products(text_, 2, text_.column_pair_bytes() * text_.stride_w, kTap);
      outputs(code_.block, 2);
      code_.block.op("bne.w {}b", int{kBlock});
      code.append(code_.block);
      Assembly end;
      load(end, "r0", kTail);
      end.op("cmp r0, #0");
      end.op("beq.w {}b", int{kNext});
      code.append(end);
      code_.row_pair.append(end);
    }
    code_.tail = products(text_, 1, 0, kTailTap);
    outputs(code_.tail, 1);
    code_.tail.op("b.w {}b", int{kNext});
    code.append(code_.tail);
    code.label(kBlockEnd);
  }

  // Rescales and stores r0-r3, the lower row first: if there is none, it has the upper one's place.
  void outputs(Assembly& code, int columns) const {
    std::vector<std::string> all = {"r0", "r2"};
    if (columns > 1) all = {"r0", "r2", "r1", "r3"};
    if (text_.affine) {
      code.op("ldrd r10, r11, {}", slot(kScale));
      for (const std::string& acc : all) code.op("smmul {0}, {0}, r10", acc);
      if (columns > 1) load(code, "r10", kColumn);
      for (const std::string& acc : all) code.op("ssat {0}, #8, {0}, asr #16", acc);
    } else {
      load(code, "r10", kScale);
      load(code, "r11", kShift);
      for (const std::string& acc : all) stage_.instructions(code, acc, "r10", "r11");
      code.op("ldrd r11, r10, {}", slot(kRow));
    }
    if (columns == 1) {
      code.op("strb r2, [lr, r11]");
      code.op("strb r0, [lr]");
      return;
    }
    code.op("add r11, r11, lr");
    code.op("strb r2, [r11]");
    code.op("strb r3, [r11, r10]");
    code.op("strb r0, [lr]");
    code.op("strb r1, [lr, r10]");
    code.op("add lr, lr, r10, lsl #1");
    code.op("ldrd r1, r10, {}", slot(kStart));
    code.op("cmp r12, r10");
  }

  // Of a channel, a group, a strip, the function.
  void ends() {
    auto loop = [&](Assembly& part, const char* at, int slot_of, int end, int label) {
      Assembly code;
      load(code, at, slot_of);
      load(code, "r11", end);
      code.op("cmp {}, r11", at);
      code.op("bne.w {}b", label);
      code_.all.append(code);
      part.append(code);
    };
    loop(code_.channel, "r10", kStream, kGroupEnd, kChannelLoop);
    loop(code_.group, "r10", kStream, kStreamEnd, kGroup);
    loop(code_.strip, "r10", kY, kEndRow, kStrip);
    code_.all.op("add sp, sp, #{}", frame_bytes());
    code_.all.op("pop {{r4-r11, pc}}");
  }

  const DepthwiseText& text_;
  const OutputStage& stage_;
  DepthwiseCode code_;
};

}  // namespace
}  // namespace depthwise_frame

std::string DepthwiseText::name(const OutputStage& stage) const {
  std::string name = fmt::format("nibble_depthwise_conv2d_s8_dsp_{}x{}_{}{}_p{}", k_h, k_w,
                                 stride_h, stride_w, pairs);
  if (odd_left) name += "_odd";
  if (one_column) name += "_column";
  if (planes_listed) name += "_multiple";
  return name + "_" + (affine ? std::string("affine") : stage.name());
}

DepthwiseCode depthwise_code(const DepthwiseText& text, const OutputStage& stage) {
  return depthwise_frame::DepthwiseWriter(text, stage).write();
}

}  // namespace nibble
