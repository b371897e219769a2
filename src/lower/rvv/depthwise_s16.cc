// The kernel of lower/scalar/depthwise_records.h on cores with RISC-V vectors: 32 channels of two
// pixels, or 16 of four; of a tap, weights are loaded and widened for all pixels, and each pixel's
// channels are one load and one VWMACC.
#include "lower/scalar/depthwise_records.h"

namespace nibble {
namespace {

// a0 source, a1 stream, a2 dst, a3 row_bytes, a5 pixel_bytes.
std::optional<RecordsKernel> kernel(const RecordsShape& shape) {
  const int lanes = shape.lanes, wide = lanes / 4;  // registers of 32-bit lanes
  if (shape.pixels > (lanes == 32 ? 2 : 4)) return std::nullopt;
  // Two sets of 16-bit lanes beside the weights: those widened, those of the source.
  const std::string widened = lanes == 32 ? "v4" : "v2", elems = lanes == 32 ? "v24" : "v4";
  auto acc = [&](int pixel) { return fmt::format("v{}", 8 + pixel * wide); };
  RecordsKernel result;
  Assembly& code = result.code;
  auto set = [&](int bits) {
    code.op("vsetvli zero, t2, e{}, m{}, ta, ma", bits, bits == 32 ? wide : wide / 2);
  };
  code.op("srli t1, a5, 1");
  for (auto [to, columns] : {std::pair{"t0", shape.dilation_w}, std::pair{"t5", shape.stride_w},
                             std::pair{"t6", shape.k_w * shape.dilation_w}}) {
    code.op("li {}, {}", to, columns);
    code.op("mul {0}, {0}, a5", to);
  }
  code.op("sub t6, a3, t6");
  code.op("li a6, {}", shape.low);
  code.op("li a7, {}", shape.high);
  code.op("csrwi vxrm, 0");
  code.label(1);
  size_t before = code.count();
  code.op("li t2, {}", lanes);
  code.op("bgeu t1, t2, 2f");
  code.op("mv t2, t1");
  code.label(2);
  set(32);
  code.op("vle32.v v8, (a1)");
  code.op("addi a1, a1, {}", 4 * lanes);
  for (int pixel = 1; pixel < shape.pixels; ++pixel) code.op("vmv.v.v {}, v8", acc(pixel));
  set(16);
  code.op("mv t3, a0");
  for (int ky = 0; ky < shape.k_h; ++ky) {
    for (int kx = 0; kx < shape.k_w; ++kx) {
      code.op("vle8.v v0, (a1)");
      code.op("addi a1, a1, {}", lanes);
      code.op("vsext.vf2 {}, v0", widened);
      for (int pixel = 0; pixel < shape.pixels; ++pixel) {
        if (pixel > 0) code.op("add t4, {}, t5", pixel == 1 ? "t3" : "t4");
        code.op("vle16.v {}, ({})", elems, pixel == 0 ? "t3" : "t4");
        code.op("vwmacc.vv {}, {}, {}", acc(pixel), elems, widened);
      }
      code.op("add t3, t3, t0");
    }
    if (ky + 1 < shape.k_h) code.op("add t3, t3, t6");
  }
  set(32);
  code.op("vle32.v v0, (a1)");
  code.op("addi a1, a1, {}", 4 * lanes);
  code.op("vsrl.vi v0, v0, 1");
  for (int pixel = 0; pixel < shape.pixels; ++pixel) code.op("vsmul.vv {0}, {0}, v0", acc(pixel));
  set(16);
  code.op("mv t3, a2");
  for (int pixel = 0; pixel < shape.pixels; ++pixel) {
    code.op("vnclip.wi v0, {}, 0", acc(pixel));
    code.op("vmax.vx v0, v0, a6");
    code.op("vmin.vx v0, v0, a7");
    code.op("vse16.v v0, (t3)");
    if (pixel + 1 < shape.pixels) code.op("add t3, t3, a5");
  }
  code.op("slli t3, t2, 1");
  code.op("add a0, a0, t3");
  code.op("add a2, a2, t3");
  code.op("sub t1, t1, t2");
  code.op("beqz t1, 3f");
  code.op("j 1b");
  code.label(3);
  result.cycles_per_record = static_cast<double>(code.count() - before);
  code.op("ret");
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_s16_rvv(const LayerView& layer, const LowerOptions&) {
  RecordsCore core;
  core.isa = "rvv";
  core.condition = "defined(__riscv_v)";
  core.lanes = {16, 32};
  core.kernel = kernel;
  core.fit = {100, 1};
  return depthwise_records(layer, core);
}

}  // namespace nibble
