// Proves the bands of groups, with no code of what makes them: every row is computed once, from
// rows that its window holds at that time, and the group's moments are true. Part of check_plan.
#include "plan/check_groups.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace nibble {
namespace {

int64_t number_of(const KernelCall& call, std::string_view name, int64_t other) {
  for (const auto& [field, value] : call.fields)
    if (field == name && std::holds_alternative<int64_t>(value)) return std::get<int64_t>(value);
  return other;
}

class GroupSimulation {
 public:
  GroupSimulation(const Program& program, const KernelCall& group)
      : program_(program),
        group_(group),
        done_(group.members.size(), 0),
        rows_(group.members.size(), 0) {}

  Status run() {
    NIBBLE_TRY(find_rows());
    std::vector<int32_t> before(group_.windows.size(), 0);
    for (size_t band = 0; band < group_.bands.size(); ++band) {
      band_ = band;
      for (size_t w = 0; w < before.size(); ++w) {
        const int32_t first = current().first_rows[w];
        if (first < before[w] || first > done_[writer(w)] ||
            first * group_.windows[w].row_bytes % 4 != 0)
          return wrong("a window starts at a wrong row");
        before[w] = first;
      }
      for (size_t i = 0; i < group_.members.size(); ++i) NIBBLE_TRY(compute(i));
    }
    if (done_ != rows_) return wrong("not all rows are computed");
    return check_sharing();
  }

 private:
  // What a member does to the buffers from outside, in rows.
  struct Event {
    int64_t read_from = std::numeric_limits<int64_t>::max();  // of the first source
    int64_t read_end = 0;
    int64_t written_from = 0, written_end = 0;  // of the group's dst
    bool element_wise = false;
  };

  const Band& current() const { return group_.bands[band_]; }
  Error wrong(std::string_view what) const {
    return input_error(
        fmt::format("program: bands of the group \"{}\": {} (band {}); lower the "
                    "model again",
                    group_.layer, what, band_));
  }
  static const Operand* dst(const KernelCall& call) {
    auto found = std::ranges::find(call.operands, Operand::Role::kDst, &Operand::role);
    return found == call.operands.end() ? nullptr : &*found;
  }
  bool is_image(size_t member) const { return number_of(group_.members[member], "out_h", 0) > 0; }
  size_t writer(size_t window) const {
    for (size_t i = 0; i < group_.members.size(); ++i)
      if (dst(group_.members[i])->buffer == group_.windows[window].buffer) return i;
    return 0;
  }
  int64_t buffer_bytes(int buffer) const {
    return program_.buffers[static_cast<size_t>(buffer)].bytes;
  }
  int64_t window_bytes(const BandWindow& window) const { return buffer_bytes(window.window); }

  Status find_rows() {
    int outside = 0;
    for (size_t i = 0; i < group_.members.size(); ++i) {
      const KernelCall& member = group_.members[i];
      const Operand* written = dst(member);
      if (!written) return wrong("a member without dst");
      if (!computes_rows(member)) return wrong("a member that cannot compute some of its rows");
      const BandWindow* window = find_window(group_, written->buffer);
      outside += !window;
      // How many rows an element-wise member has, the bands say.
      rows_[i] =
          static_cast<int32_t>(number_of(member, "out_h", group_.bands.back().rows[i].end_row));
      if (rows_[i] < 1 || number_of(member, "batches", 1) != 1)
        return wrong("a member without rows, or with batches");
      if (window && window->row_bytes * rows_[i] != buffer_bytes(window->buffer))
        return wrong("a window with rows of another length");
      const bool divides = buffer_bytes(written->buffer) % rows_[i] == 0 &&
                           number_of(member, "len", rows_[i]) % rows_[i] == 0;
      if (!divides) return wrong("rows that hold no whole elements");
    }
    const Operand* last = dst(group_.members.back());
    if (outside != 1 || find_window(group_, last->buffer) || last->buffer != dst(group_)->buffer)
      return wrong("the last member alone writes the group's dst");
    return {};
  }

  // Kernels on images say how their windows lie; of others any part is computed by its length.
  bool computes_rows(const KernelCall& member) const {
    auto has = [&](std::string_view name) { return number_of(member, name, -1) >= 0; };
    for (const Operand& operand : member.operands)
      if (operand.offset_bytes != 0) return false;
    const bool calls_function = member.function >= 0;
    if (has("out_h"))
      return has("in_h") && has("k_h") && has("stride_h") && has("pad_top") &&
             (!calls_function ||
              program_.functions[static_cast<size_t>(member.function)].takes_rows);
    return has("len") && (!calls_function ||
                          (!member.arguments.empty() &&
                           member.arguments.back() == FieldValue(number_of(member, "len", 0))));
  }

  // The rows of its source that a member reads.
  std::pair<int64_t, int64_t> reads(size_t member, const BandRows& rows) const {
    if (!is_image(member)) return {rows.first_row, rows.end_row};
    const KernelCall& call = group_.members[member];
    const int64_t stride = number_of(call, "stride_h", 1), pad = number_of(call, "pad_top", 0);
    const int64_t reach = (number_of(call, "k_h", 1) - 1) * number_of(call, "dilation_h", 1);
    const int64_t in_h = number_of(call, "in_h", 0);
    const int64_t first = std::clamp<int64_t>(rows.first_row * stride - pad, 0, in_h);
    const int64_t end = std::clamp<int64_t>((rows.end_row - 1) * stride - pad + reach + 1, 0, in_h);
    return {std::min(first, end), end};
  }

  Status compute(size_t member) {
    const BandRows& rows = current().rows[member];
    if (rows.first_row != done_[member] || rows.end_row < rows.first_row ||
        rows.end_row > rows_[member])
      return wrong("rows are left out or computed twice");
    Event event;
    if (rows.first_row < rows.end_row) {
      auto [first, end] = reads(member, rows);
      if (is_image(member) && (first != rows.src_first_row || end != rows.src_end_row))
        return wrong("a member reads other rows than it needs");
      NIBBLE_TRY(check_reads(member, first, end, event));
      done_[member] = rows.end_row;
    }
    const Operand* written = dst(group_.members[member]);
    if (const BandWindow* window = find_window(group_, written->buffer)) {
      const auto index = static_cast<size_t>(window - group_.windows.data());
      if ((done_[member] - current().first_rows[index]) * window->row_bytes > window_bytes(*window))
        return wrong("a window is too small");
    } else {
      const int64_t row_bytes = buffer_bytes(written->buffer) / rows_[member];
      event.written_from = rows.first_row * row_bytes;
      event.written_end = rows.end_row * row_bytes;
    }
    event.element_wise = !is_image(member);
    events_.push_back(event);
    return {};
  }

  Status check_reads(size_t member, int64_t first, int64_t end, Event& event) {
    const KernelCall& call = group_.members[member];
    for (const Operand& operand : call.operands) {
      if (operand.role != Operand::Role::kSrc) continue;
      const int64_t in_rows = is_image(member) ? number_of(call, "in_h", 1) : rows_[member];
      const int64_t row_bytes = buffer_bytes(operand.buffer) / std::max<int64_t>(1, in_rows);
      if (const BandWindow* window = find_window(group_, operand.buffer)) {
        const auto index = static_cast<size_t>(window - group_.windows.data());
        const bool there = first >= current().first_rows[index] && end <= done_[writer(index)];
        if (window->row_bytes != row_bytes || (first < end && !there))
          return wrong("a row is read that its window does not hold");
      } else if (operand.buffer == group_.operands.front().buffer) {
        event.read_from = std::min(event.read_from, first * row_bytes);
        event.read_end = std::max(event.read_end, end * row_bytes);
      }
    }
    return {};
  }

  // Every moment of the group stands between two of its events; in place, nothing that is written
  // is read later.
  Status check_sharing() const {
    const size_t count = events_.size();
    std::vector<int64_t> written(count + 1, 0);
    std::vector<int64_t> unread(count + 1, std::numeric_limits<int64_t>::max());
    for (size_t i = 0; i < count; ++i) {
      written[i + 1] = std::max(written[i], events_[i].written_end);
      const Event& event = events_[count - 1 - i];
      const bool reads = event.read_from < event.read_end;
      unread[count - 1 - i] = std::min(unread[count - i], reads ? event.read_from : unread[count]);
    }
    for (const AccessStep& step : group_.progress) {
      bool found = false;
      for (size_t i = 0; i <= count && !found; ++i)
        found = written[i] <= step.written_bytes && unread[i] >= step.unread_from_bytes;
      if (!found) return wrong("a moment of the group is not true");
    }
    for (size_t i = 0; i < count && group_.in_place; ++i) {
      const Event& event = events_[i];
      if (event.written_from == event.written_end) continue;
      const bool own = event.read_from >= event.read_end ||
                       (event.element_wise && event.read_from == event.written_from);
      if (!own || unread[i + 1] < event.written_end)
        return wrong("the group overwrites in place what it still reads");
    }
    return {};
  }

  const Program& program_;
  const KernelCall& group_;
  size_t band_ = 0;
  std::vector<int32_t> done_, rows_;  // per member
  std::vector<Event> events_;
};

}  // namespace

Status check_groups(const Program& program) {
  for (const KernelCall& call : program.calls)
    if (!call.members.empty()) NIBBLE_TRY(GroupSimulation(program, call).run());
  return {};
}

}  // namespace nibble
