// The kernel of lower/scalar/depthwise_s16.h on cores with Thumb-2: up to four pixels of a channel;
// the weights of a kernel row lie in registers, each element is loaded once for all of them. For
// four pixels of 3 x 3 at stride 1: 18 loads, 9 of weights, 36 multiply-accumulates and some 30
// around them.
#include "lower/scalar/depthwise_s16.h"

namespace nibble {
namespace {

constexpr int kFirst = 5, kRegisters = 7;  // r5 to r11: weights of a row, then accumulators
constexpr int kReach = 4096;               // of a load's offset

// r0 source, r1 stream, r2 dst, r3 row_bytes; r4 the channel's first tap.
std::optional<DepthwiseKernel16> kernel(const DepthwiseShape16& shape) {
  if (shape.k_w + shape.pixels > kRegisters || shape.columns() * shape.column_bytes() > kReach)
    return std::nullopt;
  auto weight = [&](int kx) { return fmt::format("r{}", kFirst + kx); };
  auto acc = [&](int pixel) { return fmt::format("r{}", kFirst + shape.k_w + pixel); };
  DepthwiseKernel16 result;
  Assembly& code = result.code;
  code.op("push {{r4-r11, lr}}");
  code.op("mov r4, r0");
  code.label(1);
  size_t before = code.count();
  int loads = 0;
  code.op("mov r0, r4");
  code.op("ldr {}, [r1], #4", acc(0));
  for (int pixel = 1; pixel < shape.pixels; ++pixel) code.op("mov {}, {}", acc(pixel), acc(0));
  for (int ky = 0; ky < shape.k_h; ++ky) {
    if (ky > 0) code.op("add r0, r0, r3");
    for (int kx = 0; kx < shape.k_w; ++kx, ++loads)
      code.op("ldrsb {}, [r1, #{}]", weight(kx), ky * shape.k_w + kx);
    for (int column = 0; column < shape.columns(); ++column) {
      bool loaded = false;
      for (int pixel = 0; pixel < shape.pixels; ++pixel) {
        int kx = shape.tap_at(column, pixel);
        if (kx < 0) continue;
        if (!loaded) code.op("ldrsh r12, [r0, #{}]", column * shape.column_bytes());
        loads += !loaded;
        loaded = true;
        code.op("mla {0}, r12, {1}, {0}", acc(pixel), weight(kx));
      }
    }
  }
  code.op("ldr r5, [r1, #{}]", shape.weight_bytes());
  code.op("add r1, r1, #{}", shape.weight_bytes() + 4);
  bool relu = shape.low == 0 && shape.high > 0;
  for (int pixel = 0; pixel < shape.pixels; ++pixel) {
    code.op("smull lr, r12, {}, r5", acc(pixel));
    code.op("add r12, r12, lr, lsr #31");
    code.op("{} r12, #{}, r12", relu ? "usat" : "ssat", relu ? 15 : 16);
    auto limit = [&](int value, const char* when) {
      code.op("movw lr, #{}", value & 0xffff);
      if (value < 0) code.op("movt lr, #0xffff");
      code.op("cmp r12, lr");
      code.op("it {}", when);
      code.op("mov{} r12, lr", when);
    };
    if (shape.low != -32768 && !relu) limit(shape.low, "lt");
    if (shape.high != 32767) limit(shape.high, "gt");
    code.op("strh r12, [r2, #{}]", pixel * shape.column_bytes());
  }
  code.op("add r2, r2, #2");
  code.op("add r4, r4, #2");
  code.op("ldr lr, [sp, #36]");
  code.op("cmp r1, lr");
  code.op("bne.w 1b");
  result.cycles_per_record = static_cast<double>(code.count() - before) + loads +
                             shape.taps() * shape.pixels + 3 * shape.pixels + 4;
  code.op("pop {{r4-r11, pc}}");
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_s16_thumb2(const LayerView& layer,
                                                         const LowerOptions&) {
  DepthwiseCore16 core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.kernel = kernel;
  return depthwise_s16(layer, core);
}

}  // namespace nibble
