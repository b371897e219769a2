// conv2d_s16s8, and dense_s16s8 of several rows, on cores with 16-bit multiply-accumulate pairs
// (SMLAD): three pixels by two output channels. Activations need no widening: windows are gathered
// by plain C (kernels/common/window_s16.h) into words of two taps, the three pixels of a word in a
// row, so that one load takes them. Per word of weights of both channels: one load of the window,
// six SMLAD, half a load of weights, and what unpacks them: two instructions (bytes), one (lanes,
// at the price of the sums of each window), or none (wide, at twice the flash). That is 9.5, 8.5 or
// 8 instructions for 12 multiply-accumulates. kernels/conv2d/conv2d_s16s8_pairs.h has the stream.
#include <algorithm>

#include "conv2d/conv2d_s16s8_pairs.h"
#include "lower/dsp/output_s16.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"
#include "lower/progress.h"
#include "lower/variant.h"

namespace nibble {
namespace {

// Of the block kernel's text.
struct BlockText {
  int form = NIBBLE_PAIRS_BYTES;
  int unroll = 4;  // words per round of the loop, an even number
  bool looped = true;

  std::string name(const OutputStage16& stage) const {
    const char* forms[] = {"bytes", "lanes", "wide"};
    return fmt::format("nibble_conv2d_s16s8_dsp_block_{}_u{}{}_{}", forms[form], unroll,
                       looped ? "l" : "", stage.name());
  }
};

struct BlockCode {
  Assembly all;
  Assembly begin, sum_round, pair, round;  // parts of it, for the estimate
};

// The stack frame below the saved registers.
enum Slot { kDst = 0, kPitch = 4, kWindow = 8, kSums = 12, kFrameBytes = 24 };
constexpr int kSavedBytes = 36, kWindowEnd = kFrameBytes + kSavedBytes, kStreamEnd = kWindowEnd + 4;
enum Label { kPairLoop = 1, kWordLoop, kSumLoop };

constexpr const char* kA[] = {"r8", "r9", "r10"};
constexpr const char* kB[] = {"r11", "r12", "lr"};

// r0 window, r1 stream, r2 dst, r3 pitch; window_end and stream_end on the stack.
class BlockWriter {
 public:
  BlockWriter(const BlockText& text, const OutputStage16& stage) : text_(text), stage_(stage) {}

  BlockCode write() {
    Assembly& code = code_.all;
    code_.begin.op("push {{r4-r11, lr}}");
    code_.begin.op("sub sp, sp, #{}", int{kFrameBytes});
    code_.begin.op("mov r6, r1");
    code_.begin.op("strd r2, r3, [sp, #{}]", int{kDst});
    code_.begin.op("str r0, [sp, #{}]", int{kWindow});
    code.append(code_.begin);
    if (text_.form == NIBBLE_PAIRS_LANES) sums();
    code.label(kPairLoop);
    begin_pair();
    if (text_.looped) code.label(kWordLoop);
    multiply();
    if (text_.looped) {
      code_.round.op("ldr r0, [sp, #{}]", kWindowEnd);
      code_.round.op("cmp r7, r0");
      code_.round.op("bne.w {}b", int{kWordLoop});
    }
    code.append(code_.round);
    end_pair();
    code.op("add sp, sp, #{}", int{kFrameBytes});
    code.op("pop {{r4-r11, pc}}");
    return std::move(code_);
  }

 private:
  // 128 times the sum of each pixel's window.
  void sums() {
    Assembly& code = code_.all;
    code.op("mov r7, r0");
    code.op("ldr r3, [sp, #{}]", kWindowEnd);
    code.op("mov r5, #0x00800080");
    for (const char* sum : kA) code.op("mov {}, #0", sum);
    code.label(kSumLoop);
    for (int i = 0; i < 2; ++i) {
      code_.sum_round.op("ldmia r7!, {{r0-r2}}");
      for (int p = 0; p < NIBBLE_TRIPLES; ++p)
        code_.sum_round.op("smlad {0}, r{1}, r5, {0}", kA[p], p);
    }
    code_.sum_round.op("cmp r7, r3");
    code_.sum_round.op("bne {}b", int{kSumLoop});
    code.append(code_.sum_round);
    for (int p = 0; p < NIBBLE_TRIPLES; ++p) code.op("str {}, [sp, #{}]", kA[p], kSums + 4 * p);
  }

  void begin_pair() {
    Assembly begin;
    begin.op("ldmia r6!, {{r8, r11}}");
    begin.op("ldr r7, [sp, #{}]", int{kWindow});
    for (int p = 1; p < NIBBLE_TRIPLES; ++p) begin.op("mov {}, r11", kB[p]);
    if (text_.form == NIBBLE_PAIRS_LANES) {
      begin.op("add r8, r8, r11, lsl #8");
      for (int p = 0; p < NIBBLE_TRIPLES; ++p) begin.op("ldr r{}, [sp, #{}]", p, kSums + 4 * p);
      for (int p = NIBBLE_TRIPLES - 1; p >= 0; --p) begin.op("sub {}, r8, r{}", kA[p], p);
    } else {
      for (int p = 1; p < NIBBLE_TRIPLES; ++p) begin.op("mov {}, r8", kA[p]);
    }
    code_.all.append(begin);
    code_.pair.append(begin);
  }

  void all_pixels(const char* const* acc, const char* weight) {
    for (int p = 0; p < NIBBLE_TRIPLES; ++p)
      code_.round.op("smlad {0}, r{1}, {2}, {0}", acc[p], p, weight);
  }

  void multiply() {
    Assembly& code = code_.round;
    for (int word = 0; word < text_.unroll; ++word) {
      const char* first = word % 2 == 0 ? "r3" : "r4";
      if (text_.form == NIBBLE_PAIRS_WIDE || word % 2 == 0) code.op("ldmia r6!, {{r3, r4}}");
      code.op("ldmia r7!, {{r0-r2}}");
      switch (text_.form) {
        case NIBBLE_PAIRS_BYTES:
          code.op("sxtb16 r5, {}", first);
          all_pixels(kA, "r5");
          code.op("sxtb16 {0}, {0}, ror #8", first);
          all_pixels(kB, first);
          break;
        case NIBBLE_PAIRS_LANES:
          all_pixels(kA, first);
          code.op("sxtb16 {0}, {0}, ror #8", first);
          all_pixels(kB, first);
          break;
        default:
          all_pixels(kA, "r3");
          all_pixels(kB, "r4");
      }
    }
  }

  void end_pair() {
    Assembly end;
    end.op("ldmia r6!, {{r3, r4, r5}}");
    if (text_.form == NIBBLE_PAIRS_LANES)
      for (int p = 0; p < NIBBLE_TRIPLES; ++p) end.op("sub {0}, {0}, {1}, lsl #8", kA[p], kB[p]);
    for (const char* acc : kA) stage_.instructions(end, acc, "r3", "r5");
    // The low byte of r5: now the shift of b.
    if (!stage_.reduced()) end.op("ror r5, r5, #8");
    for (const char* acc : kB) stage_.instructions(end, acc, "r4", "r5");
    end.op("ldrd r0, r1, [sp, #{}]", int{kDst});
    // A missing channel b is written where a comes to stand.
    end.op("ubfx r5, r5, #{}, #8", stage_.reduced() ? 16 : 8);
    end.op("add r2, r0, r5");
    auto store = [&](const char* const* acc, const char* to, const char* next) {
      end.op("strh {}, [{}, r1]", acc[1], to);
      end.op("strh {}, [{}, r1, lsl #1]", acc[2], to);
      end.op("strh {}, [{}]{}", acc[0], to, next);
    };
    store(kB, "r2", "");
    store(kA, "r0", ", #4");
    end.op("str r0, [sp, #{}]", int{kDst});
    end.op("ldr r1, [sp, #{}]", kStreamEnd);
    end.op("cmp r6, r1");
    end.op("bne.w {}b", int{kPairLoop});
    code_.all.append(end);
    code_.pair.append(end);
  }

  const BlockText& text_;
  const OutputStage16& stage_;
  BlockCode code_;
};

struct ConvLayer16 {
  nibble_window_s16 shape{};
  int batches = 1, out_h = 1, out_c = 1;
  std::span<const int8_t> filter;

  bool joined() const { return shape.dilation_w == 1; }
  int runs() const { return shape.k_h * (joined() ? 1 : shape.k_w); }
  int run_len() const { return (joined() ? shape.k_w : 1) * shape.in_c; }
  int run_words() const { return (run_len() + 1) / 2; }
  int words(const BlockText& text) const {
    int all = runs() * run_words();
    return (all + text.unroll - 1) / text.unroll * text.unroll;
  }
  int pairs() const { return (out_c + 1) / 2; }
  int pixels() const { return batches * out_h * shape.out_w; }
};

// Of a tap (lane) of a word of the window; 0 where there is none.
uint32_t weight_at(const ConvLayer16& layer, int channel, int word, int lane) {
  int run = word / layer.run_words(), elem = word % layer.run_words() * 2 + lane;
  if (channel >= layer.out_c || run >= layer.runs() || elem >= layer.run_len()) return 0;
  int at = (channel * layer.runs() + run) * layer.run_len() + elem;
  return static_cast<uint32_t>(int32_t{layer.filter[static_cast<size_t>(at)]});
}

std::vector<uint8_t> pack(const ConvLayer16& layer, const BlockText& text,
                          const OutputStage16& stage) {
  std::vector<uint8_t> stream;
  for (int a = 0; a < layer.out_c; a += 2) {
    auto first = static_cast<size_t>(a);
    bool has_b = a + 1 < layer.out_c;
    put_word(stream, static_cast<uint32_t>(stage.bias(first)));
    put_word(stream, has_b ? static_cast<uint32_t>(stage.bias(first + 1)) : 0);
    for (int word = 0; word < layer.words(text); ++word) {
      uint32_t halves[2], halves_b[2];
      for (int lane = 0; lane < 2; ++lane) {
        uint32_t of_a = weight_at(layer, a, word, lane), of_b = weight_at(layer, a + 1, word, lane);
        halves_b[lane] = of_b & 0xffff;
        halves[lane] = text.form == NIBBLE_PAIRS_WIDE    ? of_a & 0xffff
                       : text.form == NIBBLE_PAIRS_LANES ? (256 * of_b + of_a + 128) & 0xffff
                                                         : (of_a & 0xff) | (of_b & 0xff) << 8;
      }
      put_word(stream, halves[0] | halves[1] << 16);
      if (text.form == NIBBLE_PAIRS_WIDE) put_word(stream, halves_b[0] | halves_b[1] << 16);
    }
    put_word(stream, stage.doubled(first));
    put_word(stream, has_b ? stage.doubled(first + 1) : 0);
    put_word(stream, stage.shift(first) | (has_b ? stage.shift(first + 1) : 0) << 8 |
                         (has_b ? 2u : 0u) << 16);
  }
  return stream;
}

double predict_cycles(const ConvLayer16& layer, const BlockText& text, const BlockCode& code) {
  constexpr double kPerPixel = 45, kPerRun = 40, kPerWord = 3.5, kPerBlock = 40;
  double words = layer.words(text);
  double block =
      kPerBlock + thumb2_cycles(code.begin) + words / 2 * thumb2_cycles(code.sum_round) +
      layer.pairs() * (thumb2_cycles(code.pair) + words / text.unroll * thumb2_cycles(code.round));
  double blocks = layer.pixels() / NIBBLE_TRIPLES + layer.pixels() % NIBBLE_TRIPLES;
  return 100 + blocks * block +
         layer.pixels() * (kPerPixel + layer.runs() * kPerRun + words * kPerWord);
}

std::string window_fields(const nibble_window_s16& shape) {
  return fmt::format("{{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}", shape.in_h, shape.in_w,
                     shape.in_c, shape.out_w, shape.k_h, shape.k_w, shape.stride_h, shape.stride_w,
                     shape.dilation_h, shape.dilation_w, shape.pad_top, shape.pad_left);
}

CFunction block_function(const BlockText& text, const OutputStage16& stage, const Assembly& body) {
  CFunction block;
  block.name = text.name(stage);
  block.comment = "convolution of s16, three pixels by all channels, two at once";
  block.parameters = {
      "const int16_t *window", "const uint32_t *stream",    "int16_t *dst",
      "int32_t pitch",         "const int16_t *window_end", "const uint32_t *stream_end"};
  block.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  block.body = body;
  block.plain_body = fmt::format(
      "  static const nibble_pairs_s16_args args = {{{}, {}}};\n"
      "  nibble_conv2d_s16s8_pairs_block(&args, window, stream, dst, pitch, window_end,\n"
      "                                  stream_end);\n",
      text.form, stage.c_fields());
  return block;
}

KernelVariant make_variant(const std::string& op, const ConvLayer16& layer, const BlockText& text,
                           const OutputStage16& stage, bool takes_rows) {
  BlockCode code = BlockWriter(text, stage).write();
  CFunction block = block_function(text, stage, code.all);
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(layer, text, stage)}};
  std::string fields = window_fields(layer.shape);
  std::string args =
      fmt::format("{}, {}, {}, {}, {}, {}", fields, layer.batches, layer.out_h, layer.out_c,
                  layer.words(text), variant.packed[0].bytes.size() / 4);
  std::string guard = "NIBBLE_HAS_" + block.name.substr(7);
  KernelFunction& function = variant.function;
  function.name =
      fmt::format("nibble_{}_s16s8_dsp_{}x{}_k{}x{}_{}", op, layer.shape.in_c, layer.out_c,
                  layer.shape.k_h, layer.shape.k_w, text_hash(args + block.name));
  function.isa = "dsp";
  function.files = {"common/nibble_common.h", "common/requant.h",    "common/output_s16.h",
                    "common/copy_s8.h",       "common/window_s16.h", "conv2d/conv2d_s16s8_pairs.h"};
  function.parameters = {"const int16_t *", "int16_t *", "void *"};
  function.takes_rows = takes_rows;
  function.text = fmt::format(
      "#ifndef {0}\n#define {0}\n{1}#endif\n"
      "static void {2}(\n    const int16_t *src, int16_t *dst, void *scratch, const uint32_t "
      "*stream{3}) {{\n"
      "  static const nibble_conv2d_s16s8_pairs_args args = {{\n      {4}}};\n"
      "  nibble_conv2d_s16s8_pairs(&args, {5}, src, dst,\n"
      "                            (int16_t *)scratch, stream, {6});\n}}\n",
      guard, function_text(block), function.name,
      takes_rows ? ",\n    int32_t first_row, int32_t end_row" : "", args, block.name,
      takes_rows ? "first_row, end_row" : "0, 1");
  variant.scratch_bytes = int64_t{layer.words(text)} * 4 * NIBBLE_TRIPLES;
  const nibble_window_s16& s = layer.shape;
  WindowWalk walk{layer.batches,   s.in_h,     s.in_w,     2 * s.in_c, layer.out_h, s.out_w,
                  2 * layer.out_c, s.stride_h, s.stride_w, s.pad_top,  s.pad_left};
  if (layer.out_h * s.out_w >= NIBBLE_TRIPLES)
    variant.progress = run_progress(walk, NIBBLE_TRIPLES, true);
  variant.cycles = CostFit{500, 1.28}(predict_cycles(layer, text, code));
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2 + 120;
  return variant;
}

std::vector<KernelVariant> generate(const std::string& op, const ConvLayer16& layer,
                                    const std::optional<OutputStage16>& stage, bool takes_rows) {
  std::vector<KernelVariant> variants;
  if (!stage) return variants;
  int words = layer.runs() * layer.run_words();
  for (int form : {NIBBLE_PAIRS_BYTES, NIBBLE_PAIRS_LANES, NIBBLE_PAIRS_WIDE})
    for (int unroll : {4, 8, 16, 32}) {
      if (unroll > 4 && words <= unroll / 2) break;
      BlockText text{form, unroll, true};
      variants.push_back(make_variant(op, layer, text, *stage, takes_rows));
    }
  return variants;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s16s8_dsp(const LayerView& view, const LowerOptions&) {
  if (view.field("groups") != 1) return {};
  ConvLayer16 layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),       get("in_c"),     get("out_w"),
                 get("k_h"),        get("k_w"),        get("stride_h"), get("stride_w"),
                 get("dilation_h"), get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h"), layer.out_c = get("out_c");
  layer.filter = view.s8("filter");
  size_t taps = layer.filter.size() / static_cast<size_t>(layer.out_c);
  auto channel_of = [&](size_t index) { return static_cast<int>(index / taps); };
  return generate("conv2d", layer, OutputStage16::of(view, layer.out_c, channel_of), true);
}

// Of one input channel: every output channel reads it all.
std::vector<KernelVariant> generate_depthwise_single_s16s8_dsp(const LayerView& view,
                                                               const LowerOptions&) {
  if (view.field("in_c") != 1) return {};
  ConvLayer16 layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),     1,
                 get("out_w"),      get("k_h"),      get("k_w"),
                 get("stride_h"),   get("stride_w"), get("dilation_h"),
                 get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h");
  layer.out_c = get("channel_multiplier");
  std::span<const int8_t> by_tap = view.s8("filter");
  auto channels = static_cast<size_t>(layer.out_c);
  size_t taps = by_tap.size() / channels;
  std::vector<int8_t> by_channel(by_tap.size());
  for (size_t i = 0; i < by_tap.size(); ++i)
    by_channel[i % channels * taps + i / channels] = by_tap[i];
  layer.filter = by_channel;
  auto channel_of = [&](size_t index) { return static_cast<int>(index % channels); };
  return generate("depthwise_conv2d", layer, OutputStage16::of(view, layer.out_c, channel_of),
                  true);
}

// Rows are the pixels of an image of one row.
std::vector<KernelVariant> generate_dense_rows_s16s8_dsp(const LayerView& view,
                                                         const LowerOptions&) {
  if (view.field("rows") < NIBBLE_TRIPLES) return {};
  ConvLayer16 layer;
  int rows = view.int_field("rows"), in_len = view.int_field("in_len");
  layer.shape = {1, rows, in_len, rows, 1, 1, 1, 1, 1, 1, 0, 0};
  layer.out_c = view.int_field("out_len");
  layer.filter = view.s8("filter");
  auto channel_of = [&](size_t index) {
    return static_cast<int>(index / static_cast<size_t>(in_len));
  };
  return generate("dense", layer, OutputStage16::of(view, layer.out_c, channel_of), false);
}

}  // namespace nibble
