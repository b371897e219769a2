// The assembly of a depthwise convolution's function (depthwise_text.h).
#include <algorithm>
#include <vector>

#include "depthwise_conv2d/depthwise_conv2d_s8_pairs.h"
#include "lower/dsp/depthwise_text.h"

namespace nibble {
namespace {

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

std::string slot(int offset) { return fmt::format("[sp, #{}]", offset); }
void load(Assembly& code, const char* to, int from) { code.op("ldr {}, {}", to, slot(from)); }
void store(Assembly& code, const char* from, int to) { code.op("str {}, {}", from, slot(to)); }
void load_field(Assembly& code, const char* to, int index) {
  code.op("ldr {}, [r3, #{}]", to, 4 * index);
}
// to := from * factor.
void multiply(Assembly& code, const char* to, const char* from, int factor) {
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
// the upper row, r2 and r3 the lower one; r1 begins as the start value of all. Weights in
// registers: r4-r6 rows 0 and 1, r7-r9 rows 1 and 2 of the columns. r10, r11: two columns of the
// planes; r12 the planes.
class RegisterProducts {
 public:
  RegisterProducts(const DepthwiseText& text, int columns) : text_(text), columns_(columns) {}

  // `advance`: what to add to r12.
  Assembly write(int advance) {
    std::vector<int> order;
    for (int pair = text_.block_pairs() - 1; pair > 0; --pair) order.push_back(pair);
    // Both rows of outputs should begin with the first pair.
    if (order.size() > 1) std::swap(order[0], order[1]);
    order.push_back(0);
    int width = (columns_ - 1) * text_.stride_w + text_.k_w;
    for (int pair : order)
      for (int i = 0; i < width; i += 2) {
        int column = pair == 0 ? (width - 1) / 2 * 2 - i : i;
        bool second = column + 1 < width && any(pair, column + 1);
        if (!second && !any(pair, column)) continue;
        // A single load that moves on reaches 255 bytes.
        bool last = pair == 0 && column == 0 && advance > 0;
        bool moves = last && (second || advance <= 255);
        std::string at = moves ? fmt::format("[r12], #{}", advance)
                               : fmt::format("[r12, #{}]", text_.offset(column, pair));
        if (second)
          code_.op("ldrd r10, r11, {}", at);
        else
          code_.op("ldr r10, {}", at);
        if (last && !moves) code_.op("add r12, r12, #{}", advance);
        column_products(pair, column, "r10");
        if (second) column_products(pair, column + 1, "r11");
      }
    begin_others(-1);
    return std::move(code_);
  }

 private:
  struct Product {
    std::string operation, weights;
  };
  std::optional<Product> product(int pair, int row, int kx) const {
    if (kx < 0 || kx >= text_.k_w) return std::nullopt;
    int ky = 2 * pair - row * text_.stride_h;
    std::string upper = fmt::format("r{}", 4 + kx), lower = fmt::format("r{}", 7 + kx);
    if (ky == -1) return Product{"smlatb", upper};
    if (ky == 0) return Product{"smlad", upper};
    if (ky == 1 && text_.k_h > 1) return Product{"smlad", lower};
    if (ky == 2 && text_.k_h > 2) return Product{"smlabt", lower};
    return std::nullopt;
  }
  bool any(int pair, int column) const {
    for (int x = 0; x < columns_; ++x)
      for (int row = 0; row < 2; ++row)
        if (product(pair, row, column - x * text_.stride_w)) return true;
    return false;
  }
  // All accumulators but `except` that have not begun, r1 last.
  void begin_others(int except) {
    for (int acc : {0, 2, 3})
      if (acc != except && !begun_[acc] && (columns_ > 1 || acc != 3)) {
        code_.op("mov r{}, r1", acc);
        begun_[acc] = true;
      }
  }
  void column_products(int pair, int column, const char* data) {
    for (int acc : {0, 2, 3, 1}) {
      int x = acc % 2, row = acc / 2;
      if (x >= columns_) continue;
      std::optional<Product> with = product(pair, row, column - x * text_.stride_w);
      if (!with) continue;
      if (acc == 1 && !begun_[1]) begin_others(1);
      code_.op("{} r{}, {}, {}, r{}", with->operation, acc, data, with->weights,
               begun_[acc] ? acc : 1);
      begun_[acc] = true;
    }
  }

  const DepthwiseText& text_;
  int columns_;
  bool begun_[4] = {};
  Assembly code_;
};

// The same with weights from the stream: r4 and r5 those of the upper and lower row, r6 and r7 the
// columns, r9 the weights, r10 their end.
Assembly stream_products(const DepthwiseText& text, int columns, int advance, int label) {
  Assembly code;
  code.op("mov r0, r1");
  code.op("mov r2, r1");
  if (columns > 1) code.op("mov r3, r1");
  code.op("ldrd r9, r10, {}", slot(kWeights));
  if (text.block_pairs() > 1) code.label(label);
  auto column = [&](const char* to, int at) {
    code.op("ldr {}, [r12, #{}]", to, text.offset(at, 0));
  };
  const char *left = "r6", *right = "r7";
  bool shared = columns > 1 && text.stride_w == 1;
  if (shared) column(left, 0);
  for (int kx = 0; kx < text.k_w; ++kx) {
    if (!shared) column(left, kx);
    if (columns > 1) column(right, kx + text.stride_w);
    code.op("ldrd r4, r5, [r9], #8");
    code.op("smlad r0, {}, r4, r0", left);
    code.op("smlad r2, {}, r5, r2", left);
    if (columns > 1) {
      code.op("smlad r1, {}, r4, r1", right);
      code.op("smlad r3, {}, r5, r3", right);
    }
    if (shared) std::swap(left, right);
  }
  if (text.block_pairs() > 1) {
    code.op("add r12, r12, #8");
    code.op("cmp r9, r10");
    code.op("bne {}b", label);
    advance -= 8 * text.block_pairs();
  }
  if (advance != 0) code.op("{} r12, r12, #{}", advance < 0 ? "sub" : "add", std::abs(advance));
  return code;
}

class DepthwiseWriter {
 public:
  DepthwiseWriter(const DepthwiseText& text, const OutputStage& stage)
      : text_(text), stage_(stage) {}

  DepthwiseCode write() {
    prologue();
    code_.all.label(kStrip);
    strip();
    code_.all.label(kGroup);
    group();
    unpack();
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
    table();
    Assembly rest;
    load(rest, "r3", kHeader);
    rest.op("add r3, r3, #{}", 4 * int{NIBBLE_DEPTHWISE_FIELDS});
    store(rest, "r3", kStream);
    code_.all.append(rest);
    code_.strip.append(rest);
  }

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
      code_.block = products(2, text_.column_pair_bytes() * text_.stride_w);
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
    code_.tail = products(1, 0);
    outputs(code_.tail, 1);
    code_.tail.op("b.w {}b", int{kNext});
    code.append(code_.tail);
    code.label(kBlockEnd);
  }

  Assembly products(int columns, int advance) const {
    if (text_.weights_in_registers()) return RegisterProducts(text_, columns).write(advance);
    return stream_products(text_, columns, advance, columns > 1 ? int{kTap} : int{kTailTap});
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

std::string DepthwiseText::name(const OutputStage& stage) const {
  std::string name = fmt::format("nibble_depthwise_conv2d_s8_dsp_{}x{}_{}{}_p{}", k_h, k_w,
                                 stride_h, stride_w, pairs);
  if (odd_left) name += "_odd";
  if (one_column) name += "_column";
  if (planes_listed) name += "_multiple";
  return name + "_" + (affine ? std::string("affine") : stage.name());
}

DepthwiseCode depthwise_code(const DepthwiseText& text, const OutputStage& stage) {
  return DepthwiseWriter(text, stage).write();
}

}  // namespace nibble
