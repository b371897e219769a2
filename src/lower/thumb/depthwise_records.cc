// The kernel of lower/scalar/depthwise_records.h on ARMv6-M: up to four pixels of a channel, whose
// accumulators lie in high registers, to which ADD may add. The weights of a kernel row lie in
// three low ones, and each element is loaded once for all pixels; of wider rows one weight after
// the other is multiplied with all pixels. For s16, (acc * d + 2^30) >> 31 with d = doubled / 2
// comes from products of 16 bits, as nibble_high_mul_s16 in kernels/common/rescale_s16.h.
#include "lower/scalar/depthwise_records.h"

#include "lower/thumb/rescale.h"

namespace nibble {
namespace {

constexpr const char* kAccs[] = {"r8", "r9", "r10", "r11"};
constexpr int kMostColumns = 3;  // of a filter that lies in registers: r5 to r7
// On the stack: the channel's first tap, dst, from a row's last load to the next row; of wide rows
// from pixel to pixel, and from a tap's last pixel to the next tap; the limits of s16.
enum Slot {
  kSrc = 0,
  kDst = 8,
  kRowStep = 12,
  kLow = 16,
  kHigh = 20,
  kPixelStep = 24,
  kTapStep = 28,
  kFrameBytes = 32
};
constexpr int kStreamEnd = kFrameBytes + 16 + 20, kPixelBytes = kStreamEnd + 4;

void load_constant(Assembly& code, const char* to, int value) {
  code.op("movs {}, #{}", to, value >> 8 & 255);
  code.op("lsls {0}, {0}, #8", to);
  code.op("adds {0}, {0}, #{1}", to, value & 255);
}

bool one_by_one(const RecordsShape& shape) { return shape.k_w > kMostColumns; }

void begin(const RecordsShape& shape, Assembly& code) {
  code.op("push {{r4-r7, lr}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 4 + i, 8 + i);
  code.op("push {{r4-r7}}");
  code.op("sub sp, sp, #{}", kFrameBytes - 16);
  code.op("push {{r0-r3}}");
  code.op("ldr r4, [sp, #{}]", kPixelBytes);
  code.op("mov r12, r4");
  load_constant(code, "r5", shape.columns() - 1);
  code.op("muls r4, r5, r4");
  code.op("subs r3, r3, r4");
  code.op("str r3, [sp, #{}]", int{kRowStep});
  if (one_by_one(shape)) {
    const int pixels = (shape.pixels - 1) * shape.stride_w;
    for (auto [slot, columns] :
         {std::pair{kPixelStep, shape.stride_w}, std::pair{kTapStep, shape.dilation_w - pixels}}) {
      code.op("mov r4, r12");
      code.op("movs r5, #{}", std::abs(columns));
      code.op("muls r4, r5, r4");
      if (columns < 0) code.op("rsbs r4, r4, #0");
      code.op("str r4, [sp, #{}]", int{slot});
    }
  }
  if (!shape.wide()) return;
  for (auto [slot, limit] : {std::pair{kLow, shape.low}, std::pair{kHigh, shape.high}}) {
    load_constant(code, "r4", limit & 0xffff);
    code.op("sxth r4, r4");
    code.op("str r4, [sp, #{}]", int{slot});
  }
  code.op("movs r4, #0x40");
  code.op("lsls r4, r4, #8");
  code.op("mov lr, r4");
}

// r2 := acc * d + 2^30 >> 31; r5, r6 the halves of d, r3, r4, r7 free.
void rescale_s16(Assembly& code, const char* acc) {
  code.op("mov r2, {}", acc);
  code.op("uxth r3, r2");
  code.op("asrs r2, r2, #16");
  code.op("movs r4, r3");
  code.op("muls r4, r5, r4");
  code.op("lsrs r4, r4, #16");
  code.op("movs r7, r2");
  code.op("muls r7, r5, r7");
  code.op("adds r4, r4, r7");
  code.op("muls r3, r6, r3");
  code.op("muls r2, r6, r2");
  code.op("uxth r7, r4");
  code.op("adds r3, r3, r7");
  code.op("add r3, lr");
  code.op("asrs r4, r4, #16");
  code.op("adds r2, r2, r4");
  code.op("lsls r2, r2, #1");
  code.op("lsrs r3, r3, #15");
  code.op("adds r2, r2, r3");
}

void multiply_row(const RecordsShape& shape, int ky, Assembly& code) {
  for (int kx = 0; kx < shape.k_w; ++kx) {
    code.op("ldrb r{}, [r1, #{}]", 5 + kx, ky * shape.k_w + kx);
    code.op("sxtb r{0}, r{0}", 5 + kx);
  }
  for (int column = 0; column < shape.columns(); ++column) {
    std::vector<std::pair<int, int>> uses;  // pixel, weight
    for (int pixel = 0; pixel < shape.pixels; ++pixel)
      if (int kx = shape.tap_at(column, pixel); kx >= 0) uses.emplace_back(pixel, kx);
    if (!uses.empty()) code.op("{} r2, [r0, r4]", shape.wide() ? "ldrsh" : "ldrsb");
    for (size_t i = 0; i < uses.size(); ++i) {
      bool last = i + 1 == uses.size();
      if (!last) code.op("movs r3, r2");
      code.op("muls r{0}, r{1}, r{0}", last ? 2 : 3, 5 + uses[i].second);
      code.op("add {}, r{}", kAccs[uses[i].first], last ? 2 : 3);
    }
    if (column + 1 < shape.columns()) code.op("add r0, r12");
  }
}

// From here on r1 is the record's words, r0 the first pixel of dst.
void store_s16(const RecordsShape& shape, Assembly& code) {
  code.op("ldmia r1!, {{r5}}");
  code.op("lsrs r5, r5, #1");
  code.op("lsrs r6, r5, #16");
  code.op("uxth r5, r5");
  for (int pixel = 0; pixel < shape.pixels; ++pixel) {
    if (pixel > 0) code.op("add r0, r12");
    rescale_s16(code, kAccs[pixel]);
    for (auto [slot, fits] : {std::pair{kLow, "bge"}, std::pair{kHigh, "ble"}}) {
      code.op("ldr r4, [sp, #{}]", int{slot});
      code.op("cmp r2, r4");
      code.op("{} 2f", fits);
      code.op("mov r2, r4");
      code.label(2);
    }
    code.op("strh r2, [r0]");
  }
}

void store_s8(const RecordsShape& shape, Assembly& code) {
  bool single = shape.stage.form == RescaleForm::kSingle;
  if (single)
    rescale_begin_single_thumb(code);
  else
    code.op("movs r7, r1");
  for (int pixel = 0; pixel < shape.pixels; ++pixel) {
    if (pixel > 0) code.op("add r0, r12");
    if (single) {
      rescale_single_thumb(code, kAccs[pixel]);
    } else {
      if (pixel > 0) code.op("movs r1, r7");
      code.op("mov r6, {}", kAccs[pixel]);
      rescale_thumb(code, shape.stage, 6);
    }
    code.op("strb r2, [r0]");
  }
}

// The same, one weight after the other: r5, r6 from pixel to pixel, r7 from tap to tap.
void multiply_wide_row(const RecordsShape& shape, int ky, Assembly& code) {
  for (int kx = 0; kx < shape.k_w; ++kx) {
    code.op("ldrb r5, [r1, #{}]", ky * shape.k_w + kx);
    code.op("sxtb r5, r5");
    for (int pixel = 0; pixel < shape.pixels; ++pixel) {
      if (pixel > 0) code.op("adds r0, r0, r6");
      code.op("{} r2, [r0, r4]", shape.wide() ? "ldrsh" : "ldrsb");
      code.op("muls r2, r5, r2");
      code.op("add {}, r2", kAccs[pixel]);
    }
    if (kx + 1 < shape.k_w) code.op("adds r0, r0, r7");
  }
}

// r0 source, r1 stream, r2 dst, r3 row_bytes; stream_end and pixel_bytes on the stack. r12 bytes of
// a pixel, lr what rounds s16.
std::optional<RecordsKernel> kernel(const RecordsShape& shape) {
  if (shape.columns() > 255) return std::nullopt;
  RecordsKernel result;
  Assembly& code = result.code;
  begin(shape, code);
  code.label(1);
  size_t before = code.count();
  code.op("ldr r0, [sp, #{}]", int{kSrc});
  code.op("ldmia r1!, {{r3}}");
  for (int pixel = 0; pixel < shape.pixels; ++pixel) code.op("mov {}, r3", kAccs[pixel]);
  code.op("movs r4, #0");
  if (one_by_one(shape)) {
    code.op("ldr r6, [sp, #{}]", int{kPixelStep});
    code.op("ldr r7, [sp, #{}]", int{kTapStep});
  }
  for (int ky = 0; ky < shape.k_h; ++ky) {
    if (ky > 0) {
      code.op("ldr r3, [sp, #{}]", int{kRowStep});
      code.op("adds r0, r0, r3");
    }
    one_by_one(shape) ? multiply_wide_row(shape, ky, code) : multiply_row(shape, ky, code);
  }
  code.op("adds r1, r1, #{}", shape.weight_bytes());
  code.op("ldr r0, [sp, #{}]", int{kDst});
  if (shape.wide())
    store_s16(shape, code);
  else
    store_s8(shape, code);
  for (Slot slot : {kSrc, kDst}) {
    code.op("ldr r0, [sp, #{}]", int{slot});
    code.op("adds r0, r0, #{}", shape.elem_bytes);
    code.op("str r0, [sp, #{}]", int{slot});
  }
  code.op("ldr r3, [sp, #{}]", kStreamEnd);
  code.op("cmp r1, r3");
  code.op("beq 3f");
  code.op("b 1b");
  code.label(3);
  // A branch reaches back 2 KB.
  if (code.count() - before > 1000) return std::nullopt;
  result.cycles_per_record = static_cast<double>(code.count() - before) * 1.2;
  code.op("add sp, sp, #{}", int{kFrameBytes});
  code.op("pop {{r4-r7}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 8 + i, 4 + i);
  code.op("pop {{r4-r7, pc}}");
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_records_thumb(const LayerView& layer,
                                                            const LowerOptions&) {
  RecordsCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.forms = kThumbForms;
  core.kernel = kernel;
  core.fit = {200, 1.4};
  core.bytes_per_instruction = 2;
  return depthwise_records(layer, core);
}

}  // namespace nibble
