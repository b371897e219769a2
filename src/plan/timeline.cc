// Which part of the arena is in use at each call, and what stands there after each layer.
#include <algorithm>

#include "plan/lifetimes.h"

namespace nibble {

std::vector<int64_t> live_bytes(const Program& program, const MemoryPlan& plan) {
  struct Range {
    int64_t begin, end;
  };
  // A plan from a file brings offsets only.
  const std::vector<Lifetime> lifetimes = find_lifetimes(program);
  std::vector<std::vector<Range>> ranges(program.calls.size() + 2);
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    if (!takes_bytes(program.buffers[i], lifetimes[i])) continue;
    for (int t = lifetimes[i].first_call; t <= lifetimes[i].last_call; ++t)
      ranges[static_cast<size_t>(t + 1)].push_back(
          {plan.offsets[i], plan.offsets[i] + program.buffers[i].bytes});
  }
  std::vector<int64_t> bytes;
  for (std::vector<Range>& at : ranges) {
    std::ranges::sort(at, {}, &Range::begin);
    int64_t sum = 0, end = 0;
    for (const Range& range : at) {
      sum += std::max<int64_t>(0, range.end - std::max(end, range.begin));
      end = std::max(end, range.end);
    }
    bytes.push_back(sum);
  }
  return bytes;
}

namespace {

int dst_buffer(const KernelCall& call) {
  for (const Operand& operand : call.operands)
    if (operand.role == Operand::Role::kDst) return operand.buffer;
  return -1;
}

}  // namespace

std::vector<TracePoint> trace_points(const Program& program, std::span<const int64_t> offsets) {
  std::vector<TracePoint> points;
  auto whole = [&](const KernelCall& call, size_t layer) {
    TracePoint point{layer, 0, 0, 0, 0};
    const int dst = dst_buffer(call);
    if (dst < 0) return point;
    point.bytes = point.of_bytes = program.buffers[static_cast<size_t>(dst)].bytes;
    point.offset = offsets[static_cast<size_t>(dst)];
    return point;
  };
  size_t layer = 0;
  for (const KernelCall& call : program.calls) {
    if (call.members.empty()) points.push_back(whole(call, layer++));
    for (const Band& band : call.bands)
      for (size_t i = 0; i < call.members.size(); ++i) {
        TracePoint point = whole(call.members[i], layer + i);
        const BandWindow* window = find_window(call, dst_buffer(call.members[i]));
        const int64_t row_bytes =
            window ? window->row_bytes : point.of_bytes / call.bands.back().rows[i].end_row;
        point.dst_offset_bytes = band.rows[i].first_row * row_bytes;
        point.bytes = (band.rows[i].end_row - band.rows[i].first_row) * row_bytes;
        if (window) {
          const auto index = static_cast<size_t>(window - call.windows.data());
          point.offset =
              offsets[static_cast<size_t>(window->window)] - band.first_rows[index] * row_bytes;
        }
        point.offset += point.dst_offset_bytes;
        points.push_back(point);
      }
    layer += call.members.size();
  }
  return points;
}

}  // namespace nibble
