// depthwise_conv2d_s8 on cores with SMLAD where windows are as wide as the image: convolutions over
// time, and over a whole image. Two taps of four channels are two words that turn into four pairs;
// nothing is widened beforehand (kernels/depthwise_conv2d/depthwise_conv2d_s8_columns.h).
#include <algorithm>
#include <array>

#include "lower/dsp/output_stage.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr int kGroup = 4, kMostTaps = 64, kMostOffset = 4095;
constexpr std::array<int, kGroup> kOrder = {0, 2, 1, 3};

struct ColumnLayer {
  int channels = 0, taps = 0, stride_bytes = 0, in_zero = 0;
  std::span<const int8_t> filter;
  std::span<const int32_t> bias;
  int weight(int channel, int tap) const {
    return tap < taps ? filter[static_cast<size_t>(tap * channels + channel)] : 0;
  }
};

// Nothing where the taps of a window do not lie at equal distances, all inside.
std::optional<ColumnLayer> column_layer(const LayerView& view) {
  auto get = [&](const char* name) { return view.int_field(name); };
  ColumnLayer layer;
  layer.channels = get("in_c");
  layer.taps = get("k_h") * get("k_w");
  layer.stride_bytes = get("stride_h") * get("in_w") * layer.channels;
  layer.in_zero = get("in_zero");
  layer.filter = view.s8("filter");
  layer.bias = view.s32("bias");
  const bool wide = get("out_w") == 1 && get("k_w") == get("in_w") && get("pad_left") == 0;
  const bool inside =
      get("pad_top") == 0 && (get("out_h") - 1) * get("stride_h") + get("k_h") <= get("in_h");
  const bool dense =
      (get("dilation_h") == 1 || get("k_h") == 1) && (get("dilation_w") == 1 || get("k_w") == 1);
  if (!wide || !inside || !dense || get("batches") != 1 || get("channel_multiplier") != 1 ||
      layer.channels % kGroup != 0 || layer.taps > kMostTaps || layer.channels > kMostOffset / 2)
    return std::nullopt;
  return layer;
}

std::vector<AccumulatorRange> ranges_of(const ColumnLayer& layer) {
  std::vector<int8_t> by_channel;
  for (int channel = 0; channel < layer.channels; ++channel)
    for (int tap = 0; tap < layer.taps; ++tap)
      by_channel.push_back(static_cast<int8_t>(layer.weight(channel, tap)));
  return accumulator_ranges(by_channel, layer.bias, static_cast<size_t>(layer.channels),
                            layer.in_zero);
}

std::vector<uint8_t> pack(const ColumnLayer& layer, const OutputStage& stage) {
  std::vector<uint8_t> stream;
  for (int first = 0; first < layer.channels; first += kGroup) {
    for (int channel = first; channel < first + kGroup; ++channel) {
      auto index = static_cast<size_t>(channel);
      int64_t start = layer.bias.empty() ? 0 : layer.bias[index];
      for (int tap = 0; tap < layer.taps; ++tap)
        start -= int64_t{layer.in_zero} * layer.weight(channel, tap);
      put_word(stream, static_cast<uint32_t>(start + stage.start(index)));
    }
    for (int tap = 0; tap < layer.taps; tap += 2)
      for (int i : kOrder)
        put_word(stream, (static_cast<uint32_t>(layer.weight(first + i, tap)) & 0xffff) |
                             static_cast<uint32_t>(layer.weight(first + i, tap + 1)) << 16);
    for (int channel = first; channel < first + kGroup; ++channel) {
      put_word(stream, stage.doubled(static_cast<size_t>(channel)));
      put_word(stream, stage.shift(static_cast<size_t>(channel)));
    }
  }
  return stream;
}

// Of two taps: r8 and r10 their words. Products go to r4 to r7, weights are in r2, r3, r9, lr.
void products(Assembly& code) {
  code.op("sxtb16 r9, r8, ror #8");
  code.op("sxtb16 r8, r8");
  code.op("sxtb16 r11, r10, ror #8");
  code.op("sxtb16 r10, r10");
  code.op("pkhbt r12, r8, r10, lsl #16");
  code.op("pkhtb r10, r10, r8, asr #16");
  code.op("pkhbt r8, r9, r11, lsl #16");
  code.op("pkhtb r11, r11, r9, asr #16");
  code.op("ldmia r1!, {{r2, r3, r9, lr}}");
  code.op("smlad r4, r12, r2, r4");
  code.op("smlad r6, r10, r3, r6");
  code.op("smlad r5, r8, r9, r5");
  code.op("smlad r7, r11, lr, r7");
}

// The last of an odd number of taps: the upper halves of its weights are 0.
void last_products(Assembly& code) {
  code.op("sxtb16 r9, r8, ror #8");
  code.op("sxtb16 r8, r8");
  code.op("ldmia r1!, {{r2, r3, r10, lr}}");
  code.op("smlabb r4, r8, r2, r4");
  code.op("smlatb r6, r8, r3, r6");
  code.op("smlabb r5, r9, r10, r5");
  code.op("smlatb r7, r9, lr, r7");
}

struct ColumnCode {
  Assembly all, group;
};

// r0 src, r1 the stream; on the stack dst and where src ends.
ColumnCode column_code(const ColumnLayer& layer, const OutputStage& stage) {
  ColumnCode result;
  Assembly& code = result.group;
  code.op("ldmia r1!, {{r4-r7}}");
  int moved = 0;
  for (int tap = 0; tap < layer.taps; tap += 2) {
    const bool pair = tap + 1 < layer.taps;
    int offset = tap * layer.channels - moved;
    if (offset + layer.channels > kMostOffset) {
      moved += offset;
      for (; offset > 0; offset -= std::min(offset, kMostOffset))
        code.op("add r0, r0, #{}", std::min(offset, kMostOffset));
    }
    code.op("ldr r8, [r0, #{}]", offset);
    if (pair) code.op("ldr r10, [r0, #{}]", offset + layer.channels);
    if (pair)
      products(code);
    else
      last_products(code);
  }
  for (; moved > 0; moved -= std::min(moved, kMostOffset))
    code.op("sub r0, r0, #{}", std::min(moved, kMostOffset));
  for (int i = 0; i < kGroup; ++i) {
    code.op("ldmia r1!, {{r2, r3}}");
    stage.instructions(code, fmt::format("r{}", 4 + i), "r2", "r3");
  }
  code.op("ldrd r2, r3, [sp]");
  for (int i = 0; i < kGroup; ++i) code.op("strb r{}, [r2], #1", 4 + i);
  code.op("str r2, [sp]");
  code.op("add r0, r0, #{}", kGroup);
  code.op("cmp r0, r3");
  code.op("bne.w 1b");
  Assembly& all = result.all;
  all.op("push {{r4-r11, lr}}");
  all.op("add r3, r0, #{}", layer.channels);
  all.op("sub sp, sp, #4");
  all.op("push {{r1, r3}}");
  all.op("mov r1, r2");
  all.label(1);
  all.append(code);
  all.op("add sp, sp, #12");
  all.op("pop {{r4-r11, pc}}");
  return result;
}

KernelVariant column_variant(const LayerView& view, const ColumnLayer& layer,
                             const OutputStage& stage) {
  ColumnCode code = column_code(layer, stage);
  CFunction column;
  column.name = fmt::format("nibble_depthwise_s8_dsp_column_{}x{}_{}", layer.taps, layer.channels,
                            stage.name());
  column.comment =
      fmt::format("{} taps of {} channels: one output pixel", layer.taps, layer.channels);
  column.parameters = {"const int8_t *src", "int8_t *dst", "const uint32_t *stream"};
  column.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  column.body = code.all;
  column.plain_body = fmt::format("  nibble_depthwise_s8_column(src, dst, stream, {}, {}, {});\n",
                                  layer.channels, layer.taps, stage.c_fields());
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_depthwise_conv2d_s8_dsp_columns_{}x{}_p{}_{}", layer.taps,
                              layer.channels, layer.stride_bytes, stage.name());
  function.isa = "dsp";
  function.files = {"common/nibble_common.h", "common/requant.h", "common/output_s8.h",
                    "common/channel_pairs_s8.h", "depthwise_conv2d/depthwise_conv2d_s8_columns.h"};
  function.parameters = {"const int8_t *", "int8_t *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "{}static void {}(\n    const int8_t *src, int8_t *dst, const uint32_t *stream,\n"
      "    int32_t first_row, int32_t end_row) {{\n"
      "  for (int32_t row = first_row; row < end_row; ++row)\n"
      "    {}(src + row * {}, dst + row * {}, stream);\n}}\n",
      guarded_text(column), function.name, column.name, layer.stride_bytes, layer.channels);
  variant.packed = {{"stream", "uint32_t", pack(layer, stage)}};
  variant.progress = tile_progress(window_walk(view), {});
  const double groups = layer.channels / kGroup;
  variant.cycles =
      20 + static_cast<double>(view.field("out_h")) * (45 + groups * thumb2_cycles(code.group));
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2 + 60;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_columns_s8_dsp(const LayerView& view,
                                                             const LowerOptions&) {
  std::optional<ColumnLayer> layer = column_layer(view);
  if (!layer) return {};
  std::optional<OutputStage> own = OutputStage::of(view);
  if (!own) return {};
  std::vector<KernelVariant> variants = {column_variant(view, *layer, *own)};
  const std::vector<AccumulatorRange> ranges = ranges_of(*layer);
  for (int shift : {4, 1})
    if (std::optional<OutputStage> linear = own->linear(ranges, shift)) {
      variants.push_back(column_variant(view, *layer, *linear));
      break;
    }
  return variants;
}

}  // namespace nibble
