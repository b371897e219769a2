#include "lower/scalar/words.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/requant.h"

namespace nibble {
namespace {

constexpr int kGroup = 4;  // elements of two words
// Bytes of source and destination below which a layer hardly sets the memory peak.
constexpr int kSmallTraffic = 8192;

void put_word(std::vector<uint8_t>& bytes, uint32_t word) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<uint8_t>(word >> (8 * i)));
}

WordsShape shape_of(const LayerView& layer) {
  auto get = [&](const char* name) { return layer.int_field(name); };
  WordsShape shape;
  shape.batches = get("batches"), shape.in_h = get("in_h"), shape.in_w = get("in_w");
  shape.in_c = get("in_c"), shape.out_h = get("out_h"), shape.out_w = get("out_w");
  shape.out_c = get("out_c"), shape.k_h = get("k_h"), shape.k_w = get("k_w");
  shape.stride_h = get("stride_h"), shape.stride_w = get("stride_w");
  shape.dilation_h = get("dilation_h"), shape.dilation_w = get("dilation_w");
  shape.pad_top = get("pad_top"), shape.pad_left = get("pad_left"), shape.in_zero = get("in_zero");
  return shape;
}

// How the windows of a layer lie in scratch.
struct Tiling {
  bool gathered = false;
  int tile_rows = 1;
  int64_t x_words = 0, weight_words = 0;  // in scratch
  int runs = 1, run_groups = 1;

  int64_t scratch_bytes() const { return 4 * (x_words + weight_words); }
};

Tiling tiling(const WordsShape& shape, int lanes, int tile_rows) {
  Tiling tiling;
  tiling.tile_rows = tile_rows;
  tiling.gathered = shape.in_c % kGroup != 0 || shape.dilation_w != 1 || shape.k_w < shape.stride_w;
  if (tiling.gathered) {
    tiling.run_groups = (shape.taps() + kGroup - 1) / kGroup;
    tiling.x_words = int64_t{2} * tiling.run_groups * tile_rows * shape.out_w;
  } else {
    tiling.runs = shape.k_h;
    tiling.run_groups = shape.k_w * shape.in_c / kGroup;
    int64_t rows = int64_t{tile_rows - 1} * shape.stride_h +
                   int64_t{shape.k_h - 1} * shape.dilation_h + 1;
    int64_t columns = int64_t{shape.out_w - 1} * shape.stride_w + shape.k_w;
    tiling.x_words = rows * columns * shape.in_c / 2;
  }
  tiling.weight_words = int64_t{2} * tiling.runs * tiling.run_groups * lanes;
  return tiling;
}

double predicted_cycles(const WordsShape& shape, const Tiling& tiling, const WordsCore& core) {
  double tiles = std::ceil(double(shape.out_h) / tiling.tile_rows) * shape.batches;
  double blocks = std::ceil(double(shape.out_c) / core.lanes);
  double pixels = double(shape.batches) * shape.out_h * shape.out_w;
  double groups = double(tiling.runs) * tiling.run_groups;
  double cycles = pixels * blocks *
                  (core.lanes * (groups * core.cycles_per_group + core.cycles_per_output) +
                   tiling.runs * core.cycles_per_run);
  cycles += tiles * blocks * (groups * core.lanes * core.cycles_per_widened + 60);
  cycles += tiles * double(tiling.x_words) / 2 * core.cycles_per_widened;
  if (tiling.gathered) cycles += pixels * (shape.taps() * 5 + shape.k_h * 40);
  return cycles + 200;
}

// The tile that costs least: what it saves in time, as a part of the layer's, weighed against its
// memory, as a part of the layer's source and destination.
Tiling best_tiling(const WordsShape& shape, const WordsCore& core) {
  constexpr double kTimeForMemory = 0.5;
  double traffic = double(shape.batches) * (double(shape.in_h) * shape.in_w * shape.in_c +
                                            double(shape.out_h) * shape.out_w * shape.out_c);
  Tiling best;
  double best_cost = 0;
  for (int rows = 1; rows <= shape.out_h; ++rows) {
    Tiling tried = tiling(shape, core.lanes, rows);
    double memory = double(tried.scratch_bytes()) / std::max(traffic, double(kSmallTraffic));
    double cost = predicted_cycles(shape, tried, core) * (1 + kTimeForMemory * memory);
    if (rows == 1 || cost < best_cost) best = tried, best_cost = cost;
  }
  return best;
}

int64_t weight_at(const LayerView& layer, const WordsShape& shape, int channel, int tap) {
  if (channel >= shape.out_c || tap >= shape.taps()) return 0;
  return layer.s8("filter")[static_cast<size_t>(channel) * static_cast<size_t>(shape.taps()) +
                            static_cast<size_t>(tap)];
}

struct Packed {
  std::vector<uint8_t> stream;
  size_t rescale_words = 0;
};

std::optional<Packed> pack(const LayerView& layer, const WordsShape& shape, const Tiling& tiling,
                           const WordsOutput& output, const WordsCore& core) {
  std::span<const int32_t> bias = layer.s32("bias");
  Packed packed;
  int groups = tiling.runs * tiling.run_groups;
  for (int first = 0; first < shape.out_c; first += core.lanes) {
    for (int group = 0; group < groups; ++group)
      for (int lane = 0; lane < core.lanes; ++lane) {
        auto weight = [&](int i) {
          return weight_at(layer, shape, first + lane, kGroup * group + i);
        };
        for (int i = 0; i < 2; ++i)  // the sum of a word's products fits 16 bits
          if (128 * (std::abs(weight(i)) + std::abs(weight(i + 2))) >= 1 << 15) return std::nullopt;
        for (int i : {2, 3, 0, 1}) packed.stream.push_back(static_cast<uint8_t>(weight(i)));
      }
    std::vector<size_t> channels;
    std::vector<AccRange> ranges;
    for (int lane = 0; lane < core.lanes; ++lane) {
      int channel = std::min(first + lane, shape.out_c - 1);
      int64_t sum = 0, reach = 0;
      for (int tap = 0; tap < shape.taps(); ++tap) {
        int64_t weight = weight_at(layer, shape, channel, tap);
        sum += weight;
        reach += 128 * std::abs(weight);
      }
      int64_t start = bias.empty() ? 0 : bias[static_cast<size_t>(channel)];
      start -= shape.in_zero * sum;
      put_word(packed.stream, static_cast<uint32_t>(start));
      channels.push_back(static_cast<size_t>(channel));
      ranges.push_back({start - reach, start + reach});
    }
    std::vector<uint32_t> rescale = core.rescale(output, channels, ranges);
    if (rescale.empty()) return std::nullopt;
    for (uint32_t word : rescale) put_word(packed.stream, word);
    packed.rescale_words = rescale.size() + channels.size();
  }
  return packed;
}

std::vector<uint8_t> shape_words(const WordsShape& shape, const Tiling& tiling) {
  std::vector<uint8_t> bytes;
  for (int64_t value :
       {int64_t{shape.batches}, int64_t{shape.in_h}, int64_t{shape.in_w}, int64_t{shape.in_c},
        int64_t{shape.out_h}, int64_t{shape.out_w}, int64_t{shape.out_c}, int64_t{shape.k_h},
        int64_t{shape.k_w}, int64_t{shape.stride_h}, int64_t{shape.stride_w},
        int64_t{shape.dilation_h}, int64_t{shape.dilation_w}, int64_t{shape.pad_top},
        int64_t{shape.pad_left}, int64_t{shape.in_zero}, int64_t{tiling.tile_rows},
        int64_t{tiling.gathered}, tiling.x_words})
    put_word(bytes, static_cast<uint32_t>(value));
  return bytes;
}

// A definition that several functions bring along.
std::string guarded(const std::string& name, const std::string& text) {
  std::string guard = name;
  for (char& c : guard) c = static_cast<char>(std::toupper(c));
  return fmt::format("#ifndef {0}_DEFINED\n#define {0}_DEFINED\n{1}#endif\n", guard, text);
}

KernelFunction conv_function(const WordsOutput& output, const WordsCore& core, size_t rescale_words,
                             int64_t* code_bytes) {
  CFunction widen, block;
  widen.name = fmt::format("nibble_words_s8_widen_{}", core.isa);
  widen.comment = "groups of four bytes to words of two elements";
  widen.parameters = {"const void *src", "uint32_t *dst", "int32_t groups"};
  widen.condition = core.condition;
  widen.body = core.widen();
  widen.arm = block.arm = core.isa != "rv32";
  widen.plain_body = "  nibble_words_s8_widen_c(src, dst, groups);\n";
  block.name = fmt::format("nibble_words_s8_block_{}_{}", core.isa, output.name());
  block.comment = fmt::format("{} channels for a row of pixels", core.lanes);
  block.parameters = {"nibble_words_s8 *block"};
  block.condition = core.condition;
  block.body = core.block(output);
  block.plain_body = core.plain_block(output);
  *code_bytes = static_cast<int64_t>(widen.body.count() + block.body.count()) *
                    core.bytes_per_instruction +
                900;
  KernelFunction function;
  function.name = fmt::format("nibble_conv2d_s8_words_{}_{}", core.isa, output.name());
  function.isa = core.isa;
  function.files = {"common/nibble_common.h", "common/words_s8.h", "conv2d/conv2d_s8_words.h"};
  function.parameters = {"const int8_t *", "int8_t *", "void *"};
  function.takes_rows = true;
  function.text = guarded(widen.name, function_text(widen)) +
                  guarded(block.name, function_text(block)) +
                  fmt::format(R"(/* conv2d, {0} channels at once */
static void {1}(
    const int8_t *src, int8_t *dst, void *scratch, const uint32_t *shape, const uint32_t *stream,
    int32_t first_row, int32_t end_row) {{
  static const nibble_conv2d_s8_words_core core = {{{2}, {3}, {0}, {4}}};
  nibble_conv2d_s8_words((const nibble_conv2d_s8_words_shape *)(const void *)shape, &core, src, dst,
                         (uint32_t *)scratch, stream, first_row, end_row);
}}
)",
                              core.lanes, function.name, block.name, widen.name, rescale_words);
  return function;
}

// A tile's source rows are read before its rows of dst are written.
std::vector<AccessStep> progress_of(const WordsShape& shape, const Tiling& tiling) {
  if (shape.batches != 1) return {};
  std::vector<AccessStep> steps;
  int64_t in_row = int64_t{shape.in_w} * shape.in_c, out_row = int64_t{shape.out_w} * shape.out_c;
  for (int oy = 0; oy < shape.out_h; oy += tiling.tile_rows) {
    int next = oy + tiling.tile_rows;
    int64_t row = next >= shape.out_h ? shape.in_h : next * shape.stride_h - shape.pad_top;
    steps.push_back({oy * out_row, std::clamp<int64_t>(row, 0, shape.in_h) * in_row});
  }
  return steps;
}

}  // namespace

WordsOutput WordsOutput::of(const LayerView& layer) {
  WordsOutput output;
  output.multiplier = layer.s32("multiplier");
  output.exponent = layer.s8("exponent");
  output.zero = layer.int_field("out_zero");
  output.low = layer.int_field("act_min");
  output.high = layer.int_field("act_max");
  output.rounding = layer.field("rounding");
  return output;
}

bool WordsOutput::away() const { return rounding == NIBBLE_ROUNDING_TFLITE && low < zero; }

int WordsOutput::output(size_t channel, int64_t acc) const {
  int32_t value = nibble_requant(static_cast<int32_t>(acc), multiplier[channel], exponent[channel],
                                 static_cast<int32_t>(rounding));
  return nibble_clamp(value + zero, low, high);
}

std::string WordsOutput::name() const {
  std::string name = away() ? "d" : "r";
  auto number = [](int value) { return (value < 0 ? "m" : "") + std::to_string(std::abs(value)); };
  if (low != -128 || high != 127) name += "_" + number(low) + "_" + number(high);
  return name;
}

std::optional<ScaledChannel> scale_by_high_product(const WordsOutput& output, size_t channel,
                                                   AccRange range) {
  constexpr int64_t kReach = int64_t{1} << 28;
  int exponent = output.exponent[channel];
  bool tflite = output.rounding == NIBBLE_ROUNDING_TFLITE;
  if (range.low <= -kReach || range.high >= kReach || exponent > 0 || exponent < -22)
    return std::nullopt;
  if (output.away() && exponent == 0) return std::nullopt;
  // The high product has one fractional bit more than acc * multiplier / 2^31.
  int shift = 1 - exponent;
  int64_t addend = int64_t{output.zero} * (int64_t{1} << shift);
  if (tflite) addend += 1;
  if (!tflite || exponent < 0) addend += int64_t{1} << (shift - 1);
  return ScaledChannel{{static_cast<uint32_t>(output.multiplier[channel]),
                        static_cast<uint32_t>(addend), static_cast<uint32_t>(shift)}};
}

std::vector<KernelVariant> conv2d_words(const LayerView& layer, const WordsCore& core) {
  WordsShape shape = shape_of(layer);
  if (layer.field("groups") != 1) return {};
  Tiling tiles = best_tiling(shape, core);
  WordsOutput output = WordsOutput::of(layer);
  std::optional<Packed> packed = pack(layer, shape, tiles, output, core);
  if (!packed) return {};
  KernelVariant variant;
  variant.function = conv_function(output, core, packed->rescale_words, &variant.code_bytes);
  variant.packed = {{"shape", "uint32_t", shape_words(shape, tiles)},
                    {"stream", "uint32_t", std::move(packed->stream)}};
  variant.scratch_bytes = tiles.scratch_bytes();
  variant.progress = progress_of(shape, tiles);
  variant.cycles = predicted_cycles(shape, tiles, core);
  std::vector<KernelVariant> variants;
  variants.push_back(std::move(variant));
  return variants;
}

}  // namespace nibble
