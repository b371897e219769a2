#include "lower/scalar/dense.h"

#include <algorithm>

namespace nibble {
namespace {

constexpr int kGroup = 4;        // taps
constexpr int kMostOfSum = 255;  // of the weights' magnitudes: 128 times that fits 16 bits
constexpr int64_t kStartReach = 1 << 23;
constexpr int64_t kOffsetReach = 1 << 16;
constexpr size_t kMostExtrasPerCent = 1;  // of sums

void put(std::vector<uint8_t>& bytes, int64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

struct SumsShape {
  int in_len = 0, out_len = 0, in_zero = 0, lanes = 2, groups = 1;

  int taps_of_sum() const { return kGroup * groups; }
  int sums() const { return (in_len + taps_of_sum() - 1) / taps_of_sum(); }
  int blocks() const { return (out_len + lanes - 1) / lanes; }
  int64_t scratch_bytes() const { return 4 * int64_t{sums()} * (1 + 2 * groups); }
};

class DenseWeights {
 public:
  DenseWeights(const LayerView& layer, const SumsShape& shape)
      : shape_(shape),
        filter_(layer.s8("filter")),
        bias_(layer.s32("bias")),
        row_(shape.sums() * shape.taps_of_sum()) {
    weights_.resize(static_cast<size_t>(shape.blocks() * shape.lanes) * static_cast<size_t>(row_));
    for (int output = 0; output < shape.out_len; ++output)
      for (int tap = 0; tap < shape.in_len; ++tap) at(output, tap) = original(output, tap);
  }
  // False if some sum stays too large.
  bool reduce() {
    for (int output = 0; output < shape_.out_len; ++output)
      for (int tap = 0; tap < row_; tap += shape_.taps_of_sum())
        if (!reduce_sum(output, tap)) return false;
    return true;
  }
  size_t extras() const { return extras_.size(); }

  int64_t start(int output) const {
    int64_t start = bias(output);
    for (int tap = 0; tap < shape_.in_len; ++tap) start -= shape_.in_zero * original(output, tap);
    return start;
  }
  std::vector<uint8_t> packed() const {
    std::vector<uint8_t> bytes;
    for (int block = 0; block < shape_.blocks(); ++block)
      for (int tap = 0; tap < row_; tap += shape_.taps_of_sum())
        for (int lane = 0; lane < shape_.lanes; ++lane)
          for (int group = tap; group < tap + shape_.taps_of_sum(); group += kGroup)
            for (int i : {2, 3, 0, 1})
              put(bytes, at(block * shape_.lanes + lane, group + i) + 128, 1);
    return bytes;
  }
  std::vector<uint8_t> packed_extras() const {
    std::vector<uint8_t> bytes;
    for (const Extra& extra : extras_) {
      int sum = extra.tap / shape_.taps_of_sum();
      int group = extra.tap % shape_.taps_of_sum() / kGroup;
      int64_t offset = 4 * (sum * (1 + 2 * shape_.groups) + 1 + 2 * group);
      put(bytes, extra.output / shape_.lanes | (extra.output % shape_.lanes) << 26, 4);
      put(bytes, offset, 2);
      put(bytes, extra.parts[0], 1);
      put(bytes, extra.parts[1], 1);
    }
    put(bytes, -1, 4);
    return bytes;
  }

 private:
  struct Extra {
    int output = 0, tap = 0;  // the first of a group
    int parts[2] = {0, 0};    // of its first two weights
  };

  int original(int output, int tap) const {
    return filter_[static_cast<size_t>(output) * static_cast<size_t>(shape_.in_len) +
                   static_cast<size_t>(tap)];
  }
  int64_t bias(int output) const { return bias_.empty() ? 0 : bias_[static_cast<size_t>(output)]; }
  int& at(int output, int tap) {
    return weights_[static_cast<size_t>(output) * static_cast<size_t>(row_) +
                    static_cast<size_t>(tap)];
  }
  int at(int output, int tap) const {
    return weights_[static_cast<size_t>(output) * static_cast<size_t>(row_) +
                    static_cast<size_t>(tap)];
  }

  bool reduce_sum(int output, int first) {
    int excess = -kMostOfSum;
    for (int i = first; i < first + shape_.taps_of_sum(); ++i) excess += std::abs(at(output, i));
    for (int tap = first; tap < first + shape_.taps_of_sum() && excess > 0; tap += kGroup) {
      Extra extra{output, tap, {0, 0}};
      for (int i : {0, 1}) {
        int& weight = at(output, tap + i);
        int part = std::clamp(excess, 0, std::abs(weight));
        excess -= part;
        extra.parts[i] = weight < 0 ? -part : part;
        weight -= extra.parts[i];
      }
      if (extra.parts[0] != 0 || extra.parts[1] != 0) extras_.push_back(extra);
    }
    return excess <= 0;
  }

  SumsShape shape_;
  std::span<const int8_t> filter_;
  std::span<const int32_t> bias_;
  int row_;
  std::vector<int> weights_;
  std::vector<Extra> extras_;
};

bool is_uniform(const LayerOutput& output) {
  auto equal = [](auto list) {
    return std::ranges::adjacent_find(list, std::not_equal_to<>()) == list.end();
  };
  return equal(output.multiplier) && equal(output.exponent);
}

KernelFunction dense_function(const DenseBlocks& dense, const DenseCore& core) {
  CFunction inner;
  std::string kind = fmt::format("{}_{}_{}_{}", core.isa, dense.groups, dense.uniform ? "u" : "c",
                                 dense.stage.name());
  inner.name = "nibble_dense_blocks_" + kind;
  inner.comment = fmt::format("blocks of {} outputs", core.lanes);
  inner.parameters = {"nibble_dense_sums *dense"};
  inner.condition = core.condition;
  inner.arm = core.isa != "rv32";
  inner.body = core.blocks(dense);
  inner.plain_body = fmt::format(
      "  static const nibble_rescale_s8 rescale = {};\n"
      "  nibble_dense_blocks_c(dense, {}, {}, {:d}, &rescale);\n",
      dense.stage.c_initializer(), core.lanes, dense.groups, dense.uniform);
  // The rest is shared with the layers' other functions.
  KernelFunction function;
  function.code_bytes = static_cast<int64_t>(inner.body.count()) * core.bytes_per_instruction + 80;
  function.name = "nibble_dense_s8_sums_" + kind;
  function.isa = core.isa;
  function.files = {"common/nibble_common.h", "common/rescale_s8.h", "common/words_s8.h",
                    "dense/dense_s8_sums.h"};
  function.parameters = {"const int8_t *", "int8_t *", "void *"};
  function.text =
      function_text(inner) + fmt::format(R"(/* dense of one row */
static void {}(
    const int8_t *src, int8_t *dst, void *scratch, const uint32_t *stream) {{
  static const nibble_dense_core core = {{{}, {}, {}, {:d}, {}}};
  nibble_dense_s8_sums(src, dst, (uint32_t *)scratch, stream, &core);
}}
)",
                                         function.name, inner.name, core.lanes, dense.groups,
                                         dense.uniform, dense.stage.words());
  return function;
}

std::optional<KernelVariant> make_variant(const DenseCore& core, const SumsShape& shape,
                                          const DenseWeights& weights, bool uniform,
                                          const RescaledLayer& rescaled) {
  std::vector<uint8_t> stream, start_low, start_high;
  for (int length : {shape.in_len, shape.out_len}) put(stream, length, 2);
  put(stream, 0, 4);
  for (int i = 0; i < shape.blocks() * shape.lanes; ++i) {
    int of = std::min(i, shape.out_len - 1);
    const RescaledChannel& channel = rescaled.channels[uniform ? 0 : static_cast<size_t>(of)];
    int64_t start = weights.start(of) + channel.start_shift;
    if (start < -kStartReach || start >= kStartReach) return std::nullopt;
    put(start_low, start, 2);
    put(start_high, start >> 16, 1);
    if (i > 0 && uniform) continue;
    for (uint32_t word : channel.words) put(stream, word, 4);
  }
  for (std::vector<uint8_t>* part : {&start_low, &start_high}) {
    part->resize((part->size() + 3) / 4 * 4);
    stream.insert(stream.end(), part->begin(), part->end());
  }
  std::ranges::copy(weights.packed_extras(), std::back_inserter(stream));
  // The header's second word is known now.
  for (size_t i = 0, words = stream.size() / 4; i < 4; ++i)
    stream[4 * NIBBLE_DENSE_SUMS_WEIGHTS + i] = static_cast<uint8_t>(words >> (8 * i));
  std::ranges::copy(weights.packed(), std::back_inserter(stream));
  KernelVariant variant;
  variant.function = dense_function({shape.groups, uniform, rescaled.stage}, core);
  variant.packed = {{"stream", "uint32_t", std::move(stream)}};
  variant.scratch_bytes = shape.scratch_bytes();
  // The source is read before anything is written, but to the scratch: a group's bytes are read
  // before its two words are written, behind the word of its sum.
  variant.progress = {{0, shape.in_len}};
  for (int group = 0; 4 * group < shape.in_len; ++group)
    variant.scratch_progress.push_back(
        {4 * (group / shape.groups + 1 + 2 * group), std::min(4 * (group + 1), shape.in_len)});
  variant.cycles =
      core.fit(100 + shape.in_len * 7.0 +
               shape.sums() *
                   (shape.out_len * shape.groups * core.per_group + shape.blocks() * core.per_sum) +
               shape.out_len * (core.per_output + core.cycles_of_form(rescaled.stage)) +
               static_cast<double>(weights.extras()) * core.per_extra);
  return variant;
}

std::vector<KernelVariant> make_variants(const LayerView& layer, const DenseCore& core,
                                         const SumsShape& shape) {
  DenseWeights weights(layer, shape);
  if (!weights.reduce() || shape.scratch_bytes() >= kOffsetReach) return {};
  size_t sums = static_cast<size_t>(shape.out_len) * static_cast<size_t>(shape.sums());
  if (shape.groups > 1 && weights.extras() * 100 > kMostExtrasPerCent * sums) return {};
  LayerOutput output = LayerOutput::of(layer);
  bool uniform = is_uniform(output);
  std::vector<AccumulatorRange> ranges = accumulator_ranges(
      layer.s8("filter"), layer.s32("bias"), static_cast<size_t>(shape.out_len), shape.in_zero);
  if (uniform) {
    for (const AccumulatorRange& range : ranges) {
      ranges[0].low = std::min(ranges[0].low, range.low);
      ranges[0].high = std::max(ranges[0].high, range.high);
    }
    ranges.resize(1);
  }
  std::vector<KernelVariant> variants;
  for (const RescaledLayer& rescaled : rescale_layer_ways(output, ranges, core.forms))
    if (auto variant = make_variant(core, shape, weights, uniform, rescaled))
      variants.push_back(std::move(*variant));
  return variants;
}

}  // namespace

std::vector<KernelVariant> dense_by_sums(const LayerView& layer, const DenseCore& core) {
  constexpr int64_t kLengthReach = 1 << 16;
  if (layer.field("rows") != 1 || layer.field("out_len") >= kLengthReach) return {};
  std::vector<KernelVariant> variants;
  for (int groups : core.groups) {
    SumsShape shape{layer.int_field("in_len"), layer.int_field("out_len"),
                    layer.int_field("in_zero"), core.lanes, groups};
    std::ranges::move(make_variants(layer, core, shape), std::back_inserter(variants));
  }
  return variants;
}

}  // namespace nibble
