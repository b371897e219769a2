#include "lower/scalar/words.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kGroup = 4;  // elements of two words
// Bytes of source and destination below which a layer hardly sets the memory peak.
constexpr int kSmallTraffic = 8192;

void put_half(std::vector<uint8_t>& bytes, int64_t half) {
  for (int i = 0; i < 2; ++i) bytes.push_back(static_cast<uint8_t>(half >> (8 * i)));
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
    int64_t rows =
        int64_t{tile_rows - 1} * shape.stride_h + int64_t{shape.k_h - 1} * shape.dilation_h + 1;
    int64_t columns = int64_t{shape.out_w - 1} * shape.stride_w + shape.k_w;
    tiling.x_words = rows * columns * shape.in_c / 2;
  }
  tiling.weight_words = int64_t{2} * tiling.runs * tiling.run_groups * lanes;
  return tiling;
}

// Of a tile, what does not follow from its rows: the weights are widened, and the source's rows
// that its neighbours need, too.
double tile_cycles(const WordsShape& shape, const Tiling& tiling, const WordsCore& core) {
  double blocks = std::ceil(double(shape.out_c) / core.lanes);
  double groups = double(tiling.runs) * tiling.run_groups;
  double shared_rows = std::max(0, (shape.k_h - 1) * shape.dilation_h + 1 - shape.stride_h);
  double source_row = double(shape.out_w) * shape.stride_w * shape.in_c / 4;
  return blocks * (groups * core.lanes * core.cycles_per_widened + 60) +
         (tiling.gathered ? 0 : shared_rows * source_row * core.cycles_per_widened);
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

// What an extra holds (kernels/common/words_s8.h).
constexpr int64_t kExtraReach = 1 << 16;

// The weights of a layer as the inner products take them: where four would leave 16 bits, a part of
// the largest becomes an extra.
class ReducedWeights {
 public:
  ReducedWeights(const LayerView& layer, const WordsShape& shape)
      : shape_(shape), taps_((shape.taps() + kGroup - 1) / kGroup * kGroup) {
    std::span<const int8_t> filter = layer.s8("filter");
    weights_.resize(static_cast<size_t>(shape.out_c) * static_cast<size_t>(taps_));
    for (int channel = 0; channel < shape.out_c; ++channel) {
      for (int tap = 0; tap < shape.taps(); ++tap)
        at(channel, tap) = filter[static_cast<size_t>(channel * shape.taps() + tap)];
      for (int tap = 0; tap < taps_; tap += kGroup) reduce(channel, tap);
    }
  }
  int weight(int channel, int tap) const {
    if (channel >= shape_.out_c) return 0;
    return weights_[static_cast<size_t>(channel * taps_ + tap)];
  }
  struct Extra {
    int channel = 0, tap = 0, weight = 0;
  };
  const std::vector<Extra>& extras() const { return extras_; }

 private:
  int8_t& at(int channel, int tap) { return weights_[static_cast<size_t>(channel * taps_ + tap)]; }

  // Only from the first two, whose elements lie in the lower halves of their words.
  void reduce(int channel, int tap) {
    constexpr int kMostOfGroup = 255;  // 128 times that fits 16 bits
    int excess = -kMostOfGroup;
    for (int i = tap; i < tap + kGroup; ++i) excess += std::abs(at(channel, i));
    int first = std::abs(at(channel, tap)) < std::abs(at(channel, tap + 1));
    for (int i : {tap + first, tap + 1 - first}) {
      if (excess <= 0) return;
      int weight = at(channel, i), part = std::min(excess, std::abs(weight));
      excess -= part;
      if (weight < 0) part = -part;
      at(channel, i) = static_cast<int8_t>(weight - part);
      extras_.push_back({channel, i, part});
    }
  }

  WordsShape shape_;
  int taps_;
  std::vector<int8_t> weights_;
  std::vector<Extra> extras_;
};

// Where an element of a window, one of the first two of its group, lies in the words of its pixel,
// in bytes.
int64_t tap_offset(const WordsShape& shape, const Tiling& tiling, int tap) {
  int64_t words = 0;
  int group = tap / kGroup;
  if (!tiling.gathered) {
    int64_t row = int64_t{(shape.out_w - 1) * shape.stride_w + shape.k_w} * shape.in_c / 2;
    words = group / tiling.run_groups * shape.dilation_h * row;
    group %= tiling.run_groups;
  }
  return 4 * (words + 2 * group + tap % kGroup);
}

// The accumulator's start: bias, and what the zero point of the source brings.
int64_t start_of(const LayerView& layer, const WordsShape& shape, int channel) {
  std::span<const int32_t> bias = layer.s32("bias");
  int64_t start = bias.empty() ? 0 : bias[static_cast<size_t>(channel)];
  for (int tap = 0; tap < shape.taps(); ++tap)
    start -= int64_t{shape.in_zero} *
             layer.s8("filter")[static_cast<size_t>(channel * shape.taps() + tap)];
  return start;
}

std::optional<std::vector<uint8_t>> pack(const LayerView& layer, const WordsShape& shape,
                                         const Tiling& tiling, const RescaledLayer& rescaled,
                                         int lanes) {
  std::vector<uint8_t> stream;
  ReducedWeights weights(layer, shape);
  auto extra = weights.extras().begin();
  for (int first = 0; first < shape.out_c; first += lanes) {
    for (int group = 0; group < tiling.runs * tiling.run_groups; ++group)
      for (int lane = 0; lane < lanes; ++lane)
        for (int i : {2, 3, 0, 1})
          stream.push_back(static_cast<uint8_t>(weights.weight(first + lane, kGroup * group + i)));
    std::vector<int> channels;
    for (int lane = 0; lane < lanes; ++lane)
      channels.push_back(std::min(first + lane, shape.out_c - 1));
    for (int channel : channels)
      put_word(stream,
               static_cast<uint32_t>(start_of(layer, shape, channel) +
                                     rescaled.channels[static_cast<size_t>(channel)].start_shift));
    for (int channel : channels)
      for (uint32_t word : rescaled.channels[static_cast<size_t>(channel)].words)
        put_word(stream, word);
    std::vector<uint8_t> extras;
    for (int lane = 0; lane < lanes; ++lane) {
      auto end = std::find_if(extra, weights.extras().end(),
                              [&](const auto& other) { return other.channel > first + lane; });
      put_half(extras, end - extra);
      for (; extra != end; ++extra) {
        int64_t offset = tap_offset(shape, tiling, extra->tap);
        if (offset >= kExtraReach) return std::nullopt;
        put_half(extras, offset);
        put_half(extras, extra->weight);
      }
    }
    if (extras.size() == 2 * static_cast<size_t>(lanes)) extras.clear();
    extras.resize((extras.size() + 3) / 4 * 4);
    put_word(stream, static_cast<uint32_t>(extras.size() / 4));
    stream.insert(stream.end(), extras.begin(), extras.end());
  }
  return stream;
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

KernelFunction conv_function(const RescaleStage& stage, const WordsCore& core) {
  CFunction widen, block;
  widen.name = fmt::format("nibble_words_s8_widen_{}", core.isa);
  widen.comment = "groups of four bytes to words of two elements";
  widen.parameters = {"const void *src", "uint32_t *dst", "int32_t groups"};
  widen.condition = core.condition;
  widen.body = core.widen();
  widen.arm = block.arm = core.isa != "rv32";
  widen.plain_body = "  nibble_words_s8_widen_c(src, dst, groups);\n";
  block.name = fmt::format("nibble_words_s8_block_{}_{}", core.isa, stage.name());
  block.comment = fmt::format("{} channels for a row of pixels", core.lanes);
  block.parameters = {"nibble_words_s8 *block"};
  block.condition = core.condition;
  block.body = core.block(stage);
  block.plain_body = fmt::format(
      "  static const nibble_rescale_s8 rescale = {};\n"
      "  nibble_words_s8_block_c(block, {}, &rescale);\n",
      stage.c_initializer(), core.lanes);
  // The rest is shared with the layers' other functions.
  KernelFunction function;
  function.code_bytes = static_cast<int64_t>(block.body.count()) * core.bytes_per_instruction + 60;
  function.name = fmt::format("nibble_conv2d_s8_words_{}_{}", core.isa, stage.name());
  function.isa = core.isa;
  function.files = {"common/nibble_common.h", "common/rescale_s8.h", "common/words_s8.h",
                    "conv2d/conv2d_s8_words.h"};
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
                              core.lanes, function.name, block.name, widen.name, stage.words());
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

std::vector<KernelVariant> conv2d_words(const LayerView& layer, const WordsCore& core) {
  WordsShape shape = shape_of(layer);
  if (layer.field("groups") != 1) return {};
  Tiling tiles = best_tiling(shape, core);
  std::vector<KernelVariant> variants;
  std::vector<AccumulatorRange> ranges = accumulator_ranges(
      layer.s8("filter"), layer.s32("bias"), static_cast<size_t>(shape.out_c), shape.in_zero);
  for (const RescaledLayer& rescaled :
       rescale_layer_ways(LayerOutput::of(layer), ranges, core.forms)) {
    std::optional<std::vector<uint8_t>> stream = pack(layer, shape, tiles, rescaled, core.lanes);
    if (!stream) continue;
    KernelVariant variant;
    variant.function = conv_function(rescaled.stage, core);
    variant.packed = {{"shape", "uint32_t", shape_words(shape, tiles)},
                      {"stream", "uint32_t", std::move(*stream)}};
    variant.scratch_bytes = tiles.scratch_bytes();
    variant.progress = progress_of(shape, tiles);
    variant.cycles = core.fit(predicted_cycles(shape, tiles, core) +
                              core.cycles_of_form(rescaled.stage) * shape.batches * shape.out_h *
                                  shape.out_w * shape.out_c);
    variant.row_cost = {1, 1, tiles.tile_rows,
                        static_cast<int64_t>(core.fit.factor * tile_cycles(shape, tiles, core)),
                        200};
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace nibble
