// depthwise_conv2d_s8 on cores with 16-bit multiply-accumulate pairs (SMLAD): the forms that a
// layer may take, their packed streams and what they cost. depthwise_text.h describes the kernel,
// kernels/depthwise_conv2d/depthwise_conv2d_s8_pairs.h the stream.
#include <algorithm>
#include <array>

#include "depthwise_conv2d/depthwise_conv2d_s8_pairs.h"
#include "lower/dsp/affine_output.h"
#include "lower/dsp/depthwise_text.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kGroup = 4;  // input channels that are unpacked together

struct DepthwiseLayer {
  int in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, multiplier = 1;
  int k_h = 1, k_w = 1, stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, in_zero = 0;
  std::span<const int8_t> filter;
  std::span<const int32_t> bias;
  // Beside the affine form: acc * factor + start is rescaled, with this exponent.
  std::vector<int> factor;
  std::vector<int32_t> start;
  std::vector<int8_t> exponent;

  int out_c() const { return in_c * multiplier; }
  int padded_columns() const { return (out_w - 1) * stride_w + k_w; }
  // Columns of the source that windows reach.
  int columns() const { return std::min(in_w, padded_columns() - pad_left); }
  // 0 where there is no tap.
  int32_t weight(int channel, int ky, int kx) const {
    if (ky < 0 || ky >= k_h || kx >= k_w) return 0;
    return filter[static_cast<size_t>((ky * k_w + kx) * out_c() + channel)];
  }
  int64_t bias_of(int channel) const {
    return bias.empty() ? 0 : bias[static_cast<size_t>(channel)];
  }
};

DepthwiseLayer read_layer(const LayerView& view) {
  DepthwiseLayer layer;
  auto read = [&](int& to, const char* name) { to = view.int_field(name); };
  read(layer.in_h, "in_h");
  read(layer.in_w, "in_w");
  read(layer.in_c, "in_c");
  read(layer.out_h, "out_h");
  read(layer.out_w, "out_w");
  read(layer.multiplier, "channel_multiplier");
  read(layer.k_h, "k_h");
  read(layer.k_w, "k_w");
  read(layer.stride_h, "stride_h");
  read(layer.stride_w, "stride_w");
  read(layer.pad_top, "pad_top");
  read(layer.pad_left, "pad_left");
  read(layer.in_zero, "in_zero");
  layer.filter = view.s8("filter");
  layer.bias = view.s32("bias");
  return layer;
}

// What the accumulator of a channel can be.
AccumulatorRange acc_range(const DepthwiseLayer& layer, int channel) {
  AccumulatorRange range{layer.bias_of(channel), layer.bias_of(channel)};
  for (int ky = 0; ky < layer.k_h; ++ky)
    for (int kx = 0; kx < layer.k_w; ++kx)
      range.add_product(layer.weight(channel, ky, kx), layer.in_zero);
  return range;
}

// The affine form of each output channel; empty if one has none.
std::vector<AffineOutput> affine_outputs(const DepthwiseLayer& layer, const LayerView& view) {
  // Elements are multiplied by 2^8 where they are unpacked, weights by up to 2^8.
  constexpr int kLeastBits = 8, kMostBits = 16;
  std::vector<AffineOutput> outputs;
  for (int channel = 0; channel < layer.out_c(); ++channel) {
    std::optional<AffineOutput> output =
        affine_output(ChannelRescale::of(view, static_cast<size_t>(channel)),
                      acc_range(layer, channel), kLeastBits, kMostBits);
    if (!output) return {};
    outputs.push_back(*output);
  }
  return outputs;
}

// Channels whose weights are all but nothing may have an exponent beyond the output stage's reach,
// or a multiplier of 0. False if one cannot be brought there.
bool set_factors(DepthwiseLayer& layer, const LayerView& view) {
  constexpr int kMostBits = 8;  // weights stay within 16 bits
  for (int channel = 0; channel < layer.out_c(); ++channel) {
    ChannelRescale rescale = ChannelRescale::of(view, static_cast<size_t>(channel));
    WidenedOutput widened;
    if (rescale.multiplier != 0 && rescale.exponent > -1) {
      std::optional<WidenedOutput> found =
          widened_output(rescale, acc_range(layer, channel), kMostBits);
      if (!found) return false;
      widened = *found;
    }
    layer.factor.push_back(rescale.multiplier == 0 ? 0 : 1 << widened.bits);
    layer.start.push_back(widened.start);
    layer.exponent.push_back(
        static_cast<int8_t>(rescale.multiplier == 0 ? -1 : rescale.exponent - widened.bits));
  }
  return true;
}

class Packer {
 public:
  Packer(const DepthwiseLayer& layer, const DepthwiseText& text, const OutputStage& stage,
         const std::vector<AffineOutput>& affine)
      : layer_(layer), text_(text), stage_(stage), affine_(affine) {}

  std::vector<uint8_t> pack() {
    std::vector<uint8_t> groups;
    for (int first = 0; first < layer_.in_c; first += kGroup) {
      int start = std::min(first, layer_.in_c - kGroup);
      std::vector<uint8_t> records;
      for (int channel = first; channel < std::min(first + kGroup, layer_.in_c); ++channel)
        for (int m = 0; m < layer_.multiplier; ++m) {
          if (text_.planes_listed)
            put_word(records, static_cast<uint32_t>((channel - start) * text_.plane_bytes()));
          record(channel * layer_.multiplier + m, records);
        }
      put_word(groups, static_cast<uint32_t>(start) |
                           static_cast<uint32_t>((first - start) * text_.plane_bytes()) << 16);
      put_word(groups, static_cast<uint32_t>(records.size()));
      groups.insert(groups.end(), records.begin(), records.end());
    }
    std::vector<uint8_t> stream = header(groups.size());
    stream.insert(stream.end(), groups.begin(), groups.end());
    return stream;
  }
  int planes_bytes() const { return (layer_.padded_columns() + 1) / 2 * text_.column_pair_bytes(); }

 private:
  std::vector<uint8_t> header(size_t groups_bytes) const {
    std::array<int64_t, NIBBLE_DEPTHWISE_FIELDS> fields{};
    auto zero = static_cast<uint32_t>(layer_.in_zero);
    fields[NIBBLE_DEPTHWISE_IN_ZERO] = (zero & 0xff) * 0x01010101u;
    fields[NIBBLE_DEPTHWISE_PAD_WORD] = text_.affine ? (zero * 256 & 0xffff) * 0x00010001u : 0;
    fields[NIBBLE_DEPTHWISE_IN_C] = layer_.in_c;
    fields[NIBBLE_DEPTHWISE_IN_H] = layer_.in_h;
    fields[NIBBLE_DEPTHWISE_COLUMNS] = layer_.columns();
    fields[NIBBLE_DEPTHWISE_IN_ROW] = int64_t{layer_.in_w} * layer_.in_c;
    fields[NIBBLE_DEPTHWISE_PAD_TOP] = layer_.pad_top;
    fields[NIBBLE_DEPTHWISE_PAD_LEFT] = layer_.pad_left;
    fields[NIBBLE_DEPTHWISE_OUT_W] = layer_.out_w;
    fields[NIBBLE_DEPTHWISE_OUT_C] = layer_.out_c();
    fields[NIBBLE_DEPTHWISE_PLANES_BYTES] = planes_bytes();
    fields[NIBBLE_DEPTHWISE_STREAM_BYTES] =
        4 * int64_t{NIBBLE_DEPTHWISE_FIELDS} + static_cast<int64_t>(groups_bytes);
    std::vector<uint8_t> bytes;
    for (int64_t field : fields) put_word(bytes, static_cast<uint32_t>(field));
    return bytes;
  }

  void record(int channel, std::vector<uint8_t>& to) const {
    auto index = static_cast<size_t>(channel);
    int bits = text_.affine ? affine_[index].bits : 0;
    int factor = text_.affine ? 1 << (bits - 8) : layer_.factor[index];
    auto half = [&](int ky, int kx) {
      return static_cast<uint32_t>(layer_.weight(channel, ky, kx) * factor) & 0xffff;
    };
    auto rows = [&](int ky, int kx) { return half(ky, kx) | half(ky + 1, kx) << 16; };
    int64_t start = layer_.bias_of(channel);
    if (text_.affine) {
      for (int ky = 0; ky < layer_.k_h; ++ky)
        for (int kx = 0; kx < layer_.k_w; ++kx)
          start -= int64_t{layer_.in_zero} * layer_.weight(channel, ky, kx);
      start = start * (int64_t{1} << bits) + affine_[index].start;
    } else {
      start = start * factor + layer_.start[index];
    }
    uint32_t shift = text_.affine ? 0 : stage_.shift(index);
    put_word(to, static_cast<uint32_t>(start));
    put_word(to,
             text_.affine ? static_cast<uint32_t>(affine_[index].scale) : stage_.doubled(index));
    if (text_.weights_in_registers()) {
      for (int kx = 0; kx < 3; ++kx) put_word(to, rows(0, kx));
      put_word(to, half(2, 0) | half(2, 1) << 16);
      put_word(to, shift | half(2, 2) << 16);
      return;
    }
    put_word(to, shift);
    for (int pair = 0; pair < text_.block_pairs(); ++pair)
      for (int kx = 0; kx < text_.k_w; ++kx) {
        put_word(to, rows(2 * pair, kx));
        put_word(to, rows(2 * pair - text_.stride_h, kx));
      }
  }

  const DepthwiseLayer& layer_;
  const DepthwiseText& text_;
  const OutputStage& stage_;
  const std::vector<AffineOutput>& affine_;
};

// First rows of the strips, and the end.
std::vector<int> strips(const DepthwiseLayer& layer, const DepthwiseText& text) {
  std::vector<int> rows = {0};
  while (rows.back() < layer.out_h) {
    int left = std::min(layer.out_h - rows.back(), text.strip_rows());
    rows.push_back(rows.back() + std::max(1, left / 2 * 2));
  }
  return rows;
}

// A strip has read the rows above the next one's windows for the last time, before it writes if
// that is seen channel by channel.
std::vector<AccessStep> strip_progress(const DepthwiseLayer& layer, const DepthwiseText& text,
                                       bool by_channels) {
  std::vector<AccessStep> steps;
  const std::vector<int> rows = strips(layer, text);
  for (size_t i = 1; i < rows.size(); ++i) {
    int next = rows[i] < layer.out_h ? rows[i] * layer.stride_h - layer.pad_top : layer.in_h;
    int64_t unread = std::clamp(next, 0, layer.in_h);
    int64_t written = by_channels ? rows[i - 1] : rows[i];
    steps.push_back({written * layer.out_w * layer.out_c(), unread * layer.in_w * layer.in_c});
  }
  return steps;
}

// Of a call: planes without contents yet are filled.
double call_cycles(int planes_bytes) { return 100 + planes_bytes / 8 * 6; }

// Of a strip, what does not follow from its number of rows: the planes of the rows that its
// neighbours need, too, and each group's and channel's begin.
struct StripCost {
  double cycles = 0, pair_time = 0, groups = 0;
};

StripCost strip_cost(const DepthwiseLayer& layer, const DepthwiseText& text,
                     const DepthwiseCode& code) {
  StripCost cost;
  cost.groups = (layer.in_c + kGroup - 1) / kGroup;
  int columns = layer.columns(), two = (columns - text.odd_left) / 2;
  cost.pair_time = thumb2_cycles(code.pair) + two * thumb2_cycles(code.two_columns) +
                   (columns - 2 * two) * thumb2_cycles(code.one_column) + 6;
  double shared_pairs = std::max(0, layer.k_h - layer.stride_h) / 2.0;
  cost.cycles = thumb2_cycles(code.strip) + layer.out_c() * thumb2_cycles(code.channel) +
                cost.groups * (thumb2_cycles(code.group) + shared_pairs * cost.pair_time);
  return cost;
}

double predict_cycles(const DepthwiseLayer& layer, const DepthwiseText& text,
                      const DepthwiseCode& code, int planes_bytes) {
  const StripCost strip = strip_cost(layer, text, code);
  const double groups = strip.groups, pair_time = strip.pair_time;
  // Loops over the taps of weights that do not stay in registers are run once per pair of rows.
  int rounds = text.weights_in_registers() ? 1 : text.block_pairs();
  double row_time = thumb2_cycles(code.row_pair) +
                    (text.one_column ? 0 : layer.out_w / 2 * rounds * thumb2_cycles(code.block)) +
                    layer.out_w % 2 * rounds * thumb2_cycles(code.tail);
  double cycles = call_cycles(planes_bytes);
  std::vector<int> rows = strips(layer, text);
  for (size_t i = 0; i + 1 < rows.size(); ++i) {
    int count = rows[i + 1] - rows[i];
    int pairs = (layer.k_h + (count - 1) * layer.stride_h + 1) / 2;
    cycles += thumb2_cycles(code.strip) + pairs * thumb2_cycles(code.table_pair) +
              groups * (thumb2_cycles(code.group) + pairs * pair_time) +
              layer.out_c() * (thumb2_cycles(code.channel) + (count + 1) / 2 * row_time);
  }
  return cycles;
}

KernelVariant make_variant(const DepthwiseLayer& layer, const DepthwiseText& text,
                           const OutputStage& stage, const std::vector<AffineOutput>& affine) {
  DepthwiseCode code = depthwise_code(text, stage);
  CFunction function;
  function.name =
      text.name(stage) + (layer.multiplier > 1 ? fmt::format("_m{}", layer.multiplier) : "");
  function.comment = fmt::format("depthwise_conv2d {} x {}, stride {} x {}", layer.k_h, layer.k_w,
                                 layer.stride_h, layer.stride_w);
  function.parameters = {"const int8_t *src",      "int8_t *dst",       "void *scratch",
                         "const uint32_t *stream", "int32_t first_row", "int32_t end_row"};
  function.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  function.body = code.all;
  function.plain_body = fmt::format(
      "  static const nibble_depthwise_s8_pairs_args args = {{{}, {}, {}, {}, {}, {}, {},\n"
      "                                                      {}}};\n"
      "  nibble_depthwise_s8_pairs(&args, src, dst, (int8_t *)scratch, stream, first_row,\n"
      "                            end_row);\n",
      text.affine ? 1 : 0, text.k_h, text.k_w, text.stride_h, text.stride_w, layer.multiplier,
      text.strip_rows(), text.affine ? std::string("0, 0, 0, 0") : stage.c_fields());
  KernelVariant variant;
  variant.function = {function.name,
                      "dsp",
                      {"common/nibble_common.h", "common/requant.h", "common/output_s8.h",
                       "common/channel_pairs_s8.h", "depthwise_conv2d/depthwise_conv2d_s8_pairs.h"},
                      {"const int8_t *", "int8_t *", "void *"},
                      true,
                      function_text(function)};
  Packer packer(layer, text, stage, affine);
  variant.packed = {{"stream", "uint32_t", packer.pack()}};
  variant.scratch_bytes = packer.planes_bytes() + (layer.in_c + 3) / 4 * 4;
  // Within a strip a group's channels are read before they are written, and no others are.
  bool by_channels = layer.multiplier == 1;
  variant.progress = strip_progress(layer, text, by_channels);
  if (by_channels) variant.progress_unit = layer.in_c;
  variant.cycles = predict_cycles(layer, text, code, packer.planes_bytes());
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2;
  variant.row_cost = {2, 1, text.strip_rows(),
                      static_cast<int64_t>(strip_cost(layer, text, code).cycles),
                      static_cast<int64_t>(call_cycles(packer.planes_bytes()))};
  return variant;
}

// Offsets in the instructions must reach, and the group's header holds 16 bits of each number.
bool reaches(const DepthwiseLayer& layer, const DepthwiseText& text) {
  int last = layer.k_w + layer.stride_w;
  int most = text.weights_in_registers() ? 1000 : 4000;
  return text.offset(last, text.block_pairs()) <= most && layer.k_w * text.block_pairs() < 500 &&
         text.column_pair_bytes() * layer.stride_w <= 1000 && layer.in_c < (1 << 16);
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s8_dsp(const LayerView& view,
                                                            const LowerOptions&) {
  DepthwiseLayer layer = read_layer(view);
  bool dilated = (view.field("dilation_h") > 1 && layer.k_h > 1) ||
                 (view.field("dilation_w") > 1 && layer.k_w > 1);
  if (!set_factors(layer, view)) return {};
  std::optional<OutputStage> stage = OutputStage::of(view, layer.exponent);
  if (!stage || dilated || view.field("batches") != 1 || layer.in_c < kGroup || layer.columns() < 1)
    return {};
  std::vector<AffineOutput> affine = affine_outputs(layer, view);
  constexpr int kMostScratch = 4096;
  std::vector<KernelVariant> variants;
  for (int rows : {2, 4, 8}) {
    if (rows > 2 && layer.out_h <= rows / 2) break;
    DepthwiseText text;
    text.k_h = layer.k_h, text.k_w = layer.k_w;
    text.stride_h = layer.stride_h, text.stride_w = layer.stride_w;
    text.pairs = (layer.k_h + (rows - 1) * layer.stride_h + 1) / 2;
    text.odd_left = layer.pad_left % 2 == 1;
    text.one_column = layer.out_w == 1;
    text.planes_listed = layer.multiplier > 1;
    if (!reaches(layer, text)) break;
    for (bool is_affine : {true, false}) {
      text.affine = is_affine;
      if (is_affine && affine.empty()) continue;
      KernelVariant variant = make_variant(layer, text, *stage, affine);
      if (rows > 2 && variant.scratch_bytes > kMostScratch) continue;
      variants.push_back(std::move(variant));
    }
  }
  return variants;
}

}  // namespace nibble
