// The kernel of lower/scalar/depthwise_records.h on RV32IM: up to five pixels of a channel; the
// weights of a kernel row lie in registers, each element is loaded once for all of them. Loads have
// no index register, so the text either says how far apart pixels are, or walks from one to the
// next and serves images of any number of channels.
#include "lower/scalar/depthwise_records.h"

#include "lower/rv32/rescale.h"

namespace nibble {
namespace {

constexpr int kMostColumns = 5;  // of a filter
constexpr int kReach = 2048;     // of a load's offset, either way
constexpr const char* kWeights[] = {"s4", "s5", "s6", "s7", "s8"};
constexpr const char* kAccs[] = {"t4", "t5", "t6", "s10", "s11"};

// Registers at function entry: a0 source, a1 stream, a2 dst, a3 row_bytes, a4 stream_end, a5
// pixel_bytes; then s9 the channel's first tap (`middle` further where the text says how far apart
// pixels are), a6 and a7 the limits.
class Writer {
 public:
  explicit Writer(const RecordsShape& shape)
      : shape_(shape), middle_(shape.pixel_bytes > 0 ? shape.columns() / 2 : 0) {
    for (int kx = 0; kx < shape.k_w; ++kx) saved_.emplace_back(kWeights[kx]);
    saved_.emplace_back("s9");
    for (int pixel = 3; pixel < shape.pixels; ++pixel) saved_.emplace_back(kAccs[pixel]);
  }

  bool reaches() const {
    return (shape_.columns() - middle_) * shape_.pixel_bytes < kReach &&
           middle_ * shape_.pixel_bytes <= kReach && shape_.pixels * shape_.pixel_bytes < kReach;
  }

  RecordsKernel write() {
    Assembly& code = kernel_.code;
    code.op("addi sp, sp, -32");
    for (size_t i = 0; i < saved_.size(); ++i) code.op("sw {}, {}(sp)", saved_[i], 4 * i);
    code.op("li a6, {}", shape_.wide() ? shape_.low : shape_.stage.low);
    code.op("li a7, {}", shape_.wide() ? shape_.high : shape_.stage.high);
    code.op("addi s9, a0, {}", middle_ * shape_.pixel_bytes);
    const std::vector<int> columns = shape_.used_columns();
    if (shape_.pixel_bytes == 0)
      for (int column = 0; column < columns.back(); ++column) code.op("sub a3, a3, a5");
    code.label(1);
    const size_t before = code.count();
    code.op("mv a0, s9");
    for (int pixel = 0; pixel < shape_.pixels; ++pixel) code.op("lw {}, 0(a1)", kAccs[pixel]);
    for (int ky = 0; ky < shape_.k_h; ++ky) multiply_row(ky, columns);
    int words = store();
    code.op("addi a1, a1, {}", 4 + shape_.weight_bytes() + 4 * words);
    code.op("addi a2, a2, {}", shape_.elem_bytes);
    code.op("addi s9, s9, {}", shape_.elem_bytes);
    code.op("beq a1, a4, 3f");
    code.op("j 1b");
    code.label(3);
    kernel_.cycles_per_record = static_cast<double>(code.count() - before);
    for (size_t i = 0; i < saved_.size(); ++i) code.op("lw {}, {}(sp)", saved_[i], 4 * i);
    code.op("addi sp, sp, 32");
    code.op("ret");
    return std::move(kernel_);
  }

 private:
  void multiply_row(int ky, const std::vector<int>& columns) {
    Assembly& code = kernel_.code;
    if (ky > 0) code.op("add a0, a0, a3");
    for (int kx = 0; kx < shape_.k_w; ++kx)
      code.op("lb {}, {}(a1)", kWeights[kx], 4 + ky * shape_.k_w + kx);
    int base = 0;
    for (int column : columns) {
      if (shape_.pixel_bytes == 0)
        for (; base < column; ++base) code.op("add a0, a0, a5");
      code.op("{} t0, {}(a0)", shape_.wide() ? "lh" : "lb",
              (column - middle_) * shape_.pixel_bytes);
      for (int pixel = 0; pixel < shape_.pixels; ++pixel) {
        int kx = shape_.tap_at(column, pixel);
        if (kx < 0) continue;
        code.op("mul t1, t0, {}", kWeights[kx]);
        code.op("add {0}, {0}, t1", kAccs[pixel]);
      }
    }
  }

  // All outputs from the accumulators; the words that rescale them.
  int store() {
    Assembly& code = kernel_.code;
    int at = 4 + shape_.weight_bytes();
    if (shape_.wide())
      code.op("lw t2, {}(a1)", at);
    else
      rescale_load_rv32(code, "a1", at);
    for (int pixel = 0; pixel < shape_.pixels; ++pixel) {
      if (shape_.wide()) {
        code.op("mul t0, {}, t2", kAccs[pixel]);
        code.op("mulh t3, {}, t2", kAccs[pixel]);
        code.op("srli t0, t0, 31");
        code.op("add t3, t3, t0");
      } else {
        rescale_unclamped_rv32(code, shape_.stage, kAccs[pixel]);
      }
      code.op("bge t3, a6, 2f");
      code.op("mv t3, a6");
      code.label(2);
      code.op("ble t3, a7, 2f");
      code.op("mv t3, a7");
      code.label(2);
      const char* to = "a2";
      if (shape_.pixel_bytes == 0 && pixel > 0) {
        code.op("add a0, {}, a5", pixel == 1 ? "a2" : "a0");
        to = "a0";
      }
      code.op("{} t3, {}({})", shape_.wide() ? "sh" : "sb", pixel * shape_.pixel_bytes, to);
    }
    return shape_.wide() ? 1 : shape_.stage.words();
  }

  const RecordsShape& shape_;
  int middle_;
  std::vector<std::string> saved_;
  RecordsKernel kernel_;
};

std::optional<RecordsKernel> kernel(const RecordsShape& shape) {
  if (shape.k_w > kMostColumns) return std::nullopt;
  Writer writer(shape);
  return writer.reaches() ? std::optional(writer.write()) : std::nullopt;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_records_rv32(const LayerView& layer,
                                                           const LowerOptions& options) {
  // Vectors do it.
  if (has(options, Isa::kRvv)) return {};
  RecordsCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.most_pixels = 5;
  // A function for each number of channels: models of s8 have many.
  core.fixed_pixel_bytes =
      layer.family() != "depthwise_conv2d_s8" || options.optimize == Optimize::kSpeed;
  core.forms = kRv32Forms;
  core.kernel = kernel;
  core.fit = {200, 1};
  return depthwise_records(layer, core);
}

}  // namespace nibble
