#include "lower/mve/block_kernel.h"

#include <algorithm>
#include <cstdlib>

#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kLoopVectors = 8;  // of a group's sums in a loop over one long run
// Offsets in nibble_blocks_s8 on the target.
constexpr int kStream = 8, kStreamEnd = 12, kRowStep = 16, kSrcStep = 20, kBlocks = 28,
              kOffsets = 32, kMultiplier = 48, kRuns = 56;

// A source pointer that loads move along, to keep within the reach of their immediates.
// `place` is its distance from where the block (or row) starts.
class Cursor {
 public:
  Cursor(std::string reg, bool words)
      : reg_(std::move(reg)), reach_(words ? 508 : 127), words_(words) {}
  const std::string& reg() const { return reg_; }
  int place() const { return place_; }
  int reach() const { return reach_; }
  void set_place(int place) { place_ = place; }

  // Loads 16 bytes from `at`; `next` is the place of the following load through this cursor.
  void load(Assembly& code, const std::string& q, int at, int next, bool predicated) {
    if (!reaches(place_, at)) move(code, at);
    if (predicated) code.op("vpst");
    std::string name = predicated ? "vldrbt.u8" : words_ ? "vldrw.u32" : "vldrb.u8";
    bool follow = !reaches(place_, next) && reaches(at, next) && at != place_;
    if (at == place_)
      code.op("{} {}, [{}]", name, q, reg_);
    else
      code.op("{} {}, [{}, #{}]{}", name, q, reg_, at - place_, follow ? "!" : "");
    if (follow) place_ = at;
  }
  void store(Assembly& code, const std::string& q, int at) {
    if (std::abs(at - place_) > 127) move(code, at);
    code.op("vstrb.8 {}, [{}, #{}]", q, reg_, at - place_);
  }
  void move(Assembly& code, int place) {
    int by = place - place_;
    place_ = place;
    if (by == 0) return;
    if (std::abs(by) < 4096) {
      code.op("{0} {1}, {1}, #{2}", by > 0 ? "add" : "sub", reg_, std::abs(by));
      return;
    }
    code.op("add {0}, {0}, #{1}", reg_, (by >> 12) * 4096);
    if (by & 4095) code.op("add {0}, {0}, #{1}", reg_, by & 4095);
  }

 private:
  bool reaches(int from, int to) const { return std::abs(to - from) <= reach_; }
  std::string reg_;
  int reach_;
  bool words_;
  int place_ = 0;
};

class Writer {
 public:
  Writer(const BlockShape& shape, const HeliumOutput& output, int max_unrolled)
      : shape_(shape), output_(output), first_("r1", shape.words), second_("r5", shape.words) {
    int unit = shape.pixels + shape.channels + shape.pixels * shape.channels;
    long_run_ =
        single_run() && shape.vectors * unit > max_unrolled && shape.vectors > kLoopVectors + 1;
    int columns = (shape.pixels - 1) + shape.taps;
    int row = shape.vectors * (columns + shape.taps * (2 + 2 * shape.pixels));
    row_loop_ = shape.rows > 2 && shape.rows * row > max_unrolled;
    int span = (shape.pixels - 1) * shape.pixel_pitch + 16 * (shape.vectors - 1);
    two_pointers_ = shape.pixels == 2 && span > 2 * first_.reach();
    int reach_span = two_pointers_ || shape.pixels == 1 ? 16 * (shape.vectors - 1) : span;
    start_ = single_run() && !long_run_ && reach_span > first_.reach() ? reach_span / 2 & ~3 : 0;
    resident_ = single_run();
  }

  BlockKernel write() {
    BlockKernel kernel;
    prologue();
    body_.label(1);
    size_t before = body_.count();
    begin_block();
    kernel.per_block = static_cast<double>(body_.count() - before);
    body_.label(2);
    size_t group_start = body_.count();
    extra_ = 0;
    sums();
    finish_group();
    kernel.per_group = static_cast<double>(body_.count() - group_start) + extra_;
    before = body_.count();
    end_block();
    kernel.per_block += static_cast<double>(body_.count() - before);
    epilogue();
    kernel.code_bytes = static_cast<int64_t>(body_.count()) * 4;
    kernel.name = name();
    kernel.text = text(kernel.name);
    return kernel;
  }

 private:
  bool single_run() const { return shape_.taps == 1 && shape_.rows == 1; }
  bool zero_in_r5() const { return shape_.rows == 1 && !two_pointers_; }
  bool counts_in_r9() const { return long_run_ || row_loop_; }
  bool has_tail() const { return shape_.tail < 16; }
  bool partly_stored() const { return shape_.channels == 8 && shape_.stored() < 8; }

  std::string acc(int pixel, int channel) const {
    int index =
        shape_.channels == 2 ? channel * shape_.pixels + pixel : pixel * shape_.channels + channel;
    return index == 7 ? "lr" : fmt::format("r{}", 2 * index);
  }

  Cursor& cursor(int pixel) { return two_pointers_ && pixel == 1 ? second_ : first_; }
  int place(int pixel, int offset) const {
    return two_pointers_ ? offset : pixel * shape_.pixel_pitch + offset;
  }

  void prologue() {
    body_.op("push {{r3-r11, lr}}");
    body_.op("vpush {{d8-d15}}");
    body_.op("mov r11, r0");
    body_.op("ldrd r1, r7, [r11]");
    if (!counts_in_r9()) body_.op("ldr r9, [r11, #{}]", kStreamEnd);
    if (shape_.rows > 1) body_.op("ldr r5, [r11, #{}]", kRowStep);
    if (zero_in_r5()) body_.op("mov r5, #{}", output_.zero());
    if (shape_.channels < 8) body_.op("vldrw.u32 q7, [r11, #{}]", kOffsets);
    if (has_tail() && !partly_stored()) predicate_tail();
  }

  void predicate_tail() {
    body_.op("mov r3, #{}", shape_.tail);
    body_.op("vctp.8 r3");
  }

  void load(const std::string& q, int pixel, int vector, int next_pixel, int next_vector) {
    bool same = &cursor(pixel) == &cursor(next_pixel);
    int at = place(pixel, 16 * vector);
    int next = same ? place(next_pixel, 16 * next_vector) : at;
    cursor(pixel).load(body_, q, at, next, has_tail() && vector + 1 == shape_.vectors);
  }

  // The windows of the block, row by row, as runs; r1 := the first of them.
  void gather_windows() {
    body_.op("mov r0, r1");
    body_.op("ldr r1, [r11, #{}]", kRuns);
    body_.op("ldr r2, [r11, #{}]", kRowStep);
    Cursor from("r0", false), to("r1", false);
    for (int row = 0; row < shape_.gather_rows; ++row) {
      if (row > 0) {
        body_.op("add r0, r0, r2");
      }
      for (int pixel = 0; pixel < shape_.pixels; ++pixel)
        for (int at = 0; at < shape_.gather_run; at += 16) {
          int place = pixel * shape_.gather_pitch + at;
          from.load(body_, "q0", place, place, false);
          to.store(body_, "q0", pixel * shape_.pixel_pitch + row * shape_.gather_run + at);
        }
    }
    to.move(body_, 0);
  }

  void begin_block() {
    if (shape_.gather_rows > 0) gather_windows();
    if (two_pointers_) place_second();
    first_.set_place(0);
    first_.move(body_, start_);
    if (two_pointers_) {
      second_.set_place(0);
      second_.move(body_, start_);
    }
    if (has_tail() && partly_stored()) predicate_tail();
    if (resident_)
      for (int pixel = 0; pixel < shape_.pixels; ++pixel)
        load(fmt::format("q{}", pixel), pixel, 0, pixel, 0);
    body_.op("ldr r3, [r11, #{}]", kStream);
    first_home_ = first_.place();
    second_home_ = second_.place();
  }

  void place_second() {
    if (shape_.pixel_pitch < 4096) {
      body_.op("add r5, r1, #{}", shape_.pixel_pitch);
    } else {
      body_.op("movw r5, #{}", shape_.pixel_pitch & 0xffff);
      body_.op("movt r5, #{}", shape_.pixel_pitch >> 16);
      body_.op("add r5, r5, r1");
    }
  }

  void multiply(int pixel, int channel, const std::string& w, const std::string& x) {
    std::string to = acc(pixel, channel);
    bool fresh = shape_.channels < 8 && std::ranges::find(started_, to) == started_.end();
    if (fresh) started_.push_back(to);
    body_.op("{}.s8 {}, {}, {}", fresh ? "vmladav" : "vmladava", to, w, x);
  }

  void weight(const std::string& q) { body_.op("vldrw.u32 {}, [r3], #16", q); }

  void sums() {
    started_.clear();
    if (shape_.channels == 8) body_.op("ldm r3!, {{r0, r2, r4, r6, r8, r10, r12, lr}}");
    if (single_run())
      run_sums();
    else
      window_sums();
  }

  // One vector of all pixels and channels of a single run.
  void vector_sums(int vector, int next) {
    bool loaded = resident_ && vector == 0;
    if (shape_.channels == 2) {
      weight("q4");
      weight("q5");
      for (int pixel = 0; pixel < shape_.pixels; ++pixel) {
        std::string x = loaded ? fmt::format("q{}", pixel) : "q6";
        bool last = pixel + 1 == shape_.pixels;
        if (!loaded) load(x, pixel, vector, last ? 0 : pixel + 1, last ? next : vector);
        multiply(pixel, 0, "q4", x);
        multiply(pixel, 1, "q5", x);
      }
      return;
    }
    int x = loaded ? 0 : 5;  // q5, q6 beside the weights in q2, q3
    for (int pixel = 0; pixel < shape_.pixels && !loaded; ++pixel) {
      bool last = pixel + 1 == shape_.pixels;
      load(fmt::format("q{}", x + pixel), pixel, vector, two_pointers_ || !last ? pixel : 0,
           two_pointers_ || last ? next : vector);
    }
    for (int channel = 0; channel < shape_.channels; ++channel) {
      std::string w = fmt::format("q{}", 2 + channel % 2);
      weight(w);
      for (int pixel = 0; pixel < shape_.pixels; ++pixel)
        multiply(pixel, channel, w, fmt::format("q{}", x + pixel));
    }
  }

  void run_sums() {
    int whole = shape_.vectors - (has_tail() ? 1 : 0);
    if (!long_run_) {
      for (int vector = 0; vector < shape_.vectors; ++vector)
        vector_sums(vector, std::min(vector + 1, shape_.vectors - 1));
    } else {
      int head = (whole - 1) % kLoopVectors + 1, loops = (whole - head) / kLoopVectors;
      for (int vector = 0; vector < head; ++vector) vector_sums(vector, vector + 1);
      body_.op("mov r9, #{}", loops);
      body_.label(3);
      int begin = first_.place(), second_begin = second_.place();
      size_t before = body_.count();
      for (int vector = head; vector < head + kLoopVectors; ++vector)
        vector_sums(vector, vector + 1);
      first_.move(body_, begin + 16 * kLoopVectors);
      if (two_pointers_) second_.move(body_, second_begin + 16 * kLoopVectors);
      body_.op("subs r9, r9, #1");
      body_.op("bne.w 3b");
      extra_ += static_cast<double>((body_.count() - before) * static_cast<size_t>(loops - 1));
      int left = 16 * kLoopVectors * (loops - 1);
      first_.set_place(first_.place() + left);
      second_.set_place(second_.place() + left);
      if (has_tail()) vector_sums(whole, whole);
    }
    first_.move(body_, first_home_);
    if (two_pointers_) second_.move(body_, second_home_);
  }

  // Columns of a chunk of taps, in the order of their places or against it.
  void chunk_sums(int first_tap, int taps, int vector) {
    for (int w = 0; w < 2 * taps; ++w) weight(fmt::format("q{}", w));
    std::vector<int> places;
    for (int pixel = 0; pixel < shape_.pixels; ++pixel)
      for (int tap = first_tap; tap < first_tap + taps; ++tap)
        places.push_back(pixel * shape_.pixel_pitch + tap * shape_.tap_pitch + 16 * vector);
    std::ranges::sort(places);
    places.erase(std::unique(places.begin(), places.end()), places.end());
    int here = first_.place();
    if (std::abs(places.back() - here) < std::abs(places.front() - here))
      std::ranges::reverse(places);
    for (size_t i = 0; i < places.size(); ++i) {
      first_.load(body_, "q6", places[i], places[std::min(i + 1, places.size() - 1)],
                  has_tail() && vector + 1 == shape_.vectors);
      for (int pixel = 0; pixel < shape_.pixels; ++pixel)
        for (int tap = 0; tap < taps; ++tap) {
          int at = pixel * shape_.pixel_pitch + (first_tap + tap) * shape_.tap_pitch + 16 * vector;
          if (at != places[i]) continue;
          multiply(pixel, 0, fmt::format("q{}", 2 * tap), "q6");
          multiply(pixel, 1, fmt::format("q{}", 2 * tap + 1), "q6");
        }
    }
  }

  void row_sums() {
    for (int tap = 0; tap < shape_.taps; tap += 3)
      for (int vector = 0; vector < shape_.vectors; ++vector)
        chunk_sums(tap, std::min(3, shape_.taps - tap), vector);
  }

  void window_sums() {
    row_sums();
    if (row_loop_) {
      body_.op("mov r9, #{}", shape_.rows - 1);
      body_.label(3);
      int begin = first_.place();
      size_t before = body_.count();
      body_.op("add r1, r1, r5");
      row_sums();
      first_.move(body_, begin);
      body_.op("subs r9, r9, #1");
      body_.op("bne.w 3b");
      extra_ +=
          static_cast<double>((body_.count() - before) * static_cast<size_t>(shape_.rows - 2));
    } else {
      for (int row = 1; row < shape_.rows; ++row) {
        body_.op("add r1, r1, r5");
        row_sums();
      }
    }
    if (shape_.rows > 1) {
      body_.op("ldr r1, [r11]");
      first_.set_place(0);
    }
    first_.move(body_, first_home_);
  }

  // Four accumulators as the lanes of a vector.
  void gather(const std::string& q, const std::array<std::string, 4>& lanes) {
    body_.op("vmov {0}[2], {0}[0], {1}, {2}", q, lanes[0], lanes[2]);
    body_.op("vmov {0}[3], {0}[1], {1}, {2}", q, lanes[1], lanes[3]);
  }

  void finish_group() {
    if (shape_.channels == 2) {
      finish_two();
    } else if (shape_.channels == 4) {
      finish_four();
    } else {
      finish_eight();
    }
    if (counts_in_r9()) {
      body_.op("ldr r0, [r11, #{}]", kStreamEnd);
      body_.op("cmp r3, r0");
    } else {
      body_.op("cmp r3, r9");
    }
    body_.op("bne.w 2b");
  }

  std::string zero() {
    if (zero_in_r5()) return "r5";
    body_.op("mov lr, #{}", output_.zero());
    return "lr";
  }

  void store_and_step(const std::string& low) {
    body_.op("vstrb.16 {}, [r7, q7]", low);
    if (shape_.stepped())
      body_.op("add r7, r7, r12");
    else
      body_.op("add r7, r7, #{}", shape_.channels);
  }

  void finish_two() {
    int last = shape_.pixels - 1;
    for (int channel = 0; channel < 2; ++channel)
      gather(channel ? "q5" : "q4",
             {acc(0, channel), acc(1, channel), acc(2, channel), acc(last, channel)});
    body_.op("ldm r3!, {{r0, r2, r4, r6, r8, r10{}}}", shape_.stepped() ? ", r12" : "");
    body_.op("vadd.i32 q4, q4, r0");
    body_.op("vadd.i32 q5, q5, r6");
    std::string low = output_.rescale(body_, "q4", "q6", "r2", "r4");
    std::string free = low == "q4" ? "q6" : "q4";
    std::string high = output_.rescale(body_, "q5", free, "r8", "r10");
    output_.narrow(body_, low, high, high == "q5" ? free : "q5", zero());
    store_and_step(low);
  }

  void finish_four() {
    gather("q2", {acc(0, 0), acc(0, 1), acc(0, 2), acc(0, 3)});
    gather("q3", {acc(1, 0), acc(1, 1), acc(1, 2), acc(1, 3)});
    body_.op("vldrw.u32 q4, [r3]");
    body_.op("vadd.i32 q2, q2, q4");
    body_.op("vadd.i32 q3, q3, q4");
    body_.op("vldrw.u32 q4, [r3, #16]");
    body_.op("vldrw.u32 q5, [r3, #32]");
    body_.op("add r3, r3, #48");
    if (shape_.stepped()) body_.op("ldr r12, [r3], #4");
    std::string low = output_.rescale(body_, "q2", "q6", "q4", "q5");
    std::string high = output_.rescale(body_, "q3", "q6", "q4", "q5");
    output_.narrow(body_, low, high, "q6", zero());
    store_and_step(low);
  }

  void finish_eight() {
    gather("q1", {acc(0, 0), acc(0, 2), acc(0, 4), acc(0, 6)});
    gather("q2", {acc(0, 1), acc(0, 3), acc(0, 5), acc(0, 7)});
    std::string low, high;
    if (shape_.uniform) {
      body_.op("ldrd r0, r2, [r11, #{}]", kMultiplier);
      low = output_.rescale(body_, "q1", "q5", "r0", "r2");
      high = output_.rescale(body_, "q2", low == "q1" ? "q5" : "q1", "r0", "r2");
    } else {
      body_.op("vldrw.u32 q3, [r3], #16");
      body_.op("vldrw.u32 q4, [r3], #16");
      low = output_.rescale(body_, "q1", "q5", "q3", "q4");
      body_.op("vldrw.u32 q3, [r3], #16");
      body_.op("vldrw.u32 q4, [r3], #16");
      high = output_.rescale(body_, "q2", "q5", "q3", "q4");
    }
    output_.narrow(body_, low, high, "q3", zero());
    if (partly_stored()) {
      body_.op("mov r0, #{}", shape_.stored());
      body_.op("vctp.16 r0");
      body_.op("vpst");
      body_.op("vstrbt.16 {}, [r7]", low);
    } else if (shape_.stepped()) {
      body_.op("ldr r12, [r3], #4");
      body_.op("vstrb.16 {}, [r7]", low);
      body_.op("add r7, r7, r12");
    } else {
      body_.op("vstrb.16 {}, [r7], #8", low);
    }
  }

  void end_block() {
    body_.op("ldrd r0, r2, [r11]");
    body_.op("ldrd r4, r6, [r11, #{}]", kSrcStep);
    body_.op("ldr r8, [r11, #{}]", kBlocks);
    body_.op("add r1, r0, r4");
    body_.op("add r7, r2, r6");
    body_.op("strd r1, r7, [r11]");
    body_.op("subs r8, r8, #1");
    body_.op("str r8, [r11, #{}]", kBlocks);
    body_.op("bne.w 1b");
  }

  void epilogue() {
    body_.op("vpop {{d8-d15}}");
    body_.op("pop {{r3-r11, pc}}");
  }

  std::string name() const {
    std::string all = plain_shape();
    for (const std::string& line : body_.lines()) all += line;
    return fmt::format("nibble_blocks_s8_mve_{}x{}_{}x{}x{}_{}_{}", shape_.pixels, shape_.channels,
                       shape_.rows, shape_.taps, shape_.vectors, output_.name(), text_hash(all));
  }

  // Initializers of nibble_blocks_s8_shape.
  std::string plain_shape() const {
    return fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}", shape_.pixels,
                       shape_.channels, shape_.rows, shape_.taps, shape_.vectors, shape_.tail,
                       shape_.pixel_pitch, shape_.tap_pitch, shape_.stepped() ? 1 : 0,
                       shape_.stored(), shape_.uniform ? 1 : 0, shape_.gather_rows,
                       shape_.gather_run, shape_.gather_pitch, output_.c_fields());
  }

  std::string text(const std::string& name) const {
    CFunction function;
    function.name = name;
    function.comment =
        fmt::format("Blocks of {} pixels by {} channels: {} rows of {} taps of {} vectors.",
                    shape_.pixels, shape_.channels, shape_.rows, shape_.taps, shape_.vectors);
    function.parameters = {"nibble_blocks_s8 *blocks"};
    function.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
    function.body = body_;
    function.plain_body = fmt::format(
        "  static const nibble_blocks_s8_shape shape = {{{}}};\n"
        "  nibble_blocks_s8_plain(&shape, blocks);\n",
        plain_shape());
    std::string guard = "NIBBLE_HAVE_" + name.substr(7);
    return fmt::format("#ifndef {0}\n#define {0}\n{1}#endif\n", guard, function_text(function));
  }

  BlockShape shape_;
  const HeliumOutput& output_;
  Cursor first_, second_;
  Assembly body_;
  std::vector<std::string> started_;      // accumulators that hold a sum
  double extra_ = 0;                      // executions of loop bodies beyond the first
  int start_ = 0;                         // of both cursors in a block
  int first_home_ = 0, second_home_ = 0;  // where they stand when a group begins
  bool long_run_ = false, row_loop_ = false, two_pointers_ = false, resident_ = false;
};

}  // namespace

BlockKernel block_kernel(const BlockShape& shape, const HeliumOutput& output, int max_unrolled) {
  return Writer(shape, output, max_unrolled).write();
}

double block_instructions(const BlockShape& shape, const BlockKernel& kernel, int64_t pixels) {
  auto blocks = static_cast<double>((pixels + shape.pixels - 1) / shape.pixels);
  return blocks * (kernel.per_block + kernel.per_group * shape.groups());
}

int max_unrolled(Optimize optimize) {
  return optimize == Optimize::kSpeed ? 480 : optimize == Optimize::kBalanced ? 250 : 60;
}

std::vector<std::string> block_files() {
  return {"common/nibble_common.h", "common/requant.h", "common/output_s8.h", "common/blocks_s8.h"};
}

}  // namespace nibble
