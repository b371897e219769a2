// The products of a convolution's assembly: all channel pairs of a block of pixels, from the sums
// and the window in scratch and the stream of weights to the outputs.
#include "lower/dsp/conv2d_frame.h"

namespace nibble {
namespace {

// Registers of the products: `pixels` T and B each, columns and weights; what rescales a pair.
struct Registers {
  std::vector<std::string> t, b, column, weight, rescale;
};
const Registers& registers_for(int pixels) {
  static const Registers three = {{"r8", "r9", "r10"},
                                  {"r11", "r12", "lr"},
                                  {"r0", "r1", "r2"},
                                  {"r3", "r4", "r5"},
                                  {"r3", "r4", "r5", "r7"}};
  static const Registers two = {{"r8", "r9"},
                                {"r10", "r11"},
                                {"r0", "r1", "r2", "r3", "r12"},
                                {"r4", "r5", "lr"},
                                {"r4", "r5", "r7", "lr"}};
  static const Registers one = {{"r8"},
                                {"r9"},
                                {"r0", "r1", "r2", "r3", "r12"},
                                {"r4", "r5", "lr"},
                                {"r4", "r5", "r7", "lr"}};
  return pixels == 3 ? three : pixels == 2 ? two : one;
}

// Loads `count` registers of `list` from `first` on, at `pointer`, and moves it on.
void load_next(Assembly& code, const std::string& pointer, const std::vector<std::string>& list,
               size_t first, size_t count) {
  if (count == 1) {
    code.op("ldr {}, [{}], #4", list[first], pointer);
    return;
  }
  std::string names;
  for (size_t i = first; i < first + count; ++i) names += (names.empty() ? "" : ", ") + list[i];
  code.op("ldmia {}!, {{{}}}", pointer, names);
}

class ProductWriter {
 public:
  ProductWriter(const ConvText& text, const OutputStage& stage, int pixels)
      : text_(text), stage_(stage), pixels_(pixels), registers_(registers_for(pixels)) {}

  // All channel pairs of a block of `pixels_`.
  void write(Assembly& code, Assembly& round, Assembly& rest, Assembly& pair) {
    code.label(kPairLoop);
    Assembly begin = pair_begin();
    code.append(begin);
    if (text_.entry) enter_loop(code);
    if (text_.looped) code.label(kTapLoop);
    multiply(round, text_.unroll);
    if (text_.looped) {
      load(round, "r0", kLoopEnd);
      round.op("cmp r7, r0");
      round.op("bne.w {}b", int{kTapLoop});
    }
    multiply(rest, text_.rest);
    code.append(round);
    code.append(rest);
    Assembly end = pair_end();
    code.append(end);
    pair.append(begin);
    pair.append(end);
  }

 private:
  // Into the loop at one of its pairs of words.
  void enter_loop(Assembly& code) {
    load(code, "r0", kEntry);
    code.op("tbh [pc, r0, lsl #1]");
    code.label(kEntryTable);
    for (int entry = 0; entry < text_.unroll / 2; ++entry)
      code.op(".short ({}f - {}b) / 2", kFirstEntry + entry, int{kEntryTable});
  }

  Assembly pair_begin() {
    const Registers& r = registers_;
    Assembly code;
    if (text_.skips_rows())
      code.op("ldrd r7, r0, [sp, #{}]", int{kProducts});
    else
      load(code, "r7", kProducts);
    code.op("ldmia r6!, {{{}, {}}}", r.t[0], r.b[0]);
    if (text_.skips_rows()) code.op("add r6, r6, r0");
    if (!text_.wide) code.op("ldmia r7!, {{r0-r2}}");
    for (int p = pixels_ - 1; p >= 0; --p) {
      auto pixel = static_cast<size_t>(p);
      if (!text_.wide)
        code.op("sub {}, {}, {}, lsl #7", r.t[pixel], r.t[0], r.column[pixel]);
      else if (p > 0)
        code.op("mov {}, {}", r.t[pixel], r.t[0]);
      if (p > 0) code.op("mov {}, {}", r.b[pixel], r.b[0]);
    }
    return code;
  }

  Assembly pair_end() {
    const Registers& r = registers_;
    Assembly code;
    bool linear = stage_.is_linear();
    if (text_.skips_rows()) {
      load(code, "r0", kBottomSkip);
      code.op("add r6, r6, r0");
    }
    const std::string &a = r.rescale[0], &b = r.rescale[1], &last = r.rescale[linear ? 3 : 2];
    code.op("ldmia r6!, {{{}, {}, {}{}}}", a, b, r.rescale[2], linear ? ", " + last : "");
    code.op("ldmia sp, {{r0, r1{}}}", linear ? "" : ", r2");
    for (size_t pixel = 0; pixel < static_cast<size_t>(pixels_) && !text_.wide; ++pixel)
      code.op("sub {0}, {0}, {1}, lsl #8", r.t[pixel], r.b[pixel]);
    outputs(code, r.t, a, r.rescale[2]);
    if (!linear) code.op("lsr {0}, {0}, #8", last);
    outputs(code, r.b, b, last);
    // The flags of the pair: carry: there is a channel b; negative: it is the last one. A missing
    // channel b is written where a comes to stand.
    code.op("lsls r2, {}, #{}", r.rescale[2], linear ? 31 : 9);
    code.op("adc r2, r0, #0");
    store_pixels(code, r.b, "r2");
    store_pixels(code, r.t, "r0");
    store(code, "r0", kDst);
    code.op("bpl.w {}b", int{kPairLoop});
    return code;
  }

  void outputs(Assembly& code, const std::vector<std::string>& acc, const std::string& doubled,
               const std::string& shift) {
    for (int p = 0; p < pixels_; ++p)
      stage_.instructions(code, acc[static_cast<size_t>(p)], doubled, shift, "r2");
  }

  // To `pointer`, which moves on to the next pair.
  void store_pixels(Assembly& code, const std::vector<std::string>& acc,
                    const std::string& pointer) {
    if (pixels_ > 1) code.op("strb {}, [{}, r1]", acc[1], pointer);
    if (pixels_ > 2) code.op("strb {}, [{}, r1, lsl #1]", acc[2], pointer);
    code.op("strb {}, [{}], #2", acc[0], pointer);
  }

  // Hands out the words of weights at r6 in order, loading some at a time.
  struct Weights {
    const Registers& r;
    size_t left, held = 0, used = 0;
    const std::string& next(Assembly& code, size_t at_a_time) {
      if (used == held) {
        held = std::min(at_a_time, left);
        left -= held;
        used = 0;
        load_next(code, "r6", r.weight, 0, held);
      }
      return r.weight[used++];
    }
  };

  // The products of `units`: window at r7, weights at r6.
  void multiply(Assembly& code, int units) {
    const Registers& r = registers_;
    Weights weights{r, static_cast<size_t>(units * text_.taps() * (text_.wide ? 2 : 1))};
    for (int unit = 0; unit < units; ++unit) {
      if (text_.entry && unit % 2 == 0) code.label(kFirstEntry + unit / 2);
      for (int phase = 0; phase < text_.phases(); ++phase) {
        auto columns = static_cast<size_t>(text_.phase_columns(phase));
        size_t loaded = 0, ring = r.column.size();
        for (size_t tap = 0; tap < static_cast<size_t>(text_.phase_taps(phase)); ++tap) {
          while (loaded < tap + static_cast<size_t>(pixels_)) {
            size_t end = std::min({columns, tap + ring, (loaded / ring + 1) * ring});
            load_next(code, "r7", r.column, loaded % ring, end - loaded);
            loaded = end;
          }
          multiply_tap(code, tap, weights);
        }
        if (loaded < columns) code.op("add r7, r7, #{}", 4 * (columns - loaded));
      }
    }
  }

  void multiply_tap(Assembly& code, size_t tap, Weights& weights) {
    const Registers& r = registers_;
    size_t ring = r.column.size(), at_a_time = text_.entry ? 2 : 3;
    auto all = [&](const std::vector<std::string>& acc, const std::string& weight) {
      for (size_t p = 0; p < static_cast<size_t>(pixels_); ++p)
        code.op("smlad {0}, {1}, {2}, {0}", acc[p], r.column[(tap + p) % ring], weight);
    };
    const std::string& weight = weights.next(code, at_a_time);
    all(r.t, weight);
    if (text_.wide) {
      all(r.b, weights.next(code, at_a_time));
    } else {
      code.op("sxtb16 {0}, {0}, ror #8", weight);
      all(r.b, weight);
    }
  }

  const ConvText& text_;
  const OutputStage& stage_;
  int pixels_;
  const Registers& registers_;
};

}  // namespace

void write_products(const ConvText& text, const OutputStage& stage, int pixels, Assembly& code,
                    Assembly& round, Assembly& rest, Assembly& pair) {
  ProductWriter(text, stage, pixels).write(code, round, rest, pair);
}

}  // namespace nibble
