// conv2d_s16s8 and dense_s16s8 on cores with Helium: eight multiply-accumulates are one
// VMLADAVA.S16, four pixels by two channels or one row by eight channels share their loads; weights
// are widened where they are loaded (VLDRB.S16). Per eight elements of a block of convolution: six
// loads and eight VMLADAVA for 64 multiply-accumulates. kernels/conv2d/conv2d_s16s8_octets.h has
// the stream.
#include <algorithm>

#include "common/requant.h"
#include "conv2d/conv2d_s16s8_octets.h"
#include "lower/dsp/output_s16.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

// The accumulators: VMLADAVA takes even registers.
constexpr const char* kSums[] = {"r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr"};

struct OctetsText {
  int pixels = 4, channels = 2;  // or 1 and 8
  int unroll = 1;                // steps per round
  int low = -32768, high = 32767;
  bool image() const { return pixels > 1; }
  std::string name() const {
    std::string name = fmt::format("nibble_s16s8_mve_{}x{}_u{}", pixels, channels, unroll);
    if (low != -32768) name += "_" + number_in_name(low);
    if (high != 32767) name += "_to_" + number_in_name(high);
    return name;
  }
};

// The stack frame: the sums, four times the pitch, and what the loops read again.
enum Slot {
  kSumsAt = 0,
  kOffsets = 32,
  kWindow = 48,
  kSteps = 52,
  kGroups = 56,
  kLast = 60,
  kDst = 64,
  kFrameBytes = 72
};
enum Label { kGroupLoop = 1, kStepLoop, kPartial, kDone, kPartialLoop };

struct OctetsCode {
  Assembly all;
  double per_group = 0, per_round = 0;
};

// r0 window, r1 stream, r2 dst, r3 pitch, then the shape on the stack. In the loops: r1 the stream,
// r3 the window, r5 counts rounds.
class OctetsWriter {
 public:
  explicit OctetsWriter(const OctetsText& text) : text_(text) {}

  OctetsCode write() {
    Assembly& code = code_.all;
    code.op("push {{r4-r11, lr}}");
    code.op("vpush {{d8-d15}}");
    code.op("sub sp, sp, #{}", int{kFrameBytes});
    code.op("ldr r4, [sp, #{}]", kFrameBytes + 64 + 36);
    code.op("ldm r4, {{r5, r6, r7}}");
    if (text_.unroll > 1) code.op("lsr r5, r5, #{}", text_.unroll == 2 ? 1 : 2);
    code.op("strd r0, r5, [sp, #{}]", int{kWindow});
    code.op("strd r6, r7, [sp, #{}]", int{kGroups});
    code.op("str r2, [sp, #{}]", int{kDst});
    if (text_.image()) {
      code.op("movs r4, #0");
      code.op("lsl r5, r3, #1");
      code.op("add r6, r5, r3");
      code.op("strd r4, r3, [sp, #{}]", int{kOffsets});
      code.op("strd r5, r6, [sp, #{}]", kOffsets + 8);
      code.op("vldrw.u32 q7, [sp, #{}]", int{kOffsets});
    }
    limit("q6", text_.low, -32768);
    limit("q5", text_.high, 32767);
    code.label(kGroupLoop);
    size_t before = code.count();
    sums();
    rescale();
    if (text_.image())
      store_image();
    else
      store_row();
    code_.per_group = static_cast<double>(code.count() - before) - code_.per_round;
    code.label(kDone);
    code.op("add sp, sp, #{}", int{kFrameBytes});
    code.op("vpop {{d8-d15}}");
    code.op("pop {{r4-r11, pc}}");
    return std::move(code_);
  }

 private:
  void limit(const char* vector, int value, int none) {
    if (value == none) return;
    code_.all.op("movw r4, #{}", value & 0xffff);
    code_.all.op("vdup.16 {}, r4", vector);
  }

  void sums() {
    Assembly& code = code_.all;
    if (text_.image()) {
      code.op("ldrd r0, r8, [r1], #8");
      for (const char* sum : {"r2", "r4", "r6"}) code.op("mov {}, r0", sum);
      for (const char* sum : {"r10", "r12", "lr"}) code.op("mov {}, r8", sum);
    } else {
      for (int i = 0; i < 8; ++i) code.op("ldr {}, [r1], #4", kSums[i]);
    }
    code.op("ldrd r3, r5, [sp, #{}]", int{kWindow});
    code.label(kStepLoop);
    size_t before = code.count();
    for (int step = 0; step < text_.unroll; ++step) {
      for (int p = 0; p < text_.pixels; ++p) code.op("vldrh.u16 q{}, [r3], #16", p);
      for (int c = 0; c < text_.channels; ++c) {
        code.op("vldrb.s16 q4, [r1], #8");
        for (int p = 0; p < text_.pixels; ++p)
          code.op("vmladava.s16 {}, q{}, q4", kSums[c * text_.pixels + p], p);
      }
    }
    code.op("subs r5, r5, #1");
    code.op("bne {}b", int{kStepLoop});
    code_.per_round = static_cast<double>(code.count() - before);
  }

  // q0 and q1 := the outputs, in the low halves of their words.
  void rescale() {
    Assembly& code = code_.all;
    code.op("stm sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}");
    code.op("vldrw.u32 q0, [sp]");
    code.op("vldrw.u32 q1, [sp, #16]");
    if (text_.image()) {
      code.op("ldrd r4, r5, [r1], #8");
      code.op("vdup.32 q2, r4");
      code.op("vdup.32 q3, r5");
    } else {
      code.op("vldrw.u32 q2, [r1], #16");
      code.op("vldrw.u32 q3, [r1], #16");
    }
    for (int i = 0; i < 2; ++i) {
      code.op("vrmulh.s32 q{0}, q{0}, q{1}", i, i + 2);
      code.op("vqmovnb.s32 q{0}, q{0}", i);
      if (text_.low != -32768) code.op("vmax.s16 q{0}, q{0}, q6", i);
      if (text_.high != 32767) code.op("vmin.s16 q{0}, q{0}, q5", i);
    }
  }

  void store_image() {
    Assembly& code = code_.all;
    code.op("ldrd r6, r7, [sp, #{}]", int{kGroups});
    code.op("ldr r0, [sp, #{}]", int{kDst});
    code.op("vstrh.32 q0, [r0, q7]");
    code.op("add r0, r0, #2");
    code.op("subs r6, r6, #1");
    code.op("bne {}f", int{kPartial});
    code.op("cmp r7, #1");
    code.op("beq {}f", int{kDone});
    code.label(kPartial);
    code.op("vstrh.32 q1, [r0, q7]");
    code.op("add r0, r0, #2");
    code.op("str r0, [sp, #{}]", int{kDst});
    code.op("str r6, [sp, #{}]", int{kGroups});
    code.op("cmp r6, #0");
    code.op("bne.w {}b", int{kGroupLoop});
  }

  void store_row() {
    Assembly& code = code_.all;
    code.op("ldrd r6, r7, [sp, #{}]", int{kGroups});
    code.op("ldr r0, [sp, #{}]", int{kDst});
    code.op("subs r6, r6, #1");
    code.op("beq {}f", int{kPartial});
    code.op("vstrh.32 q0, [r0]");
    code.op("vstrh.32 q1, [r0, #8]");
    code.op("add r0, r0, #16");
    code.op("str r0, [sp, #{}]", int{kDst});
    code.op("str r6, [sp, #{}]", int{kGroups});
    code.op("b.w {}b", int{kGroupLoop});
    code.label(kPartial);
    code.op("vctp.32 r7");
    code.op("vpst");
    code.op("vstrht.32 q0, [r0]");
    code.op("subs r7, r7, #4");
    code.op("ble {}f", int{kDone});
    code.op("vctp.32 r7");
    code.op("vpst");
    code.op("vstrht.32 q1, [r0, #8]");
  }

  const OctetsText& text_;
  OctetsCode code_;
};

struct OctetsLayer {
  nibble_window_s16 shape{};
  int batches = 1, out_h = 1, out_c = 1;
  std::span<const int8_t> filter;
  int taps() const { return shape.k_h * shape.k_w * shape.in_c; }
  int steps(int unroll) const {
    int all = (taps() + NIBBLE_OCTET - 1) / NIBBLE_OCTET;
    return (all + unroll - 1) / unroll * unroll;
  }
  int groups(const OctetsText& text) const { return (out_c + text.channels - 1) / text.channels; }
  int last(const OctetsText& text) const { return out_c - (groups(text) - 1) * text.channels; }
};

std::vector<uint8_t> pack(const OctetsLayer& layer, const OctetsText& text,
                          const OutputStage16& stage) {
  std::vector<uint8_t> stream;
  for (int first = 0; first < layer.out_c; first += text.channels) {
    auto each = [&](auto visit) {
      for (int c = first; c < first + text.channels; ++c)
        put_word(stream, c < layer.out_c ? visit(static_cast<size_t>(c)) : 0);
    };
    each([&](size_t c) { return static_cast<uint32_t>(stage.bias(c)); });
    for (int step = 0; step < layer.steps(text.unroll); ++step)
      for (int c = first; c < first + text.channels; ++c)
        for (int i = step * NIBBLE_OCTET; i < (step + 1) * NIBBLE_OCTET; ++i)
          stream.push_back(
              c < layer.out_c && i < layer.taps()
                  ? static_cast<uint8_t>(layer.filter[static_cast<size_t>(c * layer.taps() + i)])
                  : uint8_t{0});
    each([&](size_t c) { return stage.doubled(c); });
  }
  return stream;
}

std::string kernel_text(const OctetsText& text, const OctetsCode& code) {
  CFunction kernel;
  kernel.name = text.name();
  kernel.comment =
      fmt::format("products of s16 and s8: {} pixels by {} channels", text.pixels, text.channels);
  kernel.parameters = {"const int16_t *window", "const int8_t *stream", "int16_t *dst",
                       "int32_t pitch", "const int32_t *shape"};
  kernel.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
  kernel.body = code.all;
  kernel.plain_body = fmt::format(
      "  nibble_octets_block(window, stream, dst, pitch, shape[0], shape[1], shape[2], {}, {}, "
      "{},\n                      {});\n",
      text.pixels, text.channels, text.low, text.high);
  return guarded_text(kernel);
}

constexpr double kCyclesPerInstruction = 1.3;

KernelVariant common_variant(const OctetsLayer& layer, const OctetsText& text,
                             const OutputStage16& stage, const OctetsCode& code) {
  KernelVariant variant;
  variant.packed = {{"stream", "int8_t", pack(layer, text, stage)}};
  variant.function.isa = "mve";
  variant.function.files = {"common/nibble_common.h", "common/requant.h",
                            "common/output_s16.h",    "common/copy_s8.h",
                            "common/window_s16.h",    "conv2d/conv2d_s16s8_octets.h"};
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 4 + 100;
  return variant;
}

double block_instructions(const OctetsLayer& layer, const OctetsText& text,
                          const OctetsCode& code) {
  double rounds = static_cast<double>(layer.steps(text.unroll)) / text.unroll;
  return 50 + layer.groups(text) * (code.per_group + rounds * code.per_round);
}

KernelVariant conv_variant(const std::string& op, const OctetsLayer& layer, const OctetsText& text,
                           const OutputStage16& stage, bool takes_rows) {
  OctetsCode code = OctetsWriter(text).write();
  KernelVariant variant = common_variant(layer, text, stage, code);
  const nibble_window_s16& s = layer.shape;
  std::string args =
      fmt::format("{{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}, {}, {}, {}, {{{}, {}, {}}}",
                  s.in_h, s.in_w, s.in_c, s.out_w, s.k_h, s.k_w, s.stride_h, s.stride_w,
                  s.dilation_h, s.dilation_w, s.pad_top, s.pad_left, layer.batches, layer.out_h,
                  layer.out_c, layer.steps(text.unroll), layer.groups(text), layer.last(text));
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_{}_s16s8_mve_{}x{}_k{}x{}_{}", op, s.in_c, layer.out_c, s.k_h,
                              s.k_w, text_hash(args + text.name()));
  function.parameters = {"const int16_t *", "int16_t *", "void *"};
  function.takes_rows = takes_rows;
  function.text = fmt::format(
      "{}static void {}(\n    const int16_t *src, int16_t *dst, void *scratch, const int8_t "
      "*stream{}) {{\n"
      "  static const nibble_conv2d_s16s8_octets_args args = {{\n      {}}};\n"
      "  nibble_conv2d_s16s8_octets(&args, {}, src, dst,\n"
      "                             (int16_t *)scratch, stream, {});\n}}\n",
      kernel_text(text, code), function.name,
      takes_rows ? ",\n    int32_t first_row, int32_t end_row" : "", args, text.name(),
      takes_rows ? "first_row, end_row" : "0, 1");
  variant.scratch_bytes = int64_t{layer.steps(text.unroll)} * 2 * NIBBLE_OCTET * text.pixels;
  WindowWalk walk{layer.batches,   s.in_h,     s.in_w,     2 * s.in_c, layer.out_h, s.out_w,
                  2 * layer.out_c, s.stride_h, s.stride_w, s.pad_top,  s.pad_left};
  if (layer.out_h * s.out_w >= text.pixels)
    variant.progress = run_progress(walk, text.pixels, true);
  double pixels = static_cast<double>(layer.batches) * layer.out_h * s.out_w;
  double blocks = std::floor(pixels / 4) + static_cast<int>(pixels) % 4;
  bool whole = s.k_w * s.in_c % NIBBLE_OCTET == 0;
  double gather = 40 + s.k_h * (35 + s.k_w * s.in_c * (whole ? 0.4 : 6));
  variant.cycles = kCyclesPerInstruction *
                   (100 + blocks * (30 + block_instructions(layer, text, code) + 4 * gather));
  return variant;
}

KernelVariant dense_variant(const OctetsLayer& layer, const OctetsText& text,
                            const OutputStage16& stage) {
  OctetsCode code = OctetsWriter(text).write();
  KernelVariant variant = common_variant(layer, text, stage, code);
  int rows = layer.shape.in_w, in_len = layer.shape.in_c;
  bool padded = in_len % NIBBLE_OCTET != 0 || layer.steps(text.unroll) * NIBBLE_OCTET != in_len;
  std::string shape =
      fmt::format("{}, {}, {}", layer.steps(text.unroll), layer.groups(text), layer.last(text));
  std::string args = fmt::format("{}, {}, {}", rows, in_len, layer.out_c);
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_dense_s16s8_mve_row_{}x{}_{}", in_len, layer.out_c,
                              text_hash(args + shape + text.name()));
  function.parameters = {"const int16_t *", "int16_t *"};
  if (padded) function.parameters.push_back("void *");
  function.text = fmt::format(
      "{}static void {}(\n    const int16_t *src, int16_t *dst,{} const int8_t *stream) {{\n"
      "  static const int32_t shape[3] = {{{}}};\n"
      "  nibble_dense_s16s8_octets({}, shape, {}, src, dst,\n"
      "                            {}, stream);\n}}\n",
      kernel_text(text, code), function.name, padded ? " void *scratch," : "", shape, args,
      text.name(), padded ? "(int16_t *)scratch" : "NULL");
  if (padded) variant.scratch_bytes = int64_t{layer.steps(text.unroll)} * 2 * NIBBLE_OCTET;
  variant.cycles = kCyclesPerInstruction * rows *
                   (30 + block_instructions(layer, text, code) + (padded ? in_len / 2 : 0));
  return variant;
}

std::vector<KernelVariant> generate(const std::string& op, const LayerView& view,
                                    const OctetsLayer& layer, bool takes_rows) {
  std::vector<KernelVariant> variants;
  if (view.field("rounding") != NIBBLE_ROUNDING_REDUCED) return variants;
  auto taps = static_cast<size_t>(layer.taps());
  // The filter of a layer as the view has it: by tap for a depthwise convolution.
  auto channels = static_cast<size_t>(layer.out_c);
  std::optional<OutputStage16> stage = OutputStage16::of(view, layer.out_c, [&](size_t i) {
    return static_cast<int>(op == "depthwise_conv2d" ? i % channels : i / taps);
  });
  if (!stage) return variants;
  OctetsText text;
  text.low = view.int_field("act_min"), text.high = view.int_field("act_max");
  for (int unroll : {1, 2, 4}) {
    text.unroll = unroll;
    if (unroll > layer.steps(1)) break;
    text.pixels = 4, text.channels = 2;
    if (op != "dense" || layer.shape.in_w >= 4)
      variants.push_back(conv_variant(op, layer, text, *stage, takes_rows));
    text.pixels = 1, text.channels = 8;
    if (op == "dense") variants.push_back(dense_variant(layer, text, *stage));
  }
  return variants;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s16s8_mve(const LayerView& view, const LowerOptions&) {
  if (view.field("groups") != 1) return {};
  OctetsLayer layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),       get("in_c"),     get("out_w"),
                 get("k_h"),        get("k_w"),        get("stride_h"), get("stride_w"),
                 get("dilation_h"), get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h"), layer.out_c = get("out_c");
  layer.filter = view.s8("filter");
  return generate("conv2d", view, layer, true);
}

// Of one input channel: every output channel reads it all.
std::vector<KernelVariant> generate_depthwise_single_s16s8_mve(const LayerView& view,
                                                               const LowerOptions&) {
  if (view.field("in_c") != 1) return {};
  OctetsLayer layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),     1,
                 get("out_w"),      get("k_h"),      get("k_w"),
                 get("stride_h"),   get("stride_w"), get("dilation_h"),
                 get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h");
  layer.out_c = get("channel_multiplier");
  std::span<const int8_t> by_tap = view.s8("filter");
  auto channels = static_cast<size_t>(layer.out_c);
  std::vector<int8_t> by_channel(by_tap.size());
  for (size_t i = 0; i < by_tap.size(); ++i)
    by_channel[i % channels * (by_tap.size() / channels) + i / channels] = by_tap[i];
  layer.filter = by_channel;
  return generate("depthwise_conv2d", view, layer, true);
}

// Rows are the pixels of an image of one row.
std::vector<KernelVariant> generate_dense_s16s8_mve(const LayerView& view, const LowerOptions&) {
  OctetsLayer layer;
  int rows = view.int_field("rows");
  layer.shape = {1, rows, view.int_field("in_len"), rows, 1, 1, 1, 1, 1, 1, 0, 0};
  layer.out_c = view.int_field("out_len");
  layer.filter = view.s8("filter");
  return generate("dense", view, layer, false);
}

}  // namespace nibble
