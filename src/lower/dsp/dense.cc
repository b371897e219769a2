// dense_s8 on cores with 16-bit multiply-accumulate pairs (SMLAD): eight output channels at once,
// whose weights stand in channel pairs (kernels/common/channel_pairs_s8.h). The source is widened
// once, minus its zero point. Per two taps of eight channels: one load of the source, two of
// weights, four unpackings, eight SMLAD: 15 instructions for 16 multiply-accumulates.
#include "common/channel_pairs_s8.h"
#include "dense/dense_s8_pairs.h"
#include "lower/dsp/output_stage.h"

namespace nibble {
namespace {

constexpr int kMaxPairs = 4;
constexpr int kUnrolledWords = 8;

// The stack frame above the saved registers.
constexpr int kFrameBytes = 28;
constexpr int kEndOfSource = 0, kSum = 4, kSource = 8, kDst = 12, kGroups = 16, kHeader = 20;

struct DenseShape {
  int in_len = 0, out_len = 0, in_zero = 0;
  int words() const { return (in_len + 3) / 4 * 2; }  // of two taps each
  // What the text depends on.
  bool quads() const { return in_len >= 4; }
  int last_elements() const { return in_len % 4; }
  bool rounds() const { return words() >= kUnrolledWords; }
  int last_words() const { return words() % kUnrolledWords; }
  bool groups() const { return out_len >= 2 * kMaxPairs; }
  int last_channels() const { return out_len % (2 * kMaxPairs); }
  std::string name() const {
    return fmt::format("{}{}_{}{}_{}{}", quads() ? "q" : "", last_elements(), rounds() ? "r" : "",
                       last_words(), groups() ? "g" : "", last_channels());
  }
};

void put_word(std::vector<uint8_t>& bytes, uint32_t word) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<uint8_t>(word >> (8 * i)));
}

std::vector<uint8_t> pack(const LayerView& layer, const DenseShape& shape,
                          const OutputStage& stage) {
  std::span<const int8_t> filter = layer.s8("filter");
  std::span<const int32_t> bias = layer.s32("bias");
  auto weight = [&](int channel, int tap) -> uint32_t {
    if (channel >= shape.out_len || tap >= shape.in_len) return 0;
    return static_cast<uint32_t>(
        int32_t{filter[static_cast<size_t>(channel * shape.in_len + tap)]});
  };
  auto start = [&](int channel) -> uint32_t {
    return bias.empty() || channel >= shape.out_len
               ? 0
               : static_cast<uint32_t>(bias[static_cast<size_t>(channel)]);
  };
  std::vector<uint8_t> stream;
  put_word(stream, (static_cast<uint32_t>(-shape.in_zero) & 0xffff) * 0x10001);
  put_word(stream, static_cast<uint32_t>(shape.in_len));
  put_word(stream, static_cast<uint32_t>(shape.out_len));
  put_word(stream, static_cast<uint32_t>(stage.addend()));
  put_word(stream, stage.uniform() ? stage.doubled(0) : 0);
  put_word(stream, stage.uniform() ? stage.shift(0) : 0);
  for (int first = 0; first < shape.out_len; first += 2 * kMaxPairs) {
    int pairs = std::min(kMaxPairs, (shape.out_len - first + 1) / 2);
    for (int channel = first; channel < first + 2 * pairs; channel += 2) {
      put_word(stream, start(channel) + 256 * start(channel + 1));
      put_word(stream, start(channel + 1));
    }
    for (int word = 0; word < shape.words(); ++word)
      for (int channel = first; channel < first + 2 * pairs; channel += 2) {
        uint32_t lanes[2];
        for (int lane = 0; lane < 2; ++lane) {
          int tap = nibble_pair_tap(word, lane);
          lanes[lane] = (256 * weight(channel + 1, tap) + weight(channel, tap) + 128) & 0xffff;
        }
        put_word(stream, lanes[0] | lanes[1] << 16);
      }
    if (stage.uniform()) continue;
    for (int channel = first; channel < first + 2 * pairs; channel += 2) {
      auto a = static_cast<size_t>(channel);
      size_t b = channel + 1 < shape.out_len ? a + 1 : a;
      put_word(stream, stage.doubled(a));
      put_word(stream, stage.doubled(b));
      put_word(stream, stage.shift(a) | stage.shift(b) << 8);
    }
  }
  return stream;
}

// The source as words of two taps, minus its zero point; r6 := sum of the taps.
void widen_source(Assembly& code, const DenseShape& shape) {
  code.op("ldr r4, [r3, #{}]", 4 * NIBBLE_DENSE_IN_ZERO);
  code.op("mov r5, #0x00010001");
  code.op("mov r6, #0");
  auto store_word = [&] {
    code.op("sxtab16 r8, r4, r7");
    code.op("sxtab16 r9, r4, r7, ror #8");
    code.op("smlad r6, r8, r5, r6");
    code.op("smlad r6, r9, r5, r6");
    code.op("strd r8, r9, [r2], #8");
  };
  if (shape.quads()) {
    code.op("ldr r10, [r3, #{}]", 4 * NIBBLE_DENSE_IN_LEN);
    code.op("lsr r10, r10, #2");
    code.label(1);
    code.op("ldr r7, [r0], #4");
    store_word();
    code.op("subs r10, r10, #1");
    code.op("bne 1b");
  }
  if (int rest = shape.last_elements(); rest > 0) {
    code.op("ldrb r7, [r0]");
    for (int i = 1; i < rest; ++i) {
      code.op("ldrb r10, [r0, #{}]", i);
      code.op("orr r7, r7, r10, lsl #{}", 8 * i);
    }
    store_word();
  }
}

// Two taps of all pairs of a group: T in r4 r6 r8 r10, B in r5 r7 r9 r11.
void multiply_word(Assembly& code, int pairs) {
  code.op("ldr r12, [r2], #4");
  for (int pair = 0; pair < pairs; ++pair) {
    bool second = pair % 2 == 1, alone = !second && pair + 1 == pairs;
    if (alone) code.op("ldr r0, [r3], #4");
    if (!second && !alone) code.op("ldrd r0, r1, [r3], #8");
    const char* lanes = second ? "r1" : "r0";
    code.op("smlad r{0}, r12, {1}, r{0}", 4 + 2 * pair, lanes);
    code.op("sxtb16 lr, {}, ror #8", lanes);
    code.op("smlad r{0}, r12, lr, r{0}", 5 + 2 * pair);
  }
}

void multiply_all(Assembly& code, const DenseShape& shape, int pairs) {
  if (shape.rounds()) {
    code.label(3);
    for (int i = 0; i < kUnrolledWords; ++i) multiply_word(code, pairs);
    code.op("ldr lr, [sp, #{}]", kEndOfSource);
    code.op("cmp r2, lr");
    code.op("bne.w 3b");
  }
  for (int i = 0; i < shape.last_words(); ++i) multiply_word(code, pairs);
}

void group(Assembly& code, const DenseShape& shape, const OutputStage& stage, int channels) {
  int pairs = (channels + 1) / 2;
  code.op("ldmia r3!, {{r4-r{}}}", 3 + 2 * pairs);
  code.op("ldr r2, [sp, #{}]", kSource);
  multiply_all(code, shape, pairs);
  // r0 and r1 multipliers, r2 shifts, r12 their channel's addend, lr dst.
  code.op("ldr r12, [sp, #{}]", kSum);
  for (int pair = 0; pair < pairs; ++pair) {
    code.op("sub r{0}, r{0}, r{1}, lsl #8", 4 + 2 * pair, 5 + 2 * pair);
    code.op("sub r{0}, r{0}, r12", 4 + 2 * pair);
  }
  code.op("ldr r12, [sp, #{}]", kHeader);
  code.op("ldr lr, [sp, #{}]", kDst);
  if (stage.uniform()) {
    code.op("ldrd r0, r2, [r12, #{}]", 4 * NIBBLE_DENSE_DOUBLED);
  }
  code.op("ldr r12, [r12, #{}]", 4 * NIBBLE_DENSE_ADDEND);
  for (int pair = 0; pair < pairs; ++pair) {
    std::string a = fmt::format("r{}", 4 + 2 * pair), b = fmt::format("r{}", 5 + 2 * pair);
    if (!stage.uniform()) code.op("ldmia r3!, {{r0-r2}}");
    stage.instructions(code, a, "r0", "r2", "r12");
    code.op("strb {}, [lr], #1", a);
    if (2 * pair + 1 == channels) continue;
    if (!stage.uniform()) code.op("lsr r2, r2, #8");
    stage.instructions(code, b, stage.uniform() ? "r0" : "r1", "r2", "r12");
    code.op("strb {}, [lr], #1", b);
  }
  code.op("str lr, [sp, #{}]", kDst);
}

Assembly body(const DenseShape& shape, const OutputStage& stage) {
  Assembly code;
  code.op("push {{r4-r11, lr}}");
  code.op("sub sp, sp, #{}", kFrameBytes);
  code.op("str r2, [sp, #{}]", kSource);
  code.op("str r1, [sp, #{}]", kDst);
  code.op("str r3, [sp, #{}]", kHeader);
  widen_source(code, shape);
  if (int rest = shape.last_words(); rest > 0) code.op("sub r2, r2, #{}", 4 * rest);
  code.op("str r2, [sp, #{}]", kEndOfSource);
  code.op("lsl r6, r6, #7");
  code.op("str r6, [sp, #{}]", kSum);
  if (shape.groups()) code.op("ldr r0, [r3, #{}]", 4 * NIBBLE_DENSE_OUT_LEN);
  code.op("add r3, r3, #{}", 4 * NIBBLE_DENSE_FIELDS);
  if (shape.groups()) {
    code.op("lsr r0, r0, #3");
    code.label(2);
    code.op("str r0, [sp, #{}]", kGroups);
    group(code, shape, stage, 2 * kMaxPairs);
    code.op("ldr r0, [sp, #{}]", kGroups);
    code.op("subs r0, r0, #1");
    code.op("bne.w 2b");
  }
  if (shape.last_channels() > 0) group(code, shape, stage, shape.last_channels());
  code.op("add sp, sp, #{}", kFrameBytes);
  code.op("pop {{r4-r11, pc}}");
  return code;
}

std::string plain_body(const OutputStage& stage) {
  return fmt::format(
      "  static const nibble_dense_s8_pairs_args args = {{{}, {}}};\n"
      "  (void)scratch;\n"
      "  nibble_dense_s8_pairs(&args, src, dst, stream);\n",
      stage.c_range(), stage.uniform() ? 1 : 0);
}

KernelVariant make_variant(const LayerView& layer, const DenseShape& shape,
                           const OutputStage& stage) {
  KernelVariant variant;
  CFunction function;
  function.name = fmt::format("nibble_dense_s8_dsp_{}_{}_{}", shape.name(), stage.name(true),
                              stage.uniform() ? "u" : "c");
  function.comment = "dense, eight channels at once";
  function.parameters = {"const int8_t *src", "int8_t *dst", "void *scratch",
                         "const uint32_t *stream"};
  function.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  function.body = body(shape, stage);
  function.plain_body = plain_body(stage);
  variant.function = {function.name,
                      "dsp",
                      {"common/nibble_common.h", "common/requant.h", "common/output_s8.h",
                       "common/channel_pairs_s8.h", "dense/dense_s8_pairs.h"},
                      {"const int8_t *", "int8_t *", "void *"},
                      false,
                      function_text(function)};
  variant.packed = {{"stream", "uint32_t", pack(layer, shape, stage)}};
  variant.scratch_bytes = 4 * shape.words();
  // Cortex-M4: a load and each word of a double load take two cycles and one more, the rest one.
  double words = shape.words();
  variant.cycles = 60 + words / 2 * 12 + shape.out_len * (words * 2.5 + 4 + stage.count());
  variant.code_bytes = static_cast<int64_t>(function.body.count()) * 7 / 2;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_dense_s8_dsp(const LayerView& layer, const LowerOptions&) {
  DenseShape shape{layer.int_field("in_len"), layer.int_field("out_len"),
                   layer.int_field("in_zero")};
  std::optional<OutputStage> stage = OutputStage::of(layer);
  // A count or an offset beyond 16 bits has no short form; such layers do not fit a
  // microcontroller.
  bool small = shape.in_len < (1 << 16) && shape.out_len < (1 << 16);
  if (!stage || !small || layer.field("rows") != 1) return {};
  std::vector<KernelVariant> variants = {make_variant(layer, shape, *stage)};
  // So that layers with and without a fused activation may share it.
  if (OutputStage general = stage->general(); general.name(true) != stage->name(true))
    variants.push_back(make_variant(layer, shape, general));
  return variants;
}

}  // namespace nibble
