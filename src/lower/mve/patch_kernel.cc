#include "lower/mve/patch_kernel.h"

#include <algorithm>
#include <cstdlib>

#include "lower/packing.h"

namespace nibble {
namespace {

// Offsets in nibble_patches_s8 on the target.
constexpr int kWeights = 8, kTablesEnd = 16, kOffsets = 20;
constexpr int kColumnBytes = 64;
constexpr int kReach = 508;

struct PatchOutput {
  int row = 0, column = 0;  // in the tile
};

// A patch and its outputs inside the tile.
struct Patch {
  int band = 0, index = 0;
  std::vector<PatchOutput> outputs;
};

// The patches whose outputs all count come first: the others may then share a batch.
std::vector<std::vector<Patch>> batches_of(const PatchShape& shape) {
  std::vector<Patch> patches;
  for (int band = 0; band < shape.bands; ++band)
    for (int index = 0; index < shape.patches(); ++index) {
      Patch patch{band, index, {}};
      for (int row = 0; row < shape.band_rows; ++row)
        for (int column = index * shape.share;
             column < std::min((index + 1) * shape.share, shape.columns); ++column)
          patch.outputs.push_back({band * shape.band_rows + row, column});
      patches.push_back(std::move(patch));
    }
  std::ranges::stable_sort(patches, std::greater<>(),
                           [](const Patch& patch) { return patch.outputs.size(); });
  std::vector<std::vector<Patch>> batches;
  size_t room = 0;
  for (Patch& patch : patches) {
    if (room < patch.outputs.size()) {
      batches.emplace_back();
      room = 8;
    }
    room -= patch.outputs.size();
    batches.back().push_back(std::move(patch));
  }
  return batches;
}

std::vector<PatchOutput> outputs_of(const std::vector<Patch>& batch) {
  std::vector<PatchOutput> list;
  for (const Patch& patch : batch)
    list.insert(list.end(), patch.outputs.begin(), patch.outputs.end());
  return list;
}

class PatchWriter {
 public:
  PatchWriter(const PatchShape& shape, const HeliumOutput& output)
      : shape_(shape), output_(output), batches_(batches_of(shape)) {
    for (const std::vector<Patch>& batch : batches_)
      for (int chunk = 0; chunk < shape_.chunks(); ++chunk)
        for (const Patch& patch : batch) places_.push_back(place_of(patch, chunk));
  }

  PatchKernel write() {
    PatchKernel kernel;
    prologue();
    kernel.per_call = static_cast<double>(body_.count());
    body_.label(1);
    size_t before = body_.count();
    channel();
    kernel.per_channel = static_cast<double>(body_.count() - before);
    body_.op("add sp, sp, #{}", frame_bytes());
    body_.op("vpop {{d8-d15}}");
    body_.op("pop {{r3-r11, pc}}");
    kernel.per_call += 3;
    kernel.code_bytes = static_cast<int64_t>(body_.count()) * 4;
    std::string all = shape_fields();
    for (const std::string& line : body_.lines()) all += line;
    kernel.name = fmt::format("nibble_patches_s8_mve_{}x{}_{}_{}", shape_.rows(), shape_.columns,
                              output_.name(), text_hash(all));
    kernel.shape_name = kernel.name + "_shape";
    kernel.text = text(kernel);
    return kernel;
  }

 private:
  static std::string acc(size_t index) { return index == 7 ? "lr" : fmt::format("r{}", 2 * index); }

  // The offsets of the batches, then the end of the tables.
  int frame_bytes() const { return 16 * batches() + 8; }
  int batches() const { return static_cast<int>(batches_.size()); }

  // Which output of a batch of `count` stands in a 16-bit lane: the even lanes come from the first
  // four, the odd ones from the others; what is missing repeats.
  static size_t output_of_lane(size_t lane, size_t count) {
    size_t index = lane / 2 + (lane % 2 == 1 && count > 4 ? 4 : 0);
    return std::min(index, count - 1);
  }

  void prologue() {
    body_.op("push {{r3-r11, lr}}");
    body_.op("vpush {{d8-d15}}");
    body_.op("sub sp, sp, #{}", frame_bytes());
    for (int batch = 0; batch < batches(); ++batch) {
      body_.op("vldrw.u32 q{}, [r0, #{}]", batch, kOffsets + 16 * batch);
      body_.op("vstrw.32 q{}, [sp, #{}]", batch, 16 * batch);
    }
    body_.op("ldr r1, [r0, #{}]", kTablesEnd);
    body_.op("str r1, [sp, #{}]", 16 * batches());
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

  // The next patch, in the order of places_. `temp` is a general register.
  void gather(const std::string& q, const std::string& temp) {
    int at = places_[gathered_++];
    int next = places_[std::min(gathered_, places_.size() - 1)];
    int by = at - place_;
    if (std::abs(by) > kReach) {
      move(by, temp);
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

  int place_of(const Patch& patch, int chunk) const {
    int column = patch.index * shape_.share * shape_.stride_w +
                 4 * (chunk % shape_.tap_chunks) * shape_.dilation_w;
    int slab = patch.band * shape_.row_chunks + chunk / shape_.tap_chunks;
    return (slab * shape_.slab_columns() + column) * kColumnBytes;
  }

  // The weights for each output of a patch: q(row in band * share + right).
  void load_weights() {
    for (int row = shape_.band_rows - 1; row >= 0; --row)
      for (int right = shape_.share - 1; right >= 0; --right) {
        int back = row + 4 * right, index = row * shape_.share + right;
        if (back > 0)
          body_.op("vldrb.u8 q{}, [r3, #-{}]", index, back);
        else
          body_.op("vldrb.u8 q{}, [r3], #16", index);
      }
  }

  void batch_sums(const std::vector<Patch>& batch) {
    for (int chunk = 0; chunk < shape_.chunks(); ++chunk) {
      if (shape_.chunks() > 1) load_weights();
      size_t output = 0;
      for (size_t i = 0; i < batch.size(); ++i) {
        std::string q = i % 2 ? "q5" : "q4";
        // Later chunks have one batch, whose table is not read yet.
        gather(q, chunk == 0 ? acc(output) : "r1");
        for (const PatchOutput& to : batch[i].outputs) {
          int index = to.row % shape_.band_rows * shape_.share + to.column % shape_.share;
          body_.op("{}.s8 {}, q{}, {}", chunk == 0 ? "vmladav" : "vmladava", acc(output++), index,
                   q);
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
    size_t count = outputs_of(batches_[static_cast<size_t>(batch)]).size();
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
    body_.op("vldrw.u32 {}, [sp, #{}]", temp, 16 * batch);
    body_.op("vstrb.16 {}, [r7, {}]", low, temp);
  }

  void channel() {
    if (shape_.chunks() == 1) load_weights();
    for (int batch = 0; batch < batches(); ++batch) {
      batch_sums(batches_[static_cast<size_t>(batch)]);
      finish_batch(batch);
    }
    move(4 - place_, "r0");
    body_.op("add r7, r7, #{}", shape_.dst_step);
    body_.op("ldr r0, [sp, #{}]", 16 * batches());
    body_.op("cmp r11, r0");
    body_.op("bne.w 1b");
  }

  std::string lane_list(bool rows) const {
    std::string text;
    for (const std::vector<Patch>& batch : batches_) {
      std::vector<PatchOutput> list = outputs_of(batch);
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
    return fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},\n    {},\n    {}",
                       shape_.bands, shape_.band_rows, shape_.columns, shape_.share,
                       shape_.stride_w, shape_.dilation_w, shape_.row_chunks, shape_.tap_chunks,
                       shape_.slab_columns(), shape_.dst_step, output_.c_fields(), batches(),
                       lane_list(true), lane_list(false));
  }

  std::string text(const PatchKernel& kernel) const {
    CFunction function;
    function.name = kernel.name;
    function.comment = fmt::format("Tiles of {} x {} outputs from patches of 4 x 4 pixels.",
                                   shape_.rows(), shape_.columns);
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
  std::vector<std::vector<Patch>> batches_;
  std::vector<int> places_;  // of all gathers of a channel, from its first patch
  size_t gathered_ = 0;
  int place_ = 0;  // of q7
};

}  // namespace

int patch_batches(const PatchShape& shape) { return static_cast<int>(batches_of(shape).size()); }

PatchKernel patch_kernel(const PatchShape& shape, const HeliumOutput& output) {
  return PatchWriter(shape, output).write();
}

}  // namespace nibble
