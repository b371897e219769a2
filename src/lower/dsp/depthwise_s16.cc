// depthwise_conv2d_s16s8 on cores with 16-bit multiply-accumulates: up to four neighbouring pixels
// by two channels, which a word of the source and a word of weights hold side by side (SMLABB,
// SMLATT). Windows are read in place, but for those at the border, which plain C copies first. For
// four pixels of 3 x 3 at stride 1: 18 loads, 3 of weights, 72 multiply-accumulates and some 40
// around them. kernels/depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h has the stream.
#include <algorithm>

#include "depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h"
#include "lower/dsp/output_s16.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"
#include "lower/progress.h"
#include "lower/variant.h"

namespace nibble {
namespace {

struct DepthwiseLayer16 {
  nibble_window_s16 shape{};
  int batches = 1, out_h = 1;
  std::span<const int8_t> filter;
  int weight(int tap, int channel) const {
    return filter[static_cast<size_t>(tap * shape.in_c + channel)];
  }
};

enum Slot { kSrc = 0, kDst = 4, kRowBytes = 8, kFrameBytes = 16 };
constexpr int kSavedBytes = 36, kStreamEnd = kFrameBytes + kSavedBytes;
constexpr int kPairLoop = 1;

struct DepthwiseCode16 {
  Assembly all;
  Assembly around, pair;  // parts of it, for the estimate
};

// r0 source, r1 stream; weights from r2 on, then one element, then the accumulators.
class DepthwiseWriter16 {
 public:
  DepthwiseWriter16(const nibble_window_s16& shape, int pixels, const OutputStage16& stage)
      : shape_(shape), pixels_(pixels), stage_(stage) {
    int weights = std::max(shape.k_w, 2);
    element_ = reg(weights);
    for (int p = 0; p < pixels; ++p) {
      low_.push_back(reg(weights + 1 + 2 * p));
      high_.push_back(reg(weights + 2 + 2 * p));
    }
  }
  static int most_pixels(int k_w) { return std::min(4, (11 - std::max(k_w, 2)) / 2); }

  DepthwiseCode16 write() {
    Assembly& code = code_.all;
    code_.around.op("push {{r4-r11, lr}}");
    code_.around.op("sub sp, sp, #{}", int{kFrameBytes});
    code_.around.op("str r0, [sp, #{}]", int{kSrc});
    code_.around.op("strd r2, r3, [sp, #{}]", int{kDst});
    code.append(code_.around);
    code.label(kPairLoop);
    begin_pair();
    for (int ky = 0; ky < shape_.k_h; ++ky) multiply_row(ky);
    end_pair();
    code.append(code_.pair);
    code.op("add sp, sp, #{}", int{kFrameBytes});
    code.op("pop {{r4-r11, pc}}");
    return std::move(code_);
  }

 private:
  static std::string reg(int index) { return index == 11 ? "lr" : fmt::format("r{}", index + 2); }

  void begin_pair() {
    Assembly& code = code_.pair;
    code.op("ldr r0, [sp, #{}]", int{kSrc});
    code.op("ldmia r1!, {{{}, {}, {}}}", element_, low_[0], high_[0]);
    code.op("add r0, r0, {}", element_);
    for (size_t p = 1; p < low_.size(); ++p) {
      code.op("mov {}, {}", low_[p], low_[0]);
      code.op("mov {}, {}", high_[p], high_[0]);
    }
  }

  void multiply_row(int ky) {
    Assembly& code = code_.pair;
    if (ky > 0) {
      code.op("ldr {}, [sp, #{}]", element_, int{kRowBytes});
      code.op("add r0, r0, {}", element_);
    }
    if (shape_.k_w == 1)
      code.op("ldr r2, [r1], #4");
    else
      code.op("ldmia r1!, {{r2-{}}}", reg(shape_.k_w - 1));
    int columns = (pixels_ - 1) * shape_.stride_w + shape_.k_w;
    for (int column = 0; column < columns; ++column) {
      bool loaded = false;
      for (int p = 0; p < pixels_; ++p) {
        int kx = column - p * shape_.stride_w;
        if (kx < 0 || kx >= shape_.k_w) continue;
        if (!loaded) code.op("ldr {}, [r0, #{}]", element_, 2 * column * shape_.in_c);
        loaded = true;
        auto pixel = static_cast<size_t>(p);
        code.op("smlabb {0}, {1}, {2}, {0}", low_[pixel], element_, reg(kx));
        code.op("smlatt {0}, {1}, {2}, {0}", high_[pixel], element_, reg(kx));
      }
    }
  }

  void end_pair() {
    Assembly& code = code_.pair;
    code.op("ldmia r1!, {{r2, r3, {}}}", element_);
    for (const std::string& acc : low_) stage_.instructions(code, acc, "r2", element_, "r0");
    if (!stage_.reduced()) code.op("ror {0}, {0}, #8", element_);
    for (const std::string& acc : high_) stage_.instructions(code, acc, "r3", element_, "r0");
    if (!stage_.reduced()) code.op("ror {0}, {0}, #24", element_);
    code.op("ldr r0, [sp, #{}]", int{kDst});
    code.op("ldr r3, [sp, #{}]", kStreamEnd);
    code.op("add r0, r0, {}, lsr #16", element_);
    for (size_t p = 0; p < low_.size(); ++p) {
      code.op("pkhbt {0}, {0}, {1}, lsl #16", low_[p], high_[p]);
      code.op("str {}, [r0, #{}]", low_[p], 2 * static_cast<int>(p) * shape_.in_c);
    }
    code.op("cmp r1, r3");
    code.op("bne.w {}b", kPairLoop);
  }

  const nibble_window_s16& shape_;
  int pixels_;
  const OutputStage16& stage_;
  std::string element_;
  std::vector<std::string> low_, high_;
  DepthwiseCode16 code_;
};

std::vector<uint8_t> pack(const DepthwiseLayer16& layer, const OutputStage16& stage) {
  std::vector<uint8_t> stream;
  for (int first = 0; first < layer.shape.in_c; first += 2) {
    int channel = std::min(first, layer.shape.in_c - 2);
    auto low = static_cast<size_t>(channel);
    auto offset = static_cast<uint32_t>(2 * channel);
    put_word(stream, offset);
    put_word(stream, static_cast<uint32_t>(stage.bias(low)));
    put_word(stream, static_cast<uint32_t>(stage.bias(low + 1)));
    for (int tap = 0; tap < layer.shape.k_h * layer.shape.k_w; ++tap)
      put_word(stream, (static_cast<uint32_t>(layer.weight(tap, channel)) & 0xffff) |
                           static_cast<uint32_t>(layer.weight(tap, channel + 1)) << 16);
    put_word(stream, stage.doubled(low));
    put_word(stream, stage.doubled(low + 1));
    put_word(stream, stage.shift(low) | stage.shift(low + 1) << 8 | offset << 16);
  }
  return stream;
}

KernelVariant make_variant(const DepthwiseLayer16& layer, int pixels, const OutputStage16& stage) {
  const nibble_window_s16& s = layer.shape;
  DepthwiseCode16 code = DepthwiseWriter16(s, pixels, stage).write();
  CFunction kernel;
  kernel.name = fmt::format("nibble_depthwise_s16s8_dsp_block_{}x{}_s{}_p{}_c{}_{}", s.k_h, s.k_w,
                            s.stride_w, pixels, s.in_c, stage.name());
  kernel.comment = "depthwise convolution of s16, two channels at once";
  kernel.parameters = {"const int16_t *src", "const uint32_t *stream", "int16_t *dst",
                       "int32_t row_bytes", "const uint32_t *stream_end"};
  kernel.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  kernel.body = code.all;
  kernel.plain_body = fmt::format(
      "  static const nibble_depthwise_s16s8_block_args args = {{{{0, {}}}, {}, {}, {}, {}, {}}};\n"
      "  nibble_depthwise_s16s8_block(&args, src, stream, dst, row_bytes, stream_end);\n",
      stage.c_fields(), pixels, s.in_c, s.k_h, s.k_w, s.stride_w);
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(layer, stage)}};
  std::string args = fmt::format(
      "{{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}, {}, {}, {}, {}", s.in_h, s.in_w, s.in_c,
      s.out_w, s.k_h, s.k_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_top,
      s.pad_left, layer.batches, layer.out_h, pixels, variant.packed[0].bytes.size() / 4);
  std::string guard = "NIBBLE_HAS_" + kernel.name.substr(7);
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_depthwise_conv2d_s16s8_dsp_{}x{}_c{}_{}", s.k_h, s.k_w,
                              s.in_c, text_hash(args + kernel.name));
  function.isa = "dsp";
  function.files = {"common/nibble_common.h",
                    "common/requant.h",
                    "common/output_s16.h",
                    "common/copy_s8.h",
                    "common/window_s16.h",
                    "conv2d/conv2d_s16s8_pairs.h",
                    "depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h"};
  function.parameters = {"const int16_t *", "int16_t *", "void *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "#ifndef {0}\n#define {0}\n{1}#endif\n"
      "static void {2}(\n    const int16_t *src, int16_t *dst, void *scratch, const uint32_t "
      "*stream,\n    int32_t first_row, int32_t end_row) {{\n"
      "  static const nibble_depthwise_s16s8_pairs_args args = {{\n      {3}}};\n"
      "  nibble_depthwise_s16s8_pairs(\n      &args, {4}, src, dst,\n      (int16_t *)scratch, "
      "stream, first_row, end_row);\n}}\n",
      guard, function_text(kernel), function.name, args, kernel.name);
  int columns = (pixels - 1) * s.stride_w + s.k_w;
  variant.scratch_bytes = int64_t{2} * s.k_h * columns * s.in_c;
  WindowWalk walk{layer.batches, s.in_h,     s.in_w,     2 * s.in_c, layer.out_h, s.out_w,
                  2 * s.in_c,    s.stride_h, s.stride_w, s.pad_top,  s.pad_left};
  variant.progress = tile_progress(walk, {1, pixels, false});
  double blocks =
      static_cast<double>(layer.batches) * layer.out_h * ((s.out_w + pixels - 1) / pixels);
  double copied = s.pad_top + s.pad_left > 0 ? std::min(1.0, 2.0 * pixels / s.out_w) : 0;
  variant.cycles = 100 + blocks * (40 + thumb2_cycles(code.around) +
                                   (s.in_c + 1) / 2 * thumb2_cycles(code.pair) +
                                   copied * s.k_h * (60 + columns * s.in_c * 0.75));
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2 + 100;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s16s8_dsp(const LayerView& view,
                                                               const LowerOptions&) {
  DepthwiseLayer16 layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  layer.shape = {get("in_h"),       get("in_w"),       get("in_c"),     get("out_w"),
                 get("k_h"),        get("k_w"),        get("stride_h"), get("stride_w"),
                 get("dilation_h"), get("dilation_w"), get("pad_top"),  get("pad_left")};
  layer.batches = get("batches"), layer.out_h = get("out_h");
  layer.filter = view.s8("filter");
  const nibble_window_s16& s = layer.shape;
  bool dilated = s.dilation_w > 1 && s.k_w > 1;
  // Offsets hold 16 bits, kernel rows stand one after the other in the text.
  if (get("channel_multiplier") != 1 || dilated || s.in_c < 2 || s.in_c >= 1 << 14 || s.k_h > 9)
    return {};
  auto channel_of = [&](size_t index) {
    return static_cast<int>(index % static_cast<size_t>(s.in_c));
  };
  std::optional<OutputStage16> stage = OutputStage16::of(view, s.in_c, channel_of);
  if (!stage) return {};
  std::vector<KernelVariant> variants;
  for (int pixels = 1; pixels <= std::min(s.out_w, DepthwiseWriter16::most_pixels(s.k_w));
       ++pixels) {
    int columns = (pixels - 1) * s.stride_w + s.k_w;
    if (2 * columns * s.in_c < 4096) variants.push_back(make_variant(layer, pixels, *stage));
  }
  return variants;
}

}  // namespace nibble
