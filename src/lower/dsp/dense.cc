// dense_s8 on cores with 16-bit multiply-accumulate pairs (SMLAD): four output channels at once,
// whose weights stand in channel pairs (kernels/common/channel_pairs_s8.h). The source is widened
// once, minus its zero point. Per eight taps of four channels: one load of the source, two of
// weights, eight unpackings, sixteen SMLAD: 27 instructions for 32 multiply-accumulates. More
// channels at once would leave no registers for loads of four words.
#include "common/channel_pairs_s8.h"
#include "dense/dense_s8_pairs.h"
#include "lower/dsp/output_stage.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kChannels = 4;  // at once
constexpr int kStepWords = 4;

// The stack frame below the saved registers. A group ends by loading all up to kDstEnd.
enum Slot {
  kSource = 0,
  kSum = 4,  // of the taps, times 128
  kDst = 8,
  kDoubled = 12,
  kShift = 16,
  kAddend = 20,
  kDstEnd = 24,  // of whole groups
  kEntry = 28,
  kSourceEnd = 32,
  kFrameBytes = 36
};
constexpr const char* kEndRegisters = "r2, r8-r12, lr";

enum Label {
  kQuadLoop = 1,
  kGroupLoop,
  kTapLoop,
  kLinear,
  kGroupEnd,
  kEntryTable,
  kFirstEntry = 10,
  kLongStarts = 30,  // and the next one, of the last group
  kStarted = 32
};

struct DenseShape {
  int in_len = 0, out_len = 0, in_zero = 0;
  bool uniform = false;    // one multiplier for all channels
  int unrolled_steps = 4;  // per round of the loop over the taps

  int words() const { return nibble_dense_words(in_len); }
  int steps() const { return words() / kStepWords; }
  // What the text depends on beside them.
  bool quads() const { return in_len >= 4; }
  int last_elements() const { return in_len % 4; }
  bool groups() const { return out_len >= kChannels; }
  int last_channels() const { return out_len % kChannels; }
  std::string name() const {
    return fmt::format("{}{}_{}{}_u{}{}", quads() ? "q" : "", last_elements(), groups() ? "g" : "",
                       last_channels(), kStepWords * unrolled_steps, uniform ? "_u" : "");
  }
};

class DensePacker {
 public:
  DensePacker(const LayerView& layer, const DenseShape& shape, const OutputStage& stage)
      : filter_(layer.s8("filter")), bias_(layer.s32("bias")), shape_(shape), stage_(stage) {}

  std::vector<uint8_t> stream() const {
    std::vector<uint8_t> stream;
    uint32_t long_starts = starts_are_short() ? 0 : 1u << 31;
    uint32_t header[NIBBLE_DENSE_FIELDS] = {};
    int steps = shape_.unrolled_steps;
    header[NIBBLE_DENSE_IN_ZERO] = (static_cast<uint32_t>(-shape_.in_zero) & 0xffff) * 0x10001;
    header[NIBBLE_DENSE_IN_LEN] = static_cast<uint32_t>(shape_.in_len);
    header[NIBBLE_DENSE_OUT_LEN] = static_cast<uint32_t>(shape_.out_len);
    header[NIBBLE_DENSE_ENTRY] =
        static_cast<uint32_t>((steps - shape_.steps() % steps) % steps) | long_starts;
    header[NIBBLE_DENSE_DOUBLED] = shape_.uniform ? stage_.doubled(0) : 0;
    header[NIBBLE_DENSE_SHIFT] = shape_.uniform ? stage_.shift(0) : 0;
    header[NIBBLE_DENSE_ADDEND] = stage_.is_linear() ? 0 : static_cast<uint32_t>(stage_.addend());
    for (uint32_t field : header) put_word(stream, field);
    for (int first = 0; first < shape_.out_len; first += kChannels)
      put_group(first, std::min(first + kChannels, (shape_.out_len + 1) / 2 * 2), stream);
    return stream;
  }

 private:
  bool starts_are_short() const {
    for (int channel = 0; channel < shape_.out_len; ++channel)
      if (start(channel) != static_cast<int16_t>(start(channel))) return false;
    return true;
  }

  int32_t start(int channel) const {
    if (channel >= shape_.out_len) return 0;
    auto index = static_cast<size_t>(channel);
    return stage_.start(index) + (bias_.empty() ? 0 : bias_[index]);
  }
  uint32_t weight(int channel, int tap) const {
    if (channel >= shape_.out_len || tap >= shape_.in_len) return 0;
    auto index = static_cast<size_t>(channel * shape_.in_len + tap);
    return static_cast<uint32_t>(int32_t{filter_[index]});
  }
  void put_group(int first, int end, std::vector<uint8_t>& stream) const {
    for (int channel = first; channel < end; channel += 2) {
      auto a = static_cast<uint32_t>(start(channel)), b = static_cast<uint32_t>(start(channel + 1));
      if (starts_are_short()) {
        put_word(stream, (a & 0xffff) | b << 16);
      } else {
        put_word(stream, a + 256 * b);
        put_word(stream, b);
      }
    }
    for (int word = 0; word < shape_.words(); ++word)
      for (int channel = first; channel < end; channel += 2) {
        uint32_t lanes[2];
        for (int lane = 0; lane < 2; ++lane) {
          int tap = nibble_pair_tap(word, lane);
          lanes[lane] = (256 * weight(channel + 1, tap) + weight(channel, tap) + 128) & 0xffff;
        }
        put_word(stream, lanes[0] | lanes[1] << 16);
      }
    for (int channel = first; channel < end && !shape_.uniform; channel += 2) {
      auto a = static_cast<size_t>(channel);
      size_t b = channel + 1 < shape_.out_len ? a + 1 : a;
      put_word(stream, stage_.doubled(a));
      put_word(stream, stage_.doubled(b));
      put_word(stream,
               stage_.is_linear() ? stage_.shift(a) : stage_.shift(a) | stage_.shift(b) << 8);
      if (stage_.is_linear()) put_word(stream, stage_.shift(b));
    }
  }

  std::span<const int8_t> filter_;
  std::span<const int32_t> bias_;
  const DenseShape& shape_;
  const OutputStage& stage_;
};

struct DenseCode {
  Assembly all;
  // Parts, for the estimate of time: their instructions are in `all`, too.
  Assembly quad, step, round_end, group;  // with the form that the layer takes
};

// The text has both forms of the output stage; a layer takes one of them.
struct DenseStages {
  OutputStage general, linear;
  bool takes_linear = false;
  const OutputStage& taken() const { return takes_linear ? linear : general; }
};

// Registers: r2 the widened source, r3 the stream; T of the two pairs in r4 and r6, B in r5 and r7;
// words of the source in r8 to r11, of weights in r0 r1 r12 lr.
class DenseWriter {
 public:
  DenseWriter(const DenseShape& shape, const DenseStages& stages)
      : shape_(shape), stages_(stages) {}

  DenseCode write() {
    Assembly& code = code_.all;
    prologue();
    if (shape_.groups()) {
      code.label(kGroupLoop);
      group(kChannels);
      code.op("cmp r9, lr");
      code.op("bne.w {}b", int{kGroupLoop});
    }
    if (shape_.last_channels() > 0) group(shape_.last_channels());
    code.op("add sp, sp, #{}", int{kFrameBytes});
    code.op("pop {{r4-r11, pc}}");
    if (shape_.groups()) long_starts(2, 0);
    if (shape_.last_channels() > 0) long_starts((shape_.last_channels() + 1) / 2, 1);
    return std::move(code_);
  }

 private:
  void field(const char* to, int index) { code_.all.op("ldr {}, [r3, #{}]", to, 4 * index); }
  void store(const char* from, int slot) { code_.all.op("str {}, [sp, #{}]", from, slot); }

  // r0 src, r1 dst, r2 scratch, r3 stream.
  void prologue() {
    Assembly& code = code_.all;
    code.op("push {{r4-r11, lr}}");
    code.op("sub sp, sp, #{}", int{kFrameBytes});
    store("r2", kSource);
    store("r1", kDst);
    field("r10", NIBBLE_DENSE_IN_LEN);
    code.op("add r11, r10, #7");
    code.op("lsr r11, r11, #3");
    code.op("add r11, r2, r11, lsl #4");
    store("r11", kSourceEnd);
    for (auto [index, slot] :
         {std::pair(NIBBLE_DENSE_DOUBLED, kDoubled), std::pair(NIBBLE_DENSE_SHIFT, kShift),
          std::pair(NIBBLE_DENSE_ADDEND, kAddend), std::pair(NIBBLE_DENSE_ENTRY, kEntry)}) {
      field("r11", index);
      store("r11", slot);
    }
    field("r11", NIBBLE_DENSE_OUT_LEN);
    code.op("bic r11, r11, #{}", kChannels - 1);
    code.op("add r11, r11, r1");
    store("r11", kDstEnd);
    widen_source();
    code.op("lsl r6, r6, #7");
    store("r6", kSum);
    code.op("ldr r2, [sp, #{}]", int{kSource});
    code.op("add r3, r3, #{}", 4 * NIBBLE_DENSE_FIELDS);
  }

  // The source as words of two taps, minus its zero point, and two words of zeros behind; r6 := sum
  // of the taps. r10: in_len.
  void widen_source() {
    Assembly& code = code_.all;
    field("r4", NIBBLE_DENSE_IN_ZERO);
    code.op("mov r5, #0x00010001");
    code.op("mov r6, #0");
    auto store_words = [](Assembly& to) {
      to.op("sxtab16 r8, r4, r7");
      to.op("sxtab16 r9, r4, r7, ror #8");
      to.op("smlad r6, r8, r5, r6");
      to.op("smlad r6, r9, r5, r6");
      to.op("strd r8, r9, [r2], #8");
    };
    if (shape_.quads()) {
      code.op("lsr r10, r10, #2");
      code.label(kQuadLoop);
      code_.quad.op("ldr r7, [r0], #4");
      store_words(code_.quad);
      code_.quad.op("subs r10, r10, #1");
      code_.quad.op("bne {}b", int{kQuadLoop});
      code.append(code_.quad);
    }
    if (int rest = shape_.last_elements(); rest > 0) {
      code.op("ldrb r7, [r0]");
      for (int i = 1; i < rest; ++i) {
        code.op("ldrb r10, [r0, #{}]", i);
        code.op("orr r7, r7, r10, lsl #{}", 8 * i);
      }
      store_words(code);
    }
    code.op("mov r8, #0");
    code.op("mov r9, #0");
    code.op("strd r8, r9, [r2]");
  }

  // r12: the entry into the loop.
  static void begin_group(Assembly& code, int pairs, int last) {
    code.op("ldr r12, [sp, #{}]", int{kEntry});
    if (pairs == 1)
      code.op("ldr r4, [r3], #4");
    else
      code.op("ldmia r3!, {{r4, r5}}");
    code.op("cmp r12, #0");
    code.op("blt.w {}f", kLongStarts + last);
    for (int pair = pairs - 1; pair >= 0; --pair) {
      std::string t = fmt::format("r{}", 4 + 2 * pair), b = fmt::format("r{}", 5 + 2 * pair);
      code.op("asr {}, r{}, #16", b, 4 + pair);
      code.op("sxth {}, r{}", t, 4 + pair);
      code.op("add {0}, {0}, {1}, lsl #8", t, b);
    }
    code.label(kStarted + last);
  }
  // Behind the function: starts of 32 bits.
  void long_starts(int pairs, int last) {
    Assembly& code = code_.all;
    code.label(kLongStarts + last);
    code.op("bic r12, r12, #0x80000000");
    if (pairs == 1)
      code.op("ldr r5, [r3], #4");
    else
      code.op("ldmia r3!, {{r6, r7}}");
    code.op("b.w {}b", kStarted + last);
  }

  // Four words of the source with all pairs of a group.
  static void multiply_step(Assembly& code, int pairs) {
    static const char* const kWeights[] = {"r0", "r1", "r12", "lr"};
    code.op("ldmia r2!, {{r8-r11}}");
    for (int i = 0; i < kStepWords * pairs; ++i) {
      if (i % 4 == 0) code.op("ldmia r3!, {{r0, r1, r12, lr}}");
      const char* lanes = kWeights[i % 4];
      int source = 8 + i / pairs, t = 4 + 2 * (i % pairs);
      code.op("smlad r{0}, r{1}, {2}, r{0}", t, source, lanes);
      code.op("sxtb16 {0}, {0}, ror #8", lanes);
      code.op("smlad r{0}, r{1}, {2}, r{0}", t + 1, source, lanes);
    }
  }

  void multiply_all(int pairs, int unrolled_steps) {
    Assembly& code = code_.all;
    bool enters = unrolled_steps > 1;
    if (enters) {
      code.op("tbh [pc, r12, lsl #1]");
      code.label(kEntryTable);
      for (int entry = 0; entry < unrolled_steps; ++entry)
        code.op(".short ({}f - {}b) / 2", kFirstEntry + entry, int{kEntryTable});
    }
    code.label(kTapLoop);
    for (int step = 0; step < unrolled_steps; ++step) {
      if (enters) code.label(kFirstEntry + step);
      multiply_step(code, pairs);
    }
    Assembly end;
    end.op("ldr r0, [sp, #{}]", int{kSourceEnd});
    end.op("cmp r2, r0");
    end.op("bne.w {}b", int{kTapLoop});
    code.append(end);
    code_.round_end = end;
  }

  void group(int channels) {
    Assembly& code = code_.all;
    int pairs = (channels + 1) / 2;
    Assembly begin, sums, general, linear, end;
    begin_group(begin, pairs, channels == kChannels ? 0 : 1);
    code.append(begin);
    multiply_all(pairs, channels == kChannels ? shape_.unrolled_steps : 1);
    finish_sums(sums, channels);
    code.append(sums);
    outputs(general, stages_.general, channels);
    code.append(general);
    code.op("b {}f", int{kGroupEnd});
    code.label(kLinear);
    outputs(linear, stages_.linear, channels);
    code.append(linear);
    code.label(kGroupEnd);
    code.op("str r9, [sp, #{}]", int{kDst});
    if (channels != kChannels) return;
    code_.group = begin;
    code_.group.append(sums);
    code_.group.append(stages_.takes_linear ? linear : general);
    multiply_step(code_.step, pairs);
  }

  // To the form that the layer takes.
  static void finish_sums(Assembly& code, int channels) {
    code.op("ldmia sp, {{{}}}", kEndRegisters);
    for (int channel = 0; channel < channels; channel += 2) {
      code.op("sub r{0}, r{0}, r{1}, lsl #8", 4 + channel, 5 + channel);
      code.op("sub r{0}, r{0}, r8", 4 + channel);
    }
    code.op("cmp r12, #0");
    code.op("beq {}f", int{kLinear});
  }

  void outputs(Assembly& code, const OutputStage& stage, int channels) const {
    bool uniform = shape_.uniform, linear = stage.is_linear();
    auto output = [&](int channel, const char* doubled, const char* shift) {
      std::string acc = fmt::format("r{}", 4 + channel);
      stage.instructions(code, acc, doubled, shift, "r12");
      code.op("strb {}, [r9], #1", acc);
    };
    for (int channel = 0; channel < channels; channel += 2) {
      if (!uniform) code.op("ldmia r3!, {{r0, r1, r10{}}}", linear ? ", r11" : "");
      output(channel, uniform ? "r10" : "r0", uniform ? "r11" : "r10");
      if (channel + 1 == channels) continue;
      if (!uniform && !linear) code.op("lsr r10, r10, #8");
      output(channel + 1, uniform ? "r10" : "r1", uniform || linear ? "r11" : "r10");
    }
  }

  const DenseShape& shape_;
  const DenseStages& stages_;
  DenseCode code_;
};

std::string plain_body(const DenseShape& shape, const DenseStages& stages) {
  return fmt::format(
      "  static const nibble_dense_s8_pairs_args args = {{{}, {}, {}}};\n"
      "  nibble_dense_s8_pairs(&args, src, dst, (int16_t *)scratch, stream);\n",
      stages.general.c_range(), stages.linear.linear_shift(), shape.uniform ? 1 : 0);
}

double predict_cycles(const DenseShape& shape, const DenseCode& code) {
  double groups = static_cast<double>(shape.out_len) / kChannels;
  double rounds = static_cast<double>(shape.steps()) / shape.unrolled_steps;
  double per_group = shape.steps() * thumb2_cycles(code.step) +
                     rounds * thumb2_cycles(code.round_end) + thumb2_cycles(code.group) + 10;
  return 80 + shape.in_len / 4.0 * thumb2_cycles(code.quad) + groups * per_group;
}

KernelVariant make_variant(const LayerView& layer, const DenseShape& shape,
                           const DenseStages& stages) {
  KernelVariant variant;
  DenseCode code = DenseWriter(shape, stages).write();
  CFunction function;
  function.name = fmt::format("nibble_dense_s8_dsp_{}_{}_l{}", shape.name(),
                              stages.general.name(true), stages.linear.linear_shift());
  function.comment = "dense, four channels at once";
  function.parameters = {"const int8_t *src", "int8_t *dst", "void *scratch",
                         "const uint32_t *stream"};
  function.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  function.body = code.all;
  function.plain_body = plain_body(shape, stages);
  variant.function = {function.name,
                      "dsp",
                      {"common/nibble_common.h", "common/requant.h", "common/output_s8.h",
                       "common/channel_pairs_s8.h", "dense/dense_s8_pairs.h"},
                      {"const int8_t *", "int8_t *", "void *"},
                      false,
                      function_text(function)};
  variant.packed = {{"stream", "uint32_t", DensePacker(layer, shape, stages.taken()).stream()}};
  variant.scratch_bytes = 4 * (shape.words() + 2);
  // All of the source is read before the first output is written.
  variant.progress = {{0, shape.in_len}};
  // A tap takes two bytes; it is written after its byte, and no later one, has been read.
  for (int tap = 0; tap < shape.in_len; ++tap)
    variant.scratch_progress.push_back({2 * tap, tap + 1});
  variant.cycles = predict_cycles(shape, code);
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_dense_s8_dsp(const LayerView& layer, const LowerOptions&) {
  std::vector<KernelVariant> variants;
  DenseShape shape{layer.int_field("in_len"), layer.int_field("out_len"),
                   layer.int_field("in_zero")};
  std::optional<OutputStage> own = OutputStage::of(layer);
  // A count or an offset beyond 16 bits has no short form; such layers do not fit a
  // microcontroller.
  bool small = shape.in_len < (1 << 16) && shape.out_len < (1 << 16);
  if (!own || !small || layer.field("rows") != 1) return variants;
  std::vector<AccumulatorRange> ranges = accumulator_ranges(
      layer.s8("filter"), layer.s32("bias"), static_cast<size_t>(shape.out_len), shape.in_zero);
  shape.uniform = own->uniform();
  // With one scale for all channels, a coarse one is enough; then large ones have the form, too.
  constexpr int kShifts[] = {1, 4, 7};
  for (int shift : kShifts) {
    std::optional<OutputStage> linear = own->linear(ranges, shift);
    if (!linear && shift != kShifts[0]) continue;
    DenseStages stages{own->general(), linear ? *linear : own->linear_text(shift),
                       linear.has_value()};
    for (int unrolled_steps : {4, 8}) {
      shape.unrolled_steps = unrolled_steps;
      variants.push_back(make_variant(layer, shape, stages));
    }
  }
  return variants;
}

}  // namespace nibble
