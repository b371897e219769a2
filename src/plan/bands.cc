// The rows of a group: backwards from the bands of its last dst to what each member has to have
// computed by then, and forwards to how long a row is still needed.
#include "plan/bands.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "plan/lifetimes.h"

namespace nibble {
namespace {

constexpr int64_t kRowAlign = 4;  // of windows, and of row 0 of the whole buffer in them
constexpr int64_t kScratchAlign = 8;

std::optional<int64_t> number_field(const KernelCall& call, std::string_view name) {
  for (const auto& [field, value] : call.fields)
    if (field == name && std::holds_alternative<int64_t>(value)) return std::get<int64_t>(value);
  return std::nullopt;
}

int32_t field_or(const KernelCall& call, std::string_view name, int32_t other) {
  return static_cast<int32_t>(number_field(call, name).value_or(other));
}

const Operand* dst_of(const KernelCall& call) {
  auto dst = std::ranges::find(call.operands, Operand::Role::kDst, &Operand::role);
  return dst == call.operands.end() ? nullptr : &*dst;
}

int64_t bytes_of(const Program& program, int buffer) {
  return program.buffers[static_cast<size_t>(buffer)].bytes;
}

// What is known of the rows of buffers; false where two say different things.
class RowCounts {
 public:
  bool set(int buffer, int32_t rows) {
    auto [known, is_new] = rows_.try_emplace(buffer, rows);
    return rows > 0 && (is_new || known->second == rows);
  }
  int32_t rows(int buffer) const {
    auto found = rows_.find(buffer);
    return found == rows_.end() ? 0 : found->second;
  }

 private:
  std::map<int, int32_t> rows_;
};

}  // namespace

int32_t RowRule::src_first(int32_t first_row) const {
  if (!is_image) return first_row;
  return static_cast<int32_t>(
      std::clamp<int64_t>(int64_t{first_row} * stride_h - pad_top, 0, in_h));
}

int32_t RowRule::src_end(int32_t end_row) const {
  if (!is_image) return end_row;
  const int64_t last = int64_t{end_row - 1} * stride_h - pad_top + int64_t{k_h - 1} * dilation_h;
  return static_cast<int32_t>(std::clamp<int64_t>(last + 1, 0, in_h));
}

std::optional<RowRule> row_rule(const Program& program, const KernelCall& call) {
  const Operand* dst = dst_of(call);
  if (!call.members.empty() || !dst || dst->offset_bytes != 0) return std::nullopt;
  for (const Operand& operand : call.operands)
    if (operand.role == Operand::Role::kSrc && (operand.buffer < 0 || operand.offset_bytes != 0))
      return std::nullopt;
  const KernelFunction* function =
      call.function < 0 ? nullptr : &program.functions[static_cast<size_t>(call.function)];
  RowRule rule;
  if (number_field(call, "in_h") && number_field(call, "out_h") && number_field(call, "k_h")) {
    rule.is_image = true;
    rule.in_h = field_or(call, "in_h", 0), rule.out_h = field_or(call, "out_h", 0);
    rule.k_h = field_or(call, "k_h", 1), rule.stride_h = field_or(call, "stride_h", 1);
    rule.dilation_h = field_or(call, "dilation_h", 1), rule.pad_top = field_or(call, "pad_top", 0);
    const bool has_rows = !function || function->takes_rows;
    if (!has_rows || field_or(call, "batches", 1) != 1 || rule.in_h < 1 || rule.out_h < 1)
      return std::nullopt;
    return rule;
  }
  // Element by element: all operands are as long.
  std::optional<int64_t> len = number_field(call, "len");
  if (!len || *len < 1) return std::nullopt;
  if (function && (call.arguments.empty() || call.arguments.back() != FieldValue(*len)))
    return std::nullopt;
  for (const Operand& operand : call.operands)
    if (operand.role == Operand::Role::kScratch || bytes_of(program, operand.buffer) % *len != 0)
      return std::nullopt;
  return rule;
}

std::optional<BandGroup> BandGroup::of(const Program& program, size_t first_call, size_t end_call) {
  BandGroup group;
  group.first_call_ = first_call;
  for (size_t i = first_call; i < end_call; ++i) {
    const KernelCall& call = program.calls[i];
    std::optional<RowRule> rule = row_rule(program, call);
    if (!rule) return std::nullopt;
    group.rules_.push_back(*rule);
    group.dst_.push_back(dst_of(call)->buffer);
    group.in_place_.push_back(call.in_place);
    std::vector<int>& reads = group.reads_.emplace_back();
    for (const Operand& operand : call.operands) {
      if (operand.role == Operand::Role::kSrc) reads.push_back(operand.buffer);
      if (operand.role == Operand::Role::kScratch)
        group.scratch_bytes_ = std::max(group.scratch_bytes_, bytes_of(program, operand.buffer));
    }
  }
  if (!group.find_buffers(program) || !group.find_rows(program)) return std::nullopt;
  group.find_sources(program);
  return group;
}

// The buffers between members: written by one, read only by later ones.
bool BandGroup::find_buffers(const Program& program) {
  const size_t end = first_call_ + dst_.size();
  auto member_reads = [&](size_t member, int buffer) {
    return std::ranges::find(reads_[member], buffer) != reads_[member].end();
  };
  for (size_t i = 0; i < dst_.size(); ++i) {
    const int buffer = dst_[i];
    if (std::ranges::count(dst_, buffer) != 1) return false;
    for (size_t j = 0; j <= i; ++j)
      if (member_reads(j, buffer)) return false;
    const bool is_last = i + 1 == dst_.size();
    bool read = is_last;
    for (size_t j = i + 1; j < dst_.size(); ++j) read = read || member_reads(j, buffer);
    if (!read) return false;
    for (size_t c = 0; c < program.calls.size(); ++c) {
      if (c >= first_call_ && c < end) continue;
      for (const Operand& operand : program.calls[c].operands)
        if (operand.buffer == buffer && (!is_last || operand.role != Operand::Role::kSrc))
          return false;
    }
    auto is_it = [&](const ProgramPort& port) { return port.buffer == buffer; };
    if (std::ranges::any_of(program.inputs, is_it)) return false;
    if (!is_last && std::ranges::any_of(program.outputs, is_it)) return false;
    if (!is_last) windows_.push_back({buffer, -1, 0});
  }
  return true;
}

// Rows of all buffers, those of element-wise members from what they share with others.
bool BandGroup::find_rows(const Program& program) {
  RowCounts counts;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].is_image) continue;
    if (!counts.set(dst_[i], rules_[i].out_h)) return false;
    for (int buffer : reads_[i])
      if (!counts.set(buffer, rules_[i].in_h)) return false;
  }
  for (size_t round = 0; round < rules_.size(); ++round)
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (rules_[i].is_image) continue;
      int32_t rows = counts.rows(dst_[i]);
      for (int buffer : reads_[i]) rows = std::max(rows, counts.rows(buffer));
      if (rows == 0) continue;
      rules_[i].in_h = rules_[i].out_h = rows;
      if (!counts.set(dst_[i], rows)) return false;
      for (int buffer : reads_[i])
        if (!counts.set(buffer, rows)) return false;
    }
  auto row_bytes = [&](int buffer) {
    const int64_t rows = counts.rows(buffer), bytes = bytes_of(program, buffer);
    return rows > 0 && bytes % rows == 0 ? bytes / rows : 0;
  };
  for (BandWindow& window : windows_) {
    window.row_bytes = row_bytes(window.buffer);
    if (window.row_bytes == 0) return false;
  }
  for (size_t i = 0; i < rules_.size(); ++i) {
    const KernelCall& call = program.calls[first_call_ + i];
    std::vector<int> buffers = reads_[i];
    buffers.push_back(dst_[i]);
    for (int buffer : buffers) {
      const int64_t bytes = row_bytes(buffer);
      // A slice starts at a multiple of 4 bytes, and holds whole elements.
      if (bytes == 0 || (!rules_[i].is_image && bytes % kRowAlign != 0)) return false;
      if (!rules_[i].is_image && *number_field(call, "len") % rules_[i].out_h != 0) return false;
    }
  }
  dst_row_bytes_ = row_bytes(dst_.back());
  return true;
}

// The first source is the one that the dst may take the place of: that of the last member, if it
// works in place, else that of the first.
void BandGroup::find_sources(const Program& program) {
  auto add = [&](int buffer) {
    const bool inside = std::ranges::find(dst_, buffer) != dst_.end();
    if (!inside && std::ranges::find(sources_, buffer) == sources_.end())
      sources_.push_back(buffer);
  };
  if (in_place_.back())
    for (int buffer : reads_.back())
      if (bytes_of(program, buffer) == bytes_of(program, dst_.back())) add(buffer);
  for (const std::vector<int>& buffers : reads_)
    for (int buffer : buffers) add(buffer);
  for (size_t i = 0; i < rules_.size() && src_row_bytes_ == 0; ++i)
    if (std::ranges::find(reads_[i], sources_.front()) != reads_[i].end())
      src_row_bytes_ = bytes_of(program, sources_.front()) / rules_[i].in_h;
}

// Rows of the members in each band; windows come later.
std::vector<Band> BandGroup::cut_rows(int32_t height) const {
  std::vector<Band> bands;
  std::vector<int32_t> done(rules_.size(), 0);
  for (int32_t end_row = 0; end_row < rows();) {
    end_row = std::min(rows(), end_row + height);
    std::vector<int32_t> end = done;
    end.back() = end_row;
    for (size_t i = rules_.size() - 1; i-- > 0;) {
      // In the last band also what nobody needs, so that every layer is computed whole.
      if (end_row == rows()) end[i] = rules_[i].out_h;
      for (size_t reader = i + 1; reader < rules_.size(); ++reader)
        if (std::ranges::find(reads_[reader], dst_[i]) != reads_[reader].end() &&
            end[reader] > done[reader])
          end[i] = std::max(end[i], rules_[reader].src_end(end[reader]));
    }
    Band& band = bands.emplace_back();
    for (size_t i = 0; i < rules_.size(); ++i) {
      BandRows rows{done[i], end[i], 0, 0};
      if (done[i] < end[i]) {
        rows.src_end_row = rules_[i].src_end(end[i]);
        rows.src_first_row = std::min(rules_[i].src_first(done[i]), rows.src_end_row);
      }
      band.rows.push_back(rows);
    }
    done = end;
  }
  return bands;
}

BandCut BandGroup::cut(int32_t height) const {
  BandCut cut;
  cut.bands = cut_rows(height);
  for (const BandWindow& window : windows_) {
    const auto writer = static_cast<size_t>(std::ranges::find(dst_, window.buffer) - dst_.begin());
    const int64_t step = kRowAlign / std::gcd(kRowAlign, window.row_bytes);
    int64_t most = 0, before = 0;
    for (Band& band : cut.bands) {
      int32_t first = band.rows[writer].first_row;
      for (size_t i = writer + 1; i < rules_.size(); ++i)
        if (std::ranges::find(reads_[i], window.buffer) != reads_[i].end() &&
            band.rows[i].first_row < rules_[i].out_h)
          first = std::min(first, rules_[i].src_first(band.rows[i].first_row));
      first = static_cast<int32_t>(first / step * step);
      band.first_rows.push_back(first);
      most = std::max(most, (band.rows[writer].end_row - first) * window.row_bytes);
      if (first > before)
        cut.moved_bytes += (band.rows[writer].first_row - first) * window.row_bytes;
      before = first;
    }
    cut.window_bytes.push_back(most);
  }
  fill_progress(cut);
  return cut;
}

// Two moments for each band: before the last member starts, and after it. In place: the last member
// is, and no other reads below what is written.
void BandGroup::fill_progress(BandCut& cut) const {
  auto reads = [&](size_t member) {
    return std::ranges::find(reads_[member], sources_.front()) != reads_[member].end();
  };
  const size_t last = rules_.size() - 1;
  // The first row that a member still reads once it has computed its rows up to `end`.
  auto unread = [&](size_t member, int32_t end) {
    return end < rules_[member].out_h ? rules_[member].src_first(end)
                                      : std::numeric_limits<int32_t>::max();
  };
  cut.in_place = in_place_.back() && !rules_.back().is_image && reads(last) &&
                 src_row_bytes_ == dst_row_bytes_;
  std::vector<AccessStep> steps;
  for (const Band& band : cut.bands) {
    int32_t others = std::numeric_limits<int32_t>::max();
    for (size_t i = 0; i < last; ++i)
      if (reads(i)) others = std::min(others, unread(i, band.rows[i].end_row));
    const BandRows& rows = band.rows[last];
    const int64_t source_bytes = src_row_bytes_ * [&] {
      for (size_t i = 0; i < rules_.size(); ++i)
        if (reads(i)) return rules_[i].in_h;
      NIBBLE_UNREACHABLE("the first source of a group is read");
    }();
    auto bytes = [&](int32_t row) { return std::min(source_bytes, row * src_row_bytes_); };
    int32_t before = others, after = others;
    if (reads(last)) {
      before = std::min(before, unread(last, rows.first_row));
      after = std::min(after, unread(last, rows.end_row));
    }
    steps.push_back({rows.first_row * dst_row_bytes_, bytes(before)});
    steps.push_back({rows.end_row * dst_row_bytes_, bytes(after)});
    cut.in_place = cut.in_place && others >= rows.end_row;
  }
  cut.progress = thin_out(steps, rows() * dst_row_bytes_);
}

KernelCall BandGroup::make(Program& program, const BandCut& cut) const {
  auto add_buffer = [&](std::string name, int64_t bytes, int64_t align_bytes) {
    program.buffers.push_back({std::move(name), bytes, align_bytes});
    return static_cast<int>(program.buffers.size()) - 1;
  };
  KernelCall group;
  for (size_t i = first_call_; i < end_call(); ++i) group.members.push_back(program.calls[i]);
  const KernelCall &first = group.members.front(), &last = group.members.back();
  group.layer = first.layer + " .. " + last.layer;
  group.op = "bands";
  group.shapes = first.shapes.substr(0, first.shapes.find(" -> ")) +
                 last.shapes.substr(std::min(last.shapes.size(), last.shapes.find(" -> ")));
  for (int buffer : sources_) group.operands.push_back({Operand::Role::kSrc, buffer, 0, -1});
  group.operands.push_back({Operand::Role::kDst, dst_.back(), 0, -1});
  group.windows = windows_;
  for (size_t i = 0; i < windows_.size(); ++i) {
    const std::string& name = program.buffers[static_cast<size_t>(windows_[i].buffer)].name;
    group.windows[i].window = add_buffer(name + ".window", cut.window_bytes[i], kRowAlign);
    group.operands.push_back({Operand::Role::kScratch, group.windows[i].window, 0, -1});
  }
  if (scratch_bytes_ > 0) {
    const int scratch = add_buffer(group.layer + ".scratch", scratch_bytes_, kScratchAlign);
    group.operands.push_back({Operand::Role::kScratch, scratch, 0, -1});
    for (KernelCall& member : group.members)
      for (Operand& operand : member.operands)
        if (operand.role == Operand::Role::kScratch) operand.buffer = scratch;
  }
  for (KernelCall& member : group.members) {
    group.macs += member.macs;
    group.cycles += member.cycles;
    // They lie apart: what each may share counts for the group alone.
    member.in_place = false;
    member.progress.clear();
    member.progress_unit = 1;
    member.scratch_progress.clear();
  }
  group.bands = cut.bands;
  group.in_place = cut.in_place;
  group.progress = cut.progress;
  return group;
}

Program with_groups(const Program& program, const std::vector<ChosenGroup>& groups) {
  Program result = program;
  std::vector<KernelCall> made;
  for (const ChosenGroup& chosen : groups)
    made.push_back(chosen.group.make(result, chosen.group.cut(chosen.height)));
  for (size_t i = groups.size(); i-- > 0;) {
    auto first = result.calls.begin() + static_cast<std::ptrdiff_t>(groups[i].group.first_call());
    auto end = result.calls.begin() + static_cast<std::ptrdiff_t>(groups[i].group.end_call());
    result.calls.insert(result.calls.erase(first, end), std::move(made[i]));
  }
  return result;
}

}  // namespace nibble
