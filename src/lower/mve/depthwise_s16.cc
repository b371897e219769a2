// depthwise_conv2d_s16s8 on cores with Helium: eight channels of one or two pixels; VMULLB and
// VMULLT give 32-bit products of the even and of the odd channels. Windows are read in place, but
// for those at the border, which plain C copies first. Per tap of two pixels: thirteen instructions
// for sixteen multiply-accumulates.
#include <algorithm>

#include "common/requant.h"
#include "depthwise_conv2d/depthwise_conv2d_s16s8_octets.h"
#include "lower/dsp/output_s16.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

struct DepthwiseText16 {
  int k_h = 3, k_w = 3, pixels = 2, low = -32768, high = 32767;
  std::string name() const {
    std::string name = fmt::format("nibble_depthwise_s16s8_mve_{}x{}_p{}", k_h, k_w, pixels);
    if (low != -32768) name += "_" + number_in_name(low);
    if (high != 32767) name += "_to_" + number_in_name(high);
    return name;
  }
};

// r0 src, r1 stream, r2 dst, r3 row_bytes; stream_end on the stack.
Assembly kernel_code(const DepthwiseText16& text, size_t& per_group) {
  Assembly code;
  code.op("push {{r4-r10, lr}}");
  code.op("vpush {{d8-d15}}");
  code.op("ldr lr, [sp, #96]");
  code.label(1);
  size_t before = code.count();
  code.op("ldm r1!, {{r4, r5, r6, r7}}");
  code.op("add r8, r2, r4");
  code.op("add r4, r4, r0");
  code.op("add r6, r6, r4");
  code.op("mov r9, #{}", text.k_w);
  code.op("mls r9, r9, r5, r3");
  code.op("vldrw.u32 q0, [r1], #16");
  code.op("vldrw.u32 q1, [r1], #16");
  if (text.pixels == 2) {
    code.op("vmov q2, q0");
    code.op("vmov q3, q1");
  }
  for (int ky = 0; ky < text.k_h; ++ky) {
    for (int kx = 0; kx < text.k_w; ++kx) {
      code.op("vldrb.s16 q4, [r1], #8");
      for (int p = 0; p < text.pixels; ++p) {
        const char* pointer = p == 0 ? "r4" : "r6";
        code.op("vldrh.u16 q5, [{}]", pointer);
        code.op("add {0}, {0}, r5", pointer);
        code.op("vmullb.s16 q6, q5, q4");
        code.op("vmullt.s16 q7, q5, q4");
        code.op("vadd.i32 q{0}, q{0}, q6", 2 * p);
        code.op("vadd.i32 q{0}, q{0}, q7", 2 * p + 1);
      }
    }
    if (ky + 1 == text.k_h) continue;
    code.op("add r4, r4, r9");
    if (text.pixels == 2) code.op("add r6, r6, r9");
  }
  code.op("vldrw.u32 q4, [r1], #16");
  code.op("vldrw.u32 q5, [r1], #16");
  auto limit = [&](int value, int none, const char* op) {
    if (value == none) return;
    code.op("movw r10, #{}", value & 0xffff);
    code.op("vdup.16 q6, r10");
    for (int p = 0; p < text.pixels; ++p) code.op("{0}.s16 q{1}, q{1}, q6", op, 2 * p);
  };
  for (int p = 0; p < text.pixels; ++p) {
    code.op("vrmulh.s32 q{0}, q{0}, q4", 2 * p);
    code.op("vrmulh.s32 q{0}, q{0}, q5", 2 * p + 1);
    code.op("vqmovnb.s32 q{0}, q{0}", 2 * p);
    code.op("vqmovnt.s32 q{}, q{}", 2 * p, 2 * p + 1);
  }
  limit(text.low, -32768, "vmax");
  limit(text.high, 32767, "vmin");
  code.op("vstrh.16 q0, [r8]");
  if (text.pixels == 2) {
    code.op("add r8, r8, r7");
    code.op("vstrh.16 q2, [r8]");
  }
  code.op("cmp r1, lr");
  code.op("bne.w 1b");
  per_group = code.count() - before;
  code.op("vpop {{d8-d15}}");
  code.op("pop {{r4-r10, pc}}");
  return code;
}

std::vector<uint8_t> pack(const nibble_window_s16& s, std::span<const int8_t> filter,
                          const OutputStage16& stage) {
  std::vector<uint8_t> stream;
  for (int at = 0; at < s.in_c; at += 8) {
    int first = std::min(at, s.in_c - 8);
    put_word(stream, static_cast<uint32_t>(2 * first));
    put_word(stream, static_cast<uint32_t>(2 * s.in_c));
    put_word(stream, static_cast<uint32_t>(2 * s.in_c * s.stride_w));
    put_word(stream, static_cast<uint32_t>(2 * s.in_c));
    auto channel = [&](int place) {
      return static_cast<size_t>(first + place % 4 * 2 + place / 4);
    };
    for (int place = 0; place < 8; ++place)
      put_word(stream, static_cast<uint32_t>(stage.bias(channel(place))));
    for (int tap = 0; tap < s.k_h * s.k_w; ++tap)
      for (int c = first; c < first + 8; ++c)
        stream.push_back(static_cast<uint8_t>(filter[static_cast<size_t>(tap * s.in_c + c)]));
    for (int place = 0; place < 8; ++place) put_word(stream, stage.doubled(channel(place)));
  }
  return stream;
}

KernelVariant make_variant(const LayerView& view, const nibble_window_s16& s, int pixels,
                           const OutputStage16& stage) {
  int batches = view.int_field("batches"), out_h = view.int_field("out_h");
  DepthwiseText16 text{s.k_h, s.k_w, pixels, view.int_field("act_min"), view.int_field("act_max")};
  size_t per_group = 0;
  CFunction kernel;
  kernel.name = text.name();
  kernel.comment = "depthwise convolution of s16, eight channels at once";
  kernel.parameters = {"const int16_t *src", "const uint32_t *stream", "int16_t *dst",
                       "int32_t row_bytes", "const uint32_t *stream_end"};
  kernel.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
  kernel.body = kernel_code(text, per_group);
  kernel.plain_body = fmt::format(
      "  nibble_depthwise_s16s8_octets_block(src, stream, dst, row_bytes, stream_end, {}, {}, {},\n"
      "                                      {}, {});\n",
      pixels, s.k_h, s.k_w, text.low, text.high);
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(s, view.s8("filter"), stage)}};
  std::string args = fmt::format(
      "{{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}, {}, {}, {}, {}", s.in_h, s.in_w, s.in_c,
      s.out_w, s.k_h, s.k_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_top,
      s.pad_left, batches, out_h, pixels, variant.packed[0].bytes.size() / 4);
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_depthwise_conv2d_s16s8_mve_{}x{}_c{}_{}", s.k_h, s.k_w,
                              s.in_c, text_hash(args + kernel.name));
  function.isa = "mve";
  function.files = {"common/nibble_common.h",
                    "common/requant.h",
                    "common/output_s16.h",
                    "common/copy_s8.h",
                    "common/window_s16.h",
                    "conv2d/conv2d_s16s8_pairs.h",
                    "depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h",
                    "depthwise_conv2d/depthwise_conv2d_s16s8_octets.h"};
  function.parameters = {"const int16_t *", "int16_t *", "void *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "{0}static void {1}(\n    const int16_t *src, int16_t *dst, void *scratch, const uint32_t "
      "*stream,\n    int32_t first_row, int32_t end_row) {{\n"
      "  static const nibble_depthwise_s16s8_pairs_args args = {{\n      {2}}};\n"
      "  nibble_depthwise_s16s8_pairs(\n      &args, {3}, src, dst,\n      (int16_t *)scratch, "
      "stream, first_row, end_row);\n}}\n",
      guarded_text(kernel), function.name, args, kernel.name);
  int columns = (pixels - 1) * s.stride_w + s.k_w;
  variant.scratch_bytes = int64_t{2} * s.k_h * columns * s.in_c;
  WindowWalk walk{batches,    s.in_h,     s.in_w,     2 * s.in_c, out_h,     s.out_w,
                  2 * s.in_c, s.stride_h, s.stride_w, s.pad_top,  s.pad_left};
  variant.progress = tile_progress(walk, {1, pixels, false});
  double blocks = static_cast<double>(batches) * out_h * ((s.out_w + pixels - 1) / pixels);
  double copied = s.pad_top + s.pad_left > 0 ? std::min(1.0, 2.0 * pixels / s.out_w) : 0;
  variant.cycles = 1.3 * (100 + blocks * (60 + (s.in_c + 7) / 8 * static_cast<double>(per_group) +
                                          copied * s.k_h * (60 + columns * s.in_c * 0.4)));
  variant.function.code_bytes = 4 * static_cast<int64_t>(kernel.body.count()) + 100;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s16s8_mve(const LayerView& view,
                                                               const LowerOptions&) {
  auto get = [&](const char* name) { return view.int_field(name); };
  nibble_window_s16 s = {get("in_h"),       get("in_w"),       get("in_c"),     get("out_w"),
                         get("k_h"),        get("k_w"),        get("stride_h"), get("stride_w"),
                         get("dilation_h"), get("dilation_w"), get("pad_top"),  get("pad_left")};
  bool dilated = s.dilation_w > 1 && s.k_w > 1;
  constexpr int kMostTaps = 25;  // stand one after the other in the text
  if (view.field("rounding") != NIBBLE_ROUNDING_REDUCED || get("channel_multiplier") != 1 ||
      dilated || s.in_c < 8 || s.k_h * s.k_w > kMostTaps)
    return {};
  auto channel_of = [&](size_t index) {
    return static_cast<int>(index % static_cast<size_t>(s.in_c));
  };
  std::optional<OutputStage16> stage = OutputStage16::of(view, s.in_c, channel_of);
  if (!stage) return {};
  std::vector<KernelVariant> variants;
  for (int pixels = 1; pixels <= std::min(s.out_w, 2); ++pixels)
    variants.push_back(make_variant(view, s, pixels, *stage));
  return variants;
}

}  // namespace nibble
