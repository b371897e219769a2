#include "lower/mve/patch_kernel.h"

#include <array>
#include <cstdlib>

#include "lower/mve/block_kernel.h"

namespace nibble {
namespace {

// Offsets in nibble_patches_s8 on the target.
constexpr int kWeights = 8, kTablesEnd = 16, kOffsets = 20, kBatchStep = 52;
// The stack frame.
constexpr int kFrameBytes = 40, kFrameTablesEnd = 32, kFrameBatchStep = 36;
constexpr int kColumnBytes = 64;
constexpr int kReach = 508;

struct PatchOutput {
  int row = 0, column = 0;  // in the batch
};

class PatchWriter {
 public:
  PatchWriter(const PatchShape& shape, const HeliumOutput& output)
      : shape_(shape), output_(output) {}

  PatchKernel write() {
    PatchKernel kernel;
    prologue();
    kernel.per_call = static_cast<double>(body_.count());
    body_.label(1);
    size_t before = body_.count();
    channel();
    kernel.per_channel = static_cast<double>(body_.count() - before);
    body_.op("add sp, sp, #{}", kFrameBytes);
    body_.op("vpop {{d8-d15}}");
    body_.op("pop {{r3-r11, pc}}");
    kernel.per_call += 3;
    kernel.code_bytes = static_cast<int64_t>(body_.count()) * 4;
    std::string all = shape_fields();
    for (const std::string& line : body_.lines()) all += line;
    kernel.name = fmt::format("nibble_patches_s8_mve_{}x{}_{}_{}", shape_.rows, shape_.columns,
                              output_.name(), text_hash(all));
    kernel.shape_name = kernel.name + "_shape";
    kernel.text = text(kernel);
    return kernel;
  }

 private:
  static std::string acc(size_t index) { return index == 7 ? "lr" : fmt::format("r{}", 2 * index); }

  // Outputs of a batch, patch by patch.
  std::vector<PatchOutput> outputs(int batch) const {
    std::vector<PatchOutput> list;
    for (int patch = 0; patch < shape_.batch_patches(); ++patch)
      for (int row = 0; row < shape_.rows; ++row)
        for (int right = 0; right < shape_.share; ++right) {
          int column = patch * shape_.share + right;
          if (batch * shape_.batch_columns() + column < shape_.columns)
            list.push_back({row, column});
        }
    return list;
  }

  // Which output of a batch of `count` stands in a 16-bit lane: the even lanes come from the first
  // four, the odd ones from the others; what is missing repeats.
  static size_t output_of_lane(size_t lane, size_t count) {
    size_t index = lane / 2 + (lane % 2 == 1 && count > 4 ? 4 : 0);
    return std::min(index, count - 1);
  }

  void prologue() {
    body_.op("push {{r3-r11, lr}}");
    body_.op("vpush {{d8-d15}}");
    body_.op("sub sp, sp, #{}", kFrameBytes);
    body_.op("vldrw.u32 q0, [r0, #{}]", kOffsets);
    body_.op("vldrw.u32 q1, [r0, #{}]", kOffsets + 16);
    body_.op("vstrw.32 q0, [sp]");
    body_.op("vstrw.32 q1, [sp, #16]");
    body_.op("ldr r1, [r0, #{}]", kTablesEnd);
    body_.op("ldr r2, [r0, #{}]", kBatchStep);
    body_.op("strd r1, r2, [sp, #{}]", kFrameTablesEnd);
    body_.op("ldrd r4, r7, [r0]");
    body_.op("ldrd r3, r11, [r0, #{}]", kWeights);
    body_.op("movs r2, #0");
    body_.op("vidup.u32 q7, r2, #1");
    body_.op("movw r2, #{}", kColumnBytes * shape_.dilation_w);
    body_.op("vmul.i32 q7, q7, r2");
    body_.op("vadd.i32 q7, q7, r4");
  }

  // q7 := q7 + by. `temp` is a general register.
  void move(int by, const std::string& temp) {
    if (by == 0) return;
    if (by >= -65536 && by < 65536 && by < 0) {
      body_.op("movw {}, #{}", temp, -by);
      body_.op("rsb {0}, {0}, #0", temp);
    } else {
      body_.op("movw {}, #{}", temp, by);
    }
    body_.op("vadd.i32 q7, q7, {}", temp);
  }

  void gather(const std::string& q, int at, int next) {
    int by = at - place_;
    if (std::abs(by) > kReach) {
      move(by, "r1");  // before the tables are read: see channel()
      place_ = at;
      by = 0;
    }
    bool follow = by != 0 && std::abs(next - place_) > kReach && std::abs(next - at) <= kReach;
    if (by == 0)
      body_.op("vldrw.u32 {}, [q7]", q);
    else
      body_.op("vldrw.u32 {}, [q7, #{}]{}", q, by, follow ? "!" : "");
    if (follow) place_ = at;
  }

  int patch_place(int patch, int row_chunk, int tap_chunk) const {
    int column = patch * shape_.share * shape_.stride_w + 4 * tap_chunk * shape_.dilation_w;
    return (row_chunk * shape_.slab_columns() + column) * kColumnBytes;
  }

  // The weights for each output of a patch: q(row * share + right).
  void load_weights() {
    for (int row = shape_.rows - 1; row >= 0; --row)
      for (int right = shape_.share - 1; right >= 0; --right) {
        int back = row + 4 * right, index = row * shape_.share + right;
        if (back > 0)
          body_.op("vldrb.u8 q{}, [r3, #-{}]", index, back);
        else
          body_.op("vldrb.u8 q{}, [r3], #16", index);
      }
  }

  void batch_sums(int batch) {
    std::vector<PatchOutput> list = outputs(batch);
    int first = batch * shape_.batch_patches();
    int end = std::min(first + shape_.batch_patches(), shape_.patches());
    for (int chunk = 0; chunk < shape_.chunks(); ++chunk) {
      if (shape_.chunks() > 1) load_weights();
      int row_chunk = chunk / shape_.tap_chunks, tap_chunk = chunk % shape_.tap_chunks;
      for (int patch = first; patch < end; ++patch) {
        std::string q = patch % 2 ? "q5" : "q4";
        int at = patch_place(patch, row_chunk, tap_chunk);
        int next = patch + 1 < shape_.patches() ? patch_place(patch + 1, row_chunk, tap_chunk) : at;
        gather(q, at, next);
        for (size_t i = 0; i < list.size(); ++i) {
          if (list[i].column / shape_.share != patch - first) continue;
          int index = list[i].row * shape_.share + list[i].column % shape_.share;
          body_.op("{}.s8 {}, q{}, {}", chunk == 0 ? "vmladav" : "vmladava", acc(i), index, q);
        }
      }
    }
  }

  // Lanes of the accumulators: outputs `from` on.
  void collect(const std::string& q, size_t from, size_t count) {
    auto lane = [&](size_t i) { return acc(std::min(from + i, count - 1)); };
    body_.op("vmov {0}[2], {0}[0], {1}, {2}", q, lane(0), lane(2));
    body_.op("vmov {0}[3], {0}[1], {1}, {2}", q, lane(1), lane(3));
  }

  void finish_batch(int batch) {
    size_t count = outputs(batch).size();
    bool both = count > 4;
    collect("q4", 0, count);
    if (both) collect("q5", 4, count);
    if (batch == 0) body_.op("ldm r11!, {{r1, r5, r9}}");
    body_.op("vadd.i32 q4, q4, r1");
    std::string low = output_.rescale(body_, "q4", "q6", "r5", "r9"), high = low;
    std::string free = low == "q4" ? "q6" : "q4";
    if (both) {
      body_.op("vadd.i32 q5, q5, r1");
      high = output_.rescale(body_, "q5", free, "r5", "r9");
    }
    std::string temp = !both || high != "q5" ? "q5" : free;
    body_.op("mov lr, #{}", output_.zero());
    output_.narrow(body_, low, high, temp, "lr");
    body_.op("vldrw.u32 {}, [sp, #{}]", temp, batch + 1 == shape_.batches() ? 16 : 0);
    if (batch == 0) {
      body_.op("vstrb.16 {}, [r7, {}]", low, temp);
      return;
    }
    body_.op("ldr r0, [sp, #{}]", kFrameBatchStep);
    body_.op("add r0, r0, r7");
    body_.op("vstrb.16 {}, [r0, {}]", low, temp);
  }

  void channel() {
    if (shape_.chunks() == 1) load_weights();
    for (int batch = 0; batch < shape_.batches(); ++batch) {
      batch_sums(batch);
      finish_batch(batch);
    }
    move(4 - place_, "r0");
    place_ = 0;
    body_.op("add r7, r7, #{}", shape_.dst_step);
    body_.op("ldr r0, [sp, #{}]", kFrameTablesEnd);
    body_.op("cmp r11, r0");
    body_.op("bne.w 1b");
  }

  std::string lane_list(bool rows) const {
    std::string text;
    for (int batch : {0, shape_.batches() - 1}) {
      std::vector<PatchOutput> list = outputs(batch);
      text += text.empty() ? "{{" : ", {";
      for (size_t lane = 0; lane < 8; ++lane) {
        const PatchOutput& output = list[output_of_lane(lane, list.size())];
        text += fmt::format("{}{}", lane ? ", " : "", rows ? output.row : output.column);
      }
      text += "}";
    }
    return text + "}";
  }

  std::string shape_fields() const {
    return fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {},\n    {}, {}, {}", shape_.rows,
                       shape_.columns, shape_.share, shape_.stride_w, shape_.dilation_w,
                       shape_.row_chunks, shape_.tap_chunks, shape_.slab_columns(), shape_.dst_step,
                       output_.c_fields(), shape_.batch_columns(), lane_list(true),
                       lane_list(false));
  }

  std::string text(const PatchKernel& kernel) const {
    CFunction function;
    function.name = kernel.name;
    function.comment = fmt::format("Tiles of {} x {} outputs from patches of 4 x 4 pixels.",
                                   shape_.rows, shape_.columns);
    function.parameters = {"nibble_patches_s8 *patches"};
    function.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
    function.body = body_;
    function.plain_body =
        fmt::format("  nibble_patches_s8_plain(&{}, patches);\n", kernel.shape_name);
    std::string guard = "NIBBLE_HAVE_" + kernel.name.substr(7);
    return fmt::format(
        "#ifndef {0}\n#define {0}\nstatic const nibble_patches_s8_shape {1} = {{\n    "
        "{2}}};\n{3}#endif\n",
        guard, kernel.shape_name, shape_fields(), function_text(function));
  }

  PatchShape shape_;
  const HeliumOutput& output_;
  Assembly body_;
  int place_ = 0;  // of q7, from the channel's first patch
};

}  // namespace

PatchKernel patch_kernel(const PatchShape& shape, const HeliumOutput& output) {
  return PatchWriter(shape, output).write();
}

}  // namespace nibble
