// The kernel of lower/scalar/depthwise_s16.h on RV32IM: up to four pixels of a channel; the weights
// of a kernel row lie in registers, each element is loaded once for all of them.
#include "lower/scalar/depthwise_s16.h"

#include <algorithm>

namespace nibble {
namespace {

constexpr int kMostColumns = 5;  // of a filter
constexpr int kReach = 2048;     // of a load's offset, either way
constexpr const char* kWeights[] = {"s4", "s5", "s6", "s7", "s8"};
constexpr const char* kAccs[] = {"t3", "t4", "t5", "t6"};

// a0 source, a1 stream, a2 dst, a3 row_bytes, a4 stream_end; a5 the middle of the channel's window,
// a6 and a7 the limits.
std::optional<DepthwiseKernel16> kernel(const DepthwiseShape16& shape) {
  int middle = shape.columns() / 2;
  if (shape.k_w > kMostColumns || (shape.columns() - middle) * shape.column_bytes() >= kReach ||
      middle * shape.column_bytes() > kReach || shape.pixels * shape.column_bytes() >= kReach)
    return std::nullopt;
  DepthwiseKernel16 result;
  Assembly& code = result.code;
  code.op("addi sp, sp, -32");
  for (int kx = 0; kx < shape.k_w; ++kx) code.op("sw {}, {}(sp)", kWeights[kx], 4 * kx);
  code.op("li a6, {}", shape.low);
  code.op("li a7, {}", shape.high);
  code.op("addi a5, a0, {}", middle * shape.column_bytes());
  code.label(1);
  size_t before = code.count();
  code.op("mv a0, a5");
  for (int pixel = 0; pixel < shape.pixels; ++pixel) code.op("lw {}, 0(a1)", kAccs[pixel]);
  for (int ky = 0; ky < shape.k_h; ++ky) {
    if (ky > 0) code.op("add a0, a0, a3");
    for (int kx = 0; kx < shape.k_w; ++kx)
      code.op("lb {}, {}(a1)", kWeights[kx], 4 + ky * shape.k_w + kx);
    for (int column = 0; column < shape.columns(); ++column) {
      bool loaded = false;
      for (int pixel = 0; pixel < shape.pixels; ++pixel) {
        int kx = shape.tap_at(column, pixel);
        if (kx < 0) continue;
        if (!loaded) code.op("lh t0, {}(a0)", (column - middle) * shape.column_bytes());
        loaded = true;
        code.op("mul t1, t0, {}", kWeights[kx]);
        code.op("add {0}, {0}, t1", kAccs[pixel]);
      }
    }
  }
  code.op("lw t2, {}(a1)", 4 + shape.weight_bytes());
  code.op("addi a1, a1, {}", 8 + shape.weight_bytes());
  for (int pixel = 0; pixel < shape.pixels; ++pixel) {
    code.op("mul t0, {}, t2", kAccs[pixel]);
    code.op("mulh t1, {}, t2", kAccs[pixel]);
    code.op("srli t0, t0, 31");
    code.op("add t0, t0, t1");
    code.op("bge t0, a6, 2f");
    code.op("mv t0, a6");
    code.label(2);
    code.op("ble t0, a7, 2f");
    code.op("mv t0, a7");
    code.label(2);
    code.op("sh t0, {}(a2)", pixel * shape.column_bytes());
  }
  code.op("addi a2, a2, 2");
  code.op("addi a5, a5, 2");
  code.op("beq a1, a4, 3f");
  code.op("j 1b");
  code.label(3);
  result.cycles_per_record = static_cast<double>(code.count() - before);
  for (int kx = 0; kx < shape.k_w; ++kx) code.op("lw {}, {}(sp)", kWeights[kx], 4 * kx);
  code.op("addi sp, sp, 32");
  code.op("ret");
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_s16_rv32(const LayerView& layer,
                                                       const LowerOptions& options) {
  // Vectors do it.
  if (has(options, Isa::kRvv)) return {};
  DepthwiseCore16 core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.kernel = kernel;
  return depthwise_s16(layer, core);
}

}  // namespace nibble
