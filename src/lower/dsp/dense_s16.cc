// dense_s16s8 of few rows on cores with 16-bit multiply-accumulate pairs (SMLAD): four output
// channels at once, whose weights stand in channel pairs; the source is read as it is. Per eight
// inputs of four channels: one load of the source, two of weights, eight unpackings, sixteen SMLAD:
// 27 instructions for 32 multiply-accumulates. kernels/dense/dense_s16s8_lanes.h has the stream.
#include "dense/dense_s16s8_lanes.h"
#include "lower/dsp/output_s16.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"
#include "lower/variant.h"

namespace nibble {
namespace {

struct DenseLayer16 {
  int rows = 1, in_len = 0, out_len = 0;
  std::span<const int8_t> filter;
  int steps() const { return (in_len + NIBBLE_LANES_STEP - 1) / NIBBLE_LANES_STEP; }
  int groups() const { return (out_len + NIBBLE_LANES_CHANNELS - 1) / NIBBLE_LANES_CHANNELS; }
  uint32_t weight(int channel, int tap) const {
    if (channel >= out_len || tap >= in_len) return 0;
    return static_cast<uint32_t>(int32_t{filter[static_cast<size_t>(channel * in_len + tap)]});
  }
};

enum Slot { kDst = 0, kSrc = 4, kSum = 8, kSrcEnd = 12, kFrameBytes = 16 };
enum Label { kGroupLoop = 1, kTapLoop, kSumLoop };
constexpr int kSavedBytes = 36, kStreamEnd = kFrameBytes + kSavedBytes;

struct DenseCode16 {
  Assembly all;
  Assembly sum_round, round, group;  // parts of it, for the estimate
};

// r0 src, r1 stream, r2 dst, r3 src_end; stream_end on the stack. In the loops: r2 source, r3
// stream, T of the two pairs in r4 and r6, B in r5 and r7; words of the source in r8 to r11, of
// weights in r0 r1 r12 lr.
class DenseWriter16 {
 public:
  DenseWriter16(int unroll, const OutputStage16& stage) : unroll_(unroll), stage_(stage) {}

  DenseCode16 write() {
    Assembly& code = code_.all;
    code.op("push {{r4-r11, lr}}");
    code.op("sub sp, sp, #{}", int{kFrameBytes});
    code.op("str r2, [sp, #{}]", int{kDst});
    code.op("str r0, [sp, #{}]", int{kSrc});
    code.op("str r3, [sp, #{}]", int{kSrcEnd});
    sums();
    code.op("mov r3, r1");
    code.label(kGroupLoop);
    Assembly begin, end;
    begin.op("ldmia r3!, {{r4-r7}}");
    begin.op("ldr r2, [sp, #{}]", int{kSrc});
    code.append(begin);
    code.label(kTapLoop);
    for (int step = 0; step < unroll_; ++step) multiply_step();
    code_.round.op("ldr r0, [sp, #{}]", int{kSrcEnd});
    code_.round.op("cmp r2, r0");
    code_.round.op("bne.w {}b", int{kTapLoop});
    code.append(code_.round);
    finish(end);
    code.append(end);
    code_.group.append(begin);
    code_.group.append(end);
    code.op("add sp, sp, #{}", int{kFrameBytes});
    code.op("pop {{r4-r11, pc}}");
    return std::move(code_);
  }

 private:
  // 128 times the sum of the source.
  void sums() {
    Assembly& code = code_.all;
    code.op("mov r5, #0x00800080");
    code.op("mov r4, #0");
    code.label(kSumLoop);
    code_.sum_round.op("ldmia r0!, {{r8-r11}}");
    for (int i = 8; i < 12; ++i) code_.sum_round.op("smlad r4, r{}, r5, r4", i);
    code_.sum_round.op("cmp r0, r3");
    code_.sum_round.op("bne {}b", int{kSumLoop});
    code.append(code_.sum_round);
    code.op("str r4, [sp, #{}]", int{kSum});
  }

  void multiply_step() {
    static const char* const kWeights[] = {"r0", "r1", "r12", "lr"};
    Assembly& code = code_.round;
    code.op("ldmia r2!, {{r8-r11}}");
    for (int i = 0; i < 8; ++i) {
      if (i % 4 == 0) code.op("ldmia r3!, {{r0, r1, r12, lr}}");
      const char* lanes = kWeights[i % 4];
      int source = 8 + i / 2, t = 4 + 2 * (i % 2);
      code.op("smlad r{0}, r{1}, {2}, r{0}", t, source, lanes);
      code.op("sxtb16 {0}, {0}, ror #8", lanes);
      code.op("smlad r{0}, r{1}, {2}, r{0}", t + 1, source, lanes);
    }
  }

  void finish(Assembly& code) {
    code.op("ldr r8, [sp, #{}]", int{kSum});
    for (int pair = 0; pair < 2; ++pair) {
      code.op("sub r{0}, r{0}, r{1}, lsl #8", 4 + 2 * pair, 5 + 2 * pair);
      code.op("sub r{0}, r{0}, r8", 4 + 2 * pair);
    }
    code.op("ldmia r3!, {{r8-r12}}");
    for (int channel = 0; channel < NIBBLE_LANES_CHANNELS; ++channel) {
      stage_.instructions(code, fmt::format("r{}", 4 + channel), fmt::format("r{}", 8 + channel),
                          "r12");
      if (!stage_.reduced() && channel + 1 < NIBBLE_LANES_CHANNELS) code.op("lsr r12, r12, #8");
    }
    code.op("ldr r0, [sp, #{}]", int{kDst});
    code.op("ldr r1, [sp, #{}]", kStreamEnd);
    for (int channel = 0; channel < NIBBLE_LANES_CHANNELS; ++channel)
      code.op("strh r{}, [r0], #2", 4 + channel);
    code.op("str r0, [sp, #{}]", int{kDst});
    code.op("cmp r3, r1");
    code.op("bne.w {}b", int{kGroupLoop});
  }

  int unroll_;
  const OutputStage16& stage_;
  DenseCode16 code_;
};

std::vector<uint8_t> pack(const DenseLayer16& layer, const OutputStage16& stage) {
  std::vector<uint8_t> stream;
  auto bias = [&](int channel) -> uint32_t {
    return channel < layer.out_len ? static_cast<uint32_t>(stage.bias(static_cast<size_t>(channel)))
                                   : 0;
  };
  for (int first = 0; first < layer.out_len; first += NIBBLE_LANES_CHANNELS) {
    for (int a = first; a < first + NIBBLE_LANES_CHANNELS; a += 2) {
      put_word(stream, bias(a) + 256 * bias(a + 1));
      put_word(stream, bias(a + 1));
    }
    for (int word = 0; word < layer.steps() * NIBBLE_LANES_STEP / 2; ++word)
      for (int a = first; a < first + NIBBLE_LANES_CHANNELS; a += 2) {
        uint32_t halves[2];
        for (int lane = 0; lane < 2; ++lane) {
          int tap = 2 * word + lane;
          halves[lane] = (256 * layer.weight(a + 1, tap) + layer.weight(a, tap) + 128) & 0xffff;
        }
        put_word(stream, halves[0] | halves[1] << 16);
      }
    uint32_t shifts = 0;
    for (int i = 0; i < NIBBLE_LANES_CHANNELS; ++i) {
      bool present = first + i < layer.out_len;
      auto channel = static_cast<size_t>(first + i);
      put_word(stream, present ? stage.doubled(channel) : 0);
      shifts |= (present ? stage.shift(channel) : 0) << (8 * i);
    }
    put_word(stream, shifts);
  }
  return stream;
}

KernelVariant make_variant(const DenseLayer16& layer, int unroll, const OutputStage16& stage) {
  DenseCode16 code = DenseWriter16(unroll, stage).write();
  CFunction kernel;
  kernel.name = fmt::format("nibble_dense_s16s8_dsp_groups_u{}_{}", unroll, stage.name());
  kernel.comment = "dense of s16, four channels at once";
  kernel.parameters = {"const int16_t *src", "const uint32_t *stream", "int16_t *dst",
                       "const int16_t *src_end", "const uint32_t *stream_end"};
  kernel.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  kernel.body = code.all;
  kernel.plain_body = fmt::format(
      "  static const nibble_pairs_s16_args args = {{{}, {}}};\n"
      "  nibble_dense_s16s8_lanes_groups(&args, src, stream, dst, src_end, stream_end);\n",
      int{NIBBLE_PAIRS_LANES}, stage.c_fields());
  KernelVariant variant;
  variant.packed = {{"stream", "uint32_t", pack(layer, stage)}};
  bool padded = layer.in_len % NIBBLE_LANES_STEP != 0;
  std::string args =
      fmt::format("{}, {}, {}, {}", layer.rows, layer.in_len, layer.out_len,
                  variant.packed[0].bytes.size() / 4 / static_cast<size_t>(layer.groups()));
  std::string guard = "NIBBLE_HAS_" + kernel.name.substr(7);
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_dense_s16s8_dsp_lanes_{}x{}_{}", layer.in_len, layer.out_len,
                              text_hash(args + kernel.name));
  function.isa = "dsp";
  function.files = {"common/nibble_common.h",   "common/requant.h",
                    "common/output_s16.h",      "common/copy_s8.h",
                    "common/window_s16.h",      "conv2d/conv2d_s16s8_pairs.h",
                    "dense/dense_s16s8_lanes.h"};
  function.parameters = {"const int16_t *", "int16_t *"};
  if (padded) function.parameters.push_back("void *");
  function.text = fmt::format(
      "#ifndef {0}\n#define {0}\n{1}#endif\n"
      "static void {2}(\n    const int16_t *src, int16_t *dst,{3} const uint32_t *stream) {{\n"
      "  static const nibble_dense_s16s8_lanes_args args = {{{4}}};\n"
      "  nibble_dense_s16s8_lanes(&args, {5}, src, dst,\n"
      "                           {6}, stream);\n}}\n",
      guard, function_text(kernel), function.name, padded ? " void *scratch," : "", args,
      kernel.name, padded ? "(int16_t *)scratch" : "NULL");
  if (padded) variant.scratch_bytes = int64_t{layer.steps()} * NIBBLE_LANES_STEP * 2;
  double row =
      80 + layer.steps() * thumb2_cycles(code.sum_round) +
      layer.groups() * (thumb2_cycles(code.group) +
                        static_cast<double>(layer.steps()) / unroll * thumb2_cycles(code.round));
  variant.cycles = layer.rows * (row + (padded ? layer.in_len : 0));
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2 + 100;
  return variant;
}

}  // namespace

std::vector<KernelVariant> generate_dense_s16s8_dsp(const LayerView& view, const LowerOptions&) {
  DenseLayer16 layer{view.int_field("rows"), view.int_field("in_len"), view.int_field("out_len"),
                     view.s8("filter")};
  auto channel_of = [&](size_t index) {
    return static_cast<int>(index / static_cast<size_t>(layer.in_len));
  };
  std::optional<OutputStage16> stage = OutputStage16::of(view, layer.out_len, channel_of);
  if (!stage) return {};
  std::vector<KernelVariant> variants;
  for (int unroll : {1, 2, 4})
    if (layer.steps() % unroll == 0) variants.push_back(make_variant(layer, unroll, *stage));
  return variants;
}

}  // namespace nibble
