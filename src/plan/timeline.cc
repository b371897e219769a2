// Which part of the arena is in use at each call.
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

}  // namespace nibble
