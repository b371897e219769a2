#include "lower/rvv/block_kernel.h"

#include <algorithm>

#include "lower/packing.h"
#include "lower/rvv/partial_sums.h"

namespace nibble {
namespace {

// Offsets in nibble_vectors_s8 on the target.
constexpr int kSrc = 0, kDst = 4, kStream = 8, kRowStep = 12, kSrcStep = 16, kDstStep = 20,
              kBlocks = 24, kMultiplier = 28, kShift = 32;
constexpr int kMaxImmediate = 2047;
// Of the code that is not vector loads or sums: a compressed instruction now and then.
constexpr double kBytesPerInstruction = 3.9;

class Writer {
 public:
  Writer(const VectorShape& shape, const VectorOutput& output)
      : shape_(shape), output_(output), walk_(walk_of(shape)) {
    stepped_ = shape.groups() > 1 && shape.out_c % shape.lanes() != 0;
    halves_ = shape.registers * shape.pixels > 2 ? 2 : 1;
    count_ = std::min(shape.out_c, shape.lanes());
    one_pointer_ = (shape.pixels - 1) * shape.pixel_pitch + longest_body() <= kMaxImmediate;
  }

  VectorKernel write() {
    op("addi sp, sp, -16");
    op("sw s0, 0(sp)");
    op("sw s1, 4(sp)");
    op("lw a4, {}(a0)", kRowStep);
    if (depthwise_rows()) {
      op("li t0, {}", (shape_.run - 1) * shape_.depth);
      op("sub s0, a4, t0");
    }
    output_.begin(body_);
    size_t call = body_.count();
    body_.label(1);
    begin_block();
    extra_ = 0;
    size_t group = body_.count();
    body_.label(2);
    begin_group();
    sums();
    finish_group();
    double per_group = static_cast<double>(body_.count() - group) + extra_;
    end_block();
    VectorKernel kernel;
    kernel.per_block =
        static_cast<double>(body_.count() - call) + extra_ + per_group * (shape_.groups() - 1);
    op("lw s0, 0(sp)");
    op("lw s1, 4(sp)");
    op("addi sp, sp, 16");
    op("ret");
    kernel.per_call = static_cast<double>(call) + 4;
    kernel.code_bytes =
        static_cast<int64_t>(static_cast<double>(body_.count()) * kBytesPerInstruction);
    kernel.name = name();
    kernel.text = text(kernel.name);
    return kernel;
  }

 private:
  template <class... Args>
  void op(fmt::format_string<Args...> format, Args&&... args) {
    body_.op(format, std::forward<Args>(args)...);
  }
  int longest_body() const {
    return walk_.rows_unrolled ? shape_.run : std::max(walk_.unrolled, walk_.rest);
  }

  void add(const std::string& reg, int by, const std::string& scratch) {
    if (by == 0) return;
    if (by <= kMaxImmediate) {
      op("addi {0}, {0}, {1}", reg, by);
    } else {
      op("li {}, {}", scratch, by);
      op("add {0}, {0}, {1}", reg, scratch);
    }
  }
  // reg := base + by
  void address(const std::string& reg, const std::string& base, int by) {
    if (by <= kMaxImmediate) {
      op("addi {}, {}, {}", reg, base, by);
    } else {
      op("li {}, {}", reg, by);
      op("add {0}, {0}, {1}", reg, base);
    }
  }

  // s0 leads from the end of a window's row to the start of the next.
  bool depthwise_rows() const { return shape_.depth > 0 && walk_.rows_unrolled; }

  static std::string pixel_pointer(int pixel) {
    return pixel == 0 ? "a7" : fmt::format("t{}", 2 + pixel);
  }
  int pointers() const { return one_pointer_ ? 1 : shape_.pixels; }

  void begin_block() {
    op("lw a1, {}(a0)", kSrc);
    op("lw a2, {}(a0)", kDst);
    op("lw a3, {}(a0)", kStream);
    if (shape_.groups() > 1) op("li a5, {}", shape_.out_c);
    if (!stepped_) op("li t1, {}", count_);
  }

  // 32-bit words from `base` on into all lanes of `v`, once for each pixel that shares it.
  void load_words(const std::string& v, const std::string& base) {
    int at = std::stoi(v.substr(1));
    int share = shape_.registers >= 2 ? 8 : 4;
    int end = std::min(8, 4 * shape_.registers * shape_.pixels);
    for (int i = 0; i < std::max(end, share); i += share)
      op("vl{}re32.v v{}, ({})", share, at + i, base);
  }

  // The start of a table of the group, `words` channels' words behind the group's start.
  void table(const std::string& reg, int tables) {
    if (!stepped_) return address(reg, "a6", 4 * count_ * tables);
    op("slli {}, t1, {}", reg, tables == 2 ? 3 : 2);
    op("add {0}, {0}, a6", reg);
  }

  void begin_group() {
    if (stepped_) {
      op("li t1, {}", shape_.lanes());
      op("bgeu a5, t1, 3f");
      op("mv t1, a5");
      body_.label(3);
    }
    op("mv a6, a3");
    load_words("v16", "a3");
    if (halves_ == 2 && shape_.registers == 4) {
      op("addi t0, a3, 128");
      load_words("v24", "t0");
    } else if (halves_ == 2) {
      op("vmv8r.v v24, v16");
    }
    int tables = shape_.uniform ? 1 : 3;
    if (!stepped_) {
      add("a3", 4 * count_ * tables, "t0");
    } else {
      op("slli t0, t1, 2");
      op("add a3, a3, t0");
      if (tables == 3) op("slli t0, t1, 3");
      if (tables == 3) op("add a3, a3, t0");
    }
    op("vsetvli zero, t1, e8, m{}, ta, ma", shape_.registers);
    if (shape_.gathered()) place_lanes();
  }

  // v4 := where each lane's byte lies in the source, from that of the first.
  void place_lanes() {
    op("li t0, {}", shape_.depth);
    op("vid.v v4");
    op("vdivu.vx v6, v4, t0");
    op("li t0, {}", shape_.pixel_pitch - shape_.depth);
    op("vmacc.vx v4, t0, v6");
  }

  void load_weights(int tap, int taps) {
    int at_once = 8 / shape_.registers, slot = tap % at_once;
    if (shape_.depth > 0) {
      if (shape_.padded)
        op("vl{}re8.v v0, (a3)", shape_.registers);
      else
        op("vle8.v v0, (a3)");
      op("add a3, a3, t1");
      return;
    }
    if (!shape_.padded) {
      op("vle8.v v{}, (a3)", slot * shape_.registers);
      op("add a3, a3, t1");
    } else if (slot == 0) {
      op("vl8re8.v v0, (a3)");
      op("addi a3, a3, {}", std::min(at_once, taps - tap) * shape_.lanes());
    }
  }

  void tap(int offset, int slot, bool first) {
    for (int pixel = 0; pixel < shape_.pixels; ++pixel) {
      const char* x = scalars_++ % 2 ? "t6" : "t0";
      int place = one_pointer_ ? offset + pixel * shape_.pixel_pitch : offset;
      op("lb {}, {}({})", x, place, one_pointer_ ? "a7" : pixel_pointer(pixel));
      int sum = 8 + 2 * shape_.registers * pixel, weights = slot * shape_.registers;
      if (first)
        op("vwmul.vx v{}, v{}, {}", sum, weights, x);
      else
        op("vwmacc.vx v{}, {}, v{}", sum, x, weights);
    }
  }

  void depthwise_tap(int index, int taps, bool first) {
    std::string x = shape_.gathered() ? "v2" : "v4";
    if (shape_.gathered())
      op("vluxei8.v v2, (a7), v4");
    else
      op("vle8.v v4, (a7)");
    op("{}.vv v8, {}, v0", first ? "vwmul" : "vwmacc", x);
    if (index + 1 == taps) return;
    if ((index + 1) % shape_.run == 0)
      op("add a7, a7, s0");
    else
      add("a7", shape_.depth, "t0");
  }

  void add_partial_sums() {
    op("vsetvli t0, zero, e16, m4, ta, ma");
    op("vwadd.wv v16, v16, v8");
    if (halves_ == 2) op("vwadd.wv v24, v24, v12");
    op("vsetvli zero, t1, e8, m{}, ta, ma", shape_.registers);
  }

  void advance(const std::string& by) {
    for (int i = 0; i < pointers(); ++i) op("add {0}, {0}, {1}", pixel_pointer(i), by);
  }

  // `taps` taps in a row; beyond a row of `run` bytes the next one follows. `longest` are the
  // lengths of its partial sums, if known.
  void straight(int taps, int run, const std::vector<int>& longest) {
    int tap_index = 0;
    for (int size : longest.empty() ? partial_sums(taps, shape_.taps_in_16_bits) : longest) {
      for (int i = 0; i < size; ++i, ++tap_index) {
        load_weights(tap_index, taps);
        if (shape_.depth > 0) {
          depthwise_tap(tap_index, taps, i == 0);
          continue;
        }
        if (tap_index > 0 && tap_index % run == 0) advance("a4");
        tap(tap_index % run, tap_index % (8 / shape_.registers), i == 0);
      }
      add_partial_sums();
    }
  }

  void point_at(const std::string& row) {
    op("mv a7, {}", row);
    for (int i = 1; i < pointers(); ++i) address(pixel_pointer(i), row, i * shape_.pixel_pitch);
  }

  void sums() {
    if (walk_.rows_unrolled) {
      point_at("a1");
      straight(shape_.taps(), shape_.run, shape_.rest_sums);
      return;
    }
    op("mv s1, a1");
    if (shape_.rows > 1) op("li s0, {}", shape_.rows);
    size_t row_start = body_.count();
    double extra = 0;
    body_.label(4);
    point_at("s1");
    if (walk_.chunks > 0) extra = chunk_loop();
    if (walk_.rest > 0) straight(walk_.rest, shape_.run, shape_.rest_sums);
    if (shape_.rows > 1) {
      op("add s1, s1, a4");
      op("addi s0, s0, -1");
      op("bnez s0, 4b");
    }
    double row = static_cast<double>(body_.count() - row_start);
    extra_ += extra * shape_.rows + row * (shape_.rows - 1);
  }

  double chunk_loop() {
    int step = walk_.unrolled * std::max(1, shape_.depth);
    if (walk_.chunks > 1) address("t2", "a7", walk_.chunks * step);
    size_t start = body_.count();
    body_.label(5);
    straight(walk_.unrolled, shape_.run, shape_.loop_sums);
    // Depthwise, all steps but the last are done.
    if (shape_.depth > 0) step = shape_.depth;
    for (int i = 0; i < pointers(); ++i) add(pixel_pointer(i), step, "t0");
    if (walk_.chunks > 1) op("bne a7, t2, 5b");
    return static_cast<double>((body_.count() - start) * static_cast<size_t>(walk_.chunks - 1));
  }

  // Halves of the accumulators share their tables unless each has channels of its own.
  void rescale(const std::vector<std::string>& acc, int table_bytes) {
    auto table_at = [&](int tables) {
      table("t0", tables);
      if (table_bytes > 0) op("addi t0, t0, {}", table_bytes);
      return std::string("t0");
    };
    if (shape_.uniform) {
      op("lw t0, {}(a0)", kMultiplier);
      output_.rescale(body_, acc, "v0", "t0", [&] {
        op("lw t0, {}(a0)", kShift);
        return std::string("t0");
      });
      return;
    }
    load_words("v8", table_at(1));
    output_.rescale(body_, acc, "v0", "v8", [&] {
      load_words("v0", table_at(2));
      return std::string("v0");
    });
  }

  void finish_group() {
    op("vsetvli t0, zero, e32, m8, ta, ma");
    if (halves_ == 1) {
      rescale({"v16"}, 0);
    } else if (shape_.registers < 4 || shape_.uniform) {
      rescale({"v16", "v24"}, 0);
    } else {
      rescale({"v16"}, 0);
      rescale({"v24"}, 128);
    }
    op("vsetvli t0, zero, e16, m4, ta, ma");
    op("vnclip.wi v8, v16, 0");
    if (halves_ == 2) op("vnclip.wi v12, v24, 0");
    if (halves_ == 2) op("vsetvli t0, zero, e16, m8, ta, ma");
    output_.add_zero(body_, "v8", "t0");
    op("vsetvli t0, zero, e8, m{}, ta, ma", 2 * halves_);
    op("vnclip.wi v0, v8, 0");
    store();
    if (shape_.groups() == 1) return;
    op("add a2, a2, t1");
    if (shape_.depth > 0) op("add a1, a1, t1");
    // All groups but the last end at a multiple of 16.
    op("sub a5, a5, t1");
    op("bnez a5, 2b");
  }

  void store() {
    if (shape_.out_c == shape_.lanes()) {
      int registers = shape_.registers * shape_.pixels;
      if (registers == 3) op("li t0, 48");
      if (registers == 3) op("vsetvli zero, t0, e8, m4, ta, ma");
      if (registers == 3)
        op("vse8.v v0, (a2)");
      else
        op("vs{}r.v v0, (a2)", registers);
      return;
    }
    op("vsetvli zero, t1, e8, m{}, ta, ma", shape_.registers);
    op("vse8.v v0, (a2)");
    for (int pixel = 1; pixel < shape_.pixels; ++pixel) {
      address("t0", pixel == 1 ? "a2" : "t0", shape_.out_c);
      op("vse8.v v{}, (t0)", pixel * shape_.registers);
    }
  }

  void end_block() {
    if (shape_.depth > 0 && shape_.groups() > 1) op("lw a1, {}(a0)", kSrc);
    op("lw t3, {}(a0)", kBlocks);
    op("lw t4, {}(a0)", kSrcStep);
    op("lw t5, {}(a0)", kDstStep);
    op("lw a2, {}(a0)", kDst);
    op("addi t3, t3, -1");
    op("add a1, a1, t4");
    op("add a2, a2, t5");
    op("sw t3, {}(a0)", kBlocks);
    op("sw a1, {}(a0)", kSrc);
    op("sw a2, {}(a0)", kDst);
    op("bnez t3, 1b");
  }

  std::string name() const {
    std::string all = plain_shape();
    for (const std::string& line : body_.lines()) all += line;
    return fmt::format("nibble_vectors_s8_rvv_{}x{}_{}x{}_{}_{}", shape_.pixels, shape_.lanes(),
                       shape_.rows, shape_.run, output_.name(), text_hash(all));
  }

  // Initializers of nibble_vectors_s8_shape.
  std::string plain_shape() const {
    return fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {}", shape_.lanes(), shape_.pixels,
                       shape_.rows, shape_.run, shape_.pixel_pitch, shape_.out_c,
                       shape_.padded ? 1 : 0, shape_.uniform ? 1 : 0, shape_.depth,
                       output_.c_fields());
  }

  std::string text(const std::string& name) const {
    CFunction function;
    function.name = name;
    function.comment = fmt::format(
        "Blocks of {} pixels by {} channels: {} rows of {}, {} products to a 16-bit sum{}.",
        shape_.pixels, shape_.lanes(), shape_.rows, shape_.run, shape_.taps_in_16_bits,
        shape_.rest_sums.empty() && shape_.loop_sums.empty() ? "" : " or more");
    function.parameters = {"nibble_vectors_s8 *blocks"};
    function.condition = "defined(__riscv_v)";
    function.arm = false;
    function.body = body_;
    function.plain_body = fmt::format(
        "  static const nibble_vectors_s8_shape shape = {{{}}};\n"
        "  nibble_vectors_s8_plain(&shape, blocks);\n",
        plain_shape());
    std::string guard = "NIBBLE_HAVE_" + name.substr(7);
    return fmt::format("#ifndef {0}\n#define {0}\n{1}#endif\n", guard, function_text(function));
  }

  VectorShape shape_;
  const VectorOutput& output_;
  Walk walk_;
  Assembly body_;
  double extra_ = 0;  // executions of loop bodies beyond the first, of a group
  int halves_ = 1;    // groups of eight registers that hold accumulators
  int count_ = 0;     // channels of a group that is not the last
  int scalars_ = 0;
  bool stepped_ = false;  // the last group has fewer channels
  bool one_pointer_ = true;
};

}  // namespace

VectorKernel vector_kernel(const VectorShape& shape, const VectorOutput& output) {
  return Writer(shape, output).write();
}

int max_unrolled_vectors(Optimize optimize) {
  return optimize == Optimize::kSpeed ? 480 : optimize == Optimize::kBalanced ? 220 : 60;
}

std::vector<std::string> vector_files() {
  return {"common/nibble_common.h", "common/requant.h", "common/output_s8.h",
          "common/vectors_s8.h"};
}

}  // namespace nibble
