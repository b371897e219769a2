// The kernel of lower/scalar/depthwise_records.h on cores with Thumb-2: up to five pixels of a
// channel; the weights of a kernel row lie in registers, each element is loaded once for all of
// them. For four pixels of 3 x 3 at stride 1: 18 loads, 9 of weights, 36 multiply-accumulates and
// some 40 around them.
#include "lower/scalar/depthwise_records.h"

#include <algorithm>

#include "lower/thumb2/rescale.h"

namespace nibble {
namespace {

constexpr int kFirst = 4, kRegisters = 8;  // r4 to r11: weights of a row, then accumulators
constexpr int kMostShift = 3;              // of the index in the address of a load or store
// On the stack: from the end of a channel's window to its neighbour's first tap, the arguments.
constexpr int kBack = 0, kStreamEnd = 8 + 36, kPixelBytes = kStreamEnd + 4;

// A load's index register holds the bytes of a pixel, so from a base the columns 0, 1, 2, 4 and 8
// are within reach.
int shift_to(int distance) {
  for (int shift = 0; shift <= kMostShift; ++shift)
    if (distance == 1 << shift) return shift;
  return -1;
}

bool within_reach(int distance) { return distance == 0 || shift_to(distance) >= 0; }

// "[r0, lr, lsl #2]"
std::string address(const char* base, int distance) {
  if (distance == 0) return fmt::format("[{}]", base);
  int shift = shift_to(distance);
  return shift == 0 ? fmt::format("[{}, lr]", base) : fmt::format("[{}, lr, lsl #{}]", base, shift);
}

// r`to` += distance pixels.
void move_base(Assembly& code, const char* to, int distance) {
  for (int bit = 0, rest = std::abs(distance); rest >> bit != 0; ++bit)
    if (rest >> bit & 1)
      code.op("{0} {1}, {1}, lr, lsl #{2}", distance < 0 ? "sub" : "add", to, bit);
}

// Columns in the order of their loads, each from a base that moves by powers of two.
struct Load {
  int base = 0, column = 0;
};

std::vector<Load> loads_of(std::vector<int> columns) {
  std::vector<Load> loads;
  for (int base = 0;;) {
    std::erase_if(columns, [&](int column) {
      bool reached = within_reach(column - base);
      if (reached) loads.push_back({base, column});
      return reached;
    });
    if (columns.empty()) return loads;
    int best = base, most = 0;
    for (int step = 1; step <= 32; step *= 2)
      for (int next : {base + step, base - step}) {
        auto reached = static_cast<int>(std::ranges::count_if(
            columns, [&](int column) { return within_reach(column - next); }));
        if (reached > most) best = next, most = reached;
      }
    base = most > 0 ? best : columns.front();
  }
}

void output_s16(Assembly& code, const RecordsShape& shape, const std::string& acc,
                const std::string& doubled, const std::string& temp) {
  bool relu = shape.low == 0 && shape.high > 0;
  code.op("smull {}, r12, {}, {}", temp, acc, doubled);
  code.op("add r12, r12, {}, lsr #31", temp);
  code.op("{} r12, #{}, r12", relu ? "usat" : "ssat", relu ? 15 : 16);
  auto limit = [&](int value, const char* when) {
    code.op("movw {}, #{}", temp, value & 0xffff);
    if (value < 0) code.op("movt {}, #0xffff", temp);
    code.op("cmp r12, {}", temp);
    code.op("it {}", when);
    code.op("mov{} r12, {}", when, temp);
  };
  if (shape.low != -32768 && !relu) limit(shape.low, "lt");
  if (shape.high != 32767) limit(shape.high, "gt");
}

class Writer {
 public:
  Writer(const RecordsShape& shape, bool dsp) : shape_(shape), dsp_(dsp) {}

  // The words that rescale, and one register more, take the places of the weights.
  static bool fits(const RecordsShape& shape) {
    return shape.pixels + std::max(shape.k_w, words_of(shape) + 1) <= kRegisters;
  }

  // r0 source, r1 stream, r2 dst, r3 row_bytes less what a row of loads moves, lr pixel_bytes.
  RecordsKernel write() {
    Assembly& code = kernel_.code;
    const std::vector<Load> loads = loads_of(shape_.used_columns());
    code.op("push {{r4-r11, lr}}");
    code.op("sub sp, sp, #8");
    code.op("ldr lr, [sp, #{}]", kPixelBytes);
    code.op("mov r4, #{}", shape_.k_h - 1);
    code.op("mul r4, r4, r3");
    move_base(code, "r4", loads.back().base);
    move_base(code, "r3", -loads.back().base);
    code.op("sub r4, r4, #{}", shape_.elem_bytes);
    code.op("str r4, [sp, #{}]", kBack);
    code.label(1);
    const size_t before = code.count();
    code.op("ldr {}, [r1], #4", acc(0));
    for (int pixel = 1; pixel < shape_.pixels; ++pixel) code.op("mov {}, {}", acc(pixel), acc(0));
    for (int ky = 0; ky < shape_.k_h; ++ky) multiply_row(ky, loads);
    store();
    code.op("ldr r4, [sp, #{}]", kBack);
    code.op("ldr r5, [sp, #{}]", kStreamEnd);
    code.op("add r2, r2, #{}", shape_.elem_bytes);
    code.op("sub r0, r0, r4");
    code.op("cmp r1, r5");
    code.op("bne.w 1b");
    // Loads take two cycles.
    size_t all_loads = static_cast<size_t>(shape_.k_h) * (loads.size() + shape_.k_w) + 5;
    kernel_.cycles_per_record = static_cast<double>(code.count() - before + all_loads) + 2 +
                                (dsp_ ? 0 : shape_.taps() * shape_.pixels + 3 * shape_.pixels);
    code.op("add sp, sp, #8");
    code.op("pop {{r4-r11, pc}}");
    return std::move(kernel_);
  }

 private:
  std::string weight(int kx) const { return fmt::format("r{}", kFirst + kx); }
  std::string acc(int pixel) const { return fmt::format("r{}", kFirst + shape_.k_w + pixel); }

  void multiply_row(int ky, const std::vector<Load>& loads) {
    Assembly& code = kernel_.code;
    if (ky > 0) code.op("add r0, r0, r3");
    for (int kx = 0; kx < shape_.k_w; ++kx)
      code.op("ldrsb {}, [r1, #{}]", weight(kx), ky * shape_.k_w + kx);
    int base = 0;
    for (const Load& load : loads) {
      move_base(code, "r0", load.base - base);
      base = load.base;
      code.op("{} r12, {}", shape_.wide() ? "ldrsh" : "ldrsb", address("r0", load.column - base));
      for (int pixel = 0; pixel < shape_.pixels; ++pixel)
        if (int kx = shape_.tap_at(load.column, pixel); kx >= 0)
          code.op("mla {0}, r12, {1}, {0}", acc(pixel), weight(kx));
    }
  }

  // Words that rescale a channel.
  static int words_of(const RecordsShape& shape) { return shape.wide() ? 1 : shape.stage.words(); }

  // All outputs from the accumulators; r1 goes to the next record.
  void store() {
    Assembly& code = kernel_.code;
    code.op("add r1, r1, #{}", shape_.weight_bytes());
    std::vector<std::string> free;
    for (int i = 0; i < kRegisters; ++i)
      if (i < shape_.k_w || i >= shape_.k_w + shape_.pixels)
        free.push_back(fmt::format("r{}", kFirst + i));
    const auto count = static_cast<size_t>(words_of(shape_));
    const std::string& temp = free[count];
    std::string list = free[0];
    for (size_t i = 1; i < count; ++i) list += ", " + free[i];
    code.op("ldmia r1!, {{{}}}", list);
    for (int pixel = 0; pixel < shape_.pixels; ++pixel) {
      if (shape_.wide())
        output_s16(code, shape_, acc(pixel), free[0], temp);
      else
        rescale_loaded_thumb2(code, shape_.stage, acc(pixel), {free[0], free[1], free[2]}, temp,
                              "r12");
      // The fourth pixel from the second.
      if (pixel == 3) code.op("add {}, r2, lr", temp);
      code.op("{} r12, {}", shape_.wide() ? "strh" : "strb",
              pixel == 3 ? address(temp.c_str(), 2) : address("r2", pixel));
    }
  }

  const RecordsShape& shape_;
  bool dsp_;
  RecordsKernel kernel_;
};

// SMLAD code takes most layers of s8, and is faster where kernel rows come in pairs and the rows of
// neighbouring windows overlap.
bool taken_by_dsp(const LayerView& layer) {
  return layer.family() == "depthwise_conv2d_s8" && layer.field("batches") == 1 &&
         layer.field("in_c") >= 4 && layer.field("k_h") > 1 && layer.field("stride_h") < 3 &&
         layer.field("dilation_h") == 1 && layer.field("dilation_w") == 1;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_records_thumb2(const LayerView& layer,
                                                             const LowerOptions& options) {
  const bool dsp = has(options, Isa::kDsp);
  if (dsp && taken_by_dsp(layer)) return {};
  RecordsCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.forms = kThumb2Forms;
  core.most_pixels = 5;
  core.fit = {200, 1};
  core.kernel = [dsp](const RecordsShape& shape) {
    if (!Writer::fits(shape)) return std::optional<RecordsKernel>();
    return std::optional(Writer(shape, dsp).write());
  };
  return depthwise_records(layer, core);
}

}  // namespace nibble
