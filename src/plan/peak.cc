// Who sets the arena: the calls that need all of it by themselves.
#include <algorithm>

#include "plan/lifetimes.h"
#include "plan/placement.h"

namespace nibble {
namespace {

// So many calls at most are tried at every place; longer ones at one.
constexpr int kShortRun = 3;
constexpr int64_t kPartWork = 1'000'000;

class PeakSearch {
 public:
  PeakSearch(const Program& program, int64_t bytes)
      : program_(program), lifetimes_(find_lifetimes(program)), bytes_(bytes) {}

  // Proved: calls [first, end), and what lives on before and after them, cannot do with less.
  bool needs_all(int first, int end) const {
    Program part;
    part.buffers = program_.buffers;
    part.calls.assign(program_.calls.begin() + first, program_.calls.begin() + end);
    add_ports(part, lifetimes_, {first, end}, count());
    Result<MemoryPlan> made = plan_within(part, kPartWork);
    if (!made.ok()) return false;
    return made->lower_bound_bytes >= bytes_ ||
           (made->method == "optimal" && made->arena_bytes >= bytes_);
  }

  std::optional<Peak> find() const {
    if (needs_all(0, 0)) return Peak{-1, -1, bytes_};
    if (needs_all(count(), count())) return Peak{count(), count(), bytes_};
    for (int length = 1; length <= std::min(kShortRun, count()); ++length)
      for (int first = 0; first + length <= count(); ++first)
        if (needs_all(first, first + length)) return Peak{first, first + length - 1, bytes_};
    if (count() <= kShortRun || !needs_all(0, count())) return std::nullopt;
    int fits = kShortRun, end = count();
    while (end - fits > 1) {
      const int middle = (fits + end) / 2;
      (needs_all(0, middle) ? end : fits) = middle;
    }
    int first = 0, behind = end - kShortRun;
    while (behind - first > 1) {
      const int middle = (first + behind) / 2;
      (needs_all(middle, end) ? first : behind) = middle;
    }
    return Peak{first, end - 1, bytes_};
  }

 private:
  int count() const { return static_cast<int>(program_.calls.size()); }

  const Program& program_;
  const std::vector<Lifetime> lifetimes_;
  const int64_t bytes_;
};

}  // namespace

Peak find_peak(const Program& program, const MemoryPlan& plan) {
  const bool is_proved = plan.method.starts_with("optimal");
  const int64_t bytes = is_proved ? plan.arena_bytes : plan.lower_bound_bytes;
  if (std::optional<Peak> peak = PeakSearch(program, bytes).find()) return *peak;
  // A plan from a file, or a bound for all orders: where most is live.
  const std::vector<int64_t> live = live_bytes(program, plan);
  const auto most = std::ranges::max_element(live);
  const auto time = static_cast<int>(most - live.begin()) - 1;
  return {time, time, *most};
}

}  // namespace nibble
