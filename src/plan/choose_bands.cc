// Which calls run band by band, and how high the bands are: for a limit of bytes the groups that
// cost the least time, by dynamic programming over the list of calls; then the limit for which the
// whole plan fits.
#include <algorithm>
#include <limits>
#include <set>

#include "base/rng.h"
#include "plan/bands.h"
#include "plan/lifetimes.h"

namespace nibble {
namespace {

constexpr size_t kMaxMembers = 12;
constexpr int32_t kHeights[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
// Beside the members' work: of a member in a band, of a band, of a byte that is moved.
constexpr double kCyclesPerCall = 120, kCyclesPerBand = 30, kCyclesPerMovedByte = 0.6;
// Plans that are made for one budget.
constexpr int kMaxPlans = 24;
// Where it fits already.
constexpr int kFreePlans = 12;
// An arena that is smaller by less is not worth the code of a group.
constexpr double kWorthwhile = 0.03;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// Calls [first, end) as one call, or a single call as it is (height 0).
struct Segment {
  size_t first = 0, end = 0;
  int32_t height = 0;
  int64_t need_bytes = 0;
  double extra_cycles = 0;
};

// What the dynamic programming finds for a limit.
struct Choice {
  std::vector<const Segment*> segments;  // all of the program, in order
  double extra_cycles = 0;
  int64_t need_bytes = 0;  // the largest
};

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// What `count` rows cost, in rows of the whole image and its strips.
class MemberCost {
 public:
  explicit MemberCost(const KernelCall& call, int32_t rows) : cost_(call.row_cost) {
    for (const auto& [name, value] : call.fields)
      if (name == "out_w" && std::holds_alternative<int64_t>(value))
        columns_ = std::get<int64_t>(value);
    const int64_t rest = call.cycles - strip_cycles(rows) - cost_.call_cycles;
    row_cycles_ = static_cast<double>(std::max<int64_t>(0, rest)) / units(rows);
  }
  double cycles(int32_t rows) const {
    return row_cycles_ * units(rows) + static_cast<double>(strip_cycles(rows) + cost_.call_cycles);
  }

 private:
  double units(int32_t rows) const {
    if (cost_.pixels > 1) return static_cast<double>(round_up(rows * columns_, cost_.pixels));
    return static_cast<double>(round_up(rows, cost_.rows));
  }
  int64_t strip_cycles(int32_t rows) const {
    if (cost_.strip_rows == 0) return 0;
    return round_up(rows, cost_.strip_rows) / cost_.strip_rows * cost_.strip_cycles;
  }

  RowCost cost_;
  int64_t columns_ = 1;
  double row_cycles_ = 0;
};

// What the bands cost more than their members at once.
double group_cycles(const Program& program, const BandGroup& group, const BandCut& cut) {
  double cycles = kCyclesPerMovedByte * static_cast<double>(cut.moved_bytes) +
                  kCyclesPerBand * static_cast<double>(cut.bands.size());
  for (size_t i = 0; i < cut.bands[0].rows.size(); ++i) {
    const KernelCall& call = program.calls[group.first_call() + i];
    const MemberCost cost(call, cut.bands.back().rows[i].end_row);
    double sum = 0;
    for (const Band& band : cut.bands)
      if (int32_t count = band.rows[i].end_row - band.rows[i].first_row; count > 0)
        sum += cost.cycles(count) + kCyclesPerCall;
    cycles += sum - static_cast<double>(call.cycles);
  }
  return std::max(0.0, cycles);
}

class BandSearch {
 public:
  // Groups without a call that needs more than `floor_bytes` alone are left out: the arena will not
  // be smaller.
  BandSearch(const Program& program, int64_t floor_bytes)
      : program_(program), lifetimes_(find_lifetimes(program)) {
    std::vector<bool> is_large;
    for (size_t call = 0; call < program.calls.size(); ++call) {
      add_single(call);
      is_large.push_back(segments_.back().need_bytes > floor_bytes);
    }
    for (size_t first = 0; first < program.calls.size(); ++first) {
      bool large = is_large[first];
      const size_t most = std::min(program.calls.size(), first + kMaxMembers);
      for (size_t end = first + 2; end <= most && row_rule(program, program.calls[end - 1]);
           ++end) {
        large = large || is_large[end - 1];
        if (!large) continue;
        if (std::optional<BandGroup> group = BandGroup::of(program, first, end)) add_group(*group);
      }
    }
    std::ranges::stable_sort(segments_, {}, &Segment::first);
  }

  double program_cycles() const {
    double cycles = 0;
    for (const KernelCall& call : program_.calls) cycles += static_cast<double>(call.cycles);
    return cycles;
  }

  // The smallest limit for which there are segments of no more cost.
  std::optional<int64_t> least_limit(double max_extra) const {
    std::set<int64_t, std::greater<>> sorted;
    for (const Segment& segment : segments_) sorted.insert(segment.need_bytes);
    const std::vector<int64_t> limits(sorted.begin(), sorted.end());
    auto end = std::ranges::partition_point(limits, [&](int64_t limit) {
      std::optional<Choice> choice = choose(limit);
      return choice && choice->extra_cycles <= max_extra;
    });
    return end == limits.begin() ? std::nullopt : std::optional(*(end - 1));
  }

  // What was live at each segment of a choice (index 0: before the first): where it is more than
  // the limit, that is what the segment needs. One of them is not tried again.
  void learn(const Choice& choice, const std::vector<int64_t>& live, int64_t limit) {
    size_t most = 0;
    for (size_t i = 0; i < choice.segments.size(); ++i)
      if (live[i + 1] > live[most + 1]) most = i;
    for (size_t i = 0; i < choice.segments.size(); ++i) {
      auto at = static_cast<size_t>(choice.segments[i] - segments_.data());
      int64_t& need = segments_[at].need_bytes;
      if (live[i + 1] > limit || i == most) need = std::max({need, live[i + 1], limit + 1});
    }
  }

  // The segments of least cost of which none needs more than the limit. Nothing if there are none.
  std::optional<Choice> choose(int64_t limit_bytes) const {
    const size_t count = program_.calls.size();
    constexpr double kNever = std::numeric_limits<double>::infinity();
    std::vector<double> cost(count + 1, kNever);
    std::vector<const Segment*> last(count + 1, nullptr);
    cost[0] = 0;
    // Segments stand in the order of their first calls.
    for (const Segment& segment : segments_) {
      if (segment.need_bytes > limit_bytes || cost[segment.first] == kNever) continue;
      const double found = cost[segment.first] + segment.extra_cycles;
      if (found >= cost[segment.end]) continue;
      cost[segment.end] = found;
      last[segment.end] = &segment;
    }
    if (cost[count] == kNever) return std::nullopt;
    Choice choice;
    choice.extra_cycles = cost[count];
    for (size_t end = count; end > 0; end = choice.segments.back()->first) {
      choice.segments.push_back(last[end]);
      choice.need_bytes = std::max(choice.need_bytes, last[end]->need_bytes);
    }
    std::ranges::reverse(choice.segments);
    return choice;
  }

  Program apply(const Choice& choice) const {
    std::vector<ChosenGroup> groups;
    for (const Segment* segment : choice.segments)
      if (segment->height > 0)
        groups.push_back({*BandGroup::of(program_, segment->first, segment->end), segment->height});
    Program result = with_groups(program_, groups);
    size_t next = 0;
    for (KernelCall& call : result.calls) {
      if (call.members.empty()) continue;
      const BandGroup& group = groups[next].group;
      call.cycles +=
          static_cast<int64_t>(group_cycles(program_, group, group.cut(groups[next++].height)));
    }
    return result;
  }

 private:
  int64_t bytes(int buffer) const { return program_.buffers[static_cast<size_t>(buffer)].bytes; }
  const Lifetime& life(int buffer) const { return lifetimes_[static_cast<size_t>(buffer)]; }

  // What is live before and after calls [first, end), and `operands`.
  int64_t live(size_t first, size_t end, const std::set<int>& operands) const {
    int64_t sum = 0;
    for (int buffer : operands) sum += bytes(buffer);
    for (size_t i = 0; i < lifetimes_.size(); ++i)
      if (lifetimes_[i].first_call < static_cast<int>(first) &&
          lifetimes_[i].last_call >= static_cast<int>(end) &&
          !operands.contains(static_cast<int>(i)))
        sum += program_.buffers[i].bytes;
    return sum;
  }

  // Bytes of a call's pairs that count twice in live().
  int64_t shared(size_t first, size_t end, std::vector<SharedPair> pairs) const {
    std::erase_if(pairs, [&](const SharedPair& pair) {
      return life(pair.src).last_call >= static_cast<int>(end) ||
             life(pair.dst).first_call < static_cast<int>(first);
    });
    if (pairs.empty()) return 0;
    int64_t sum = bytes(pairs.front().src);
    for (const SharedPair& pair : pairs) sum += bytes(pair.dst);
    return sum - joint_bytes(program_, pairs, 4);
  }

  void add_single(size_t index) {
    const KernelCall& call = program_.calls[index];
    std::set<int> operands;
    for (const Operand& operand : call.operands)
      if (operand.buffer >= 0) operands.insert(operand.buffer);
    const int64_t need =
        live(index, index + 1, operands) - shared(index, index + 1, possible_pairs(program_, call));
    segments_.push_back({index, index + 1, 0, need, 0});
  }

  void add_group(const BandGroup& group) {
    const size_t first = group.first_call(), end = group.end_call();
    std::set<int> operands(group.sources().begin(), group.sources().end());
    operands.insert(group.dst());
    const int64_t base = live(first, end, operands) + align_up(group.scratch_bytes(), 8);
    for (int32_t height : kHeights) {
      if (height >= group.rows()) return;
      const BandCut cut = group.cut(height);
      SharedPair pair{group.sources().front(), group.dst(), -1, cut.in_place,
                      overlap_distance(cut.progress, bytes(group.dst()))};
      int64_t need = base - shared(first, end, {pair});
      for (int64_t window : cut.window_bytes) need += align_up(window, 4);
      segments_.push_back({first, end, height, need, group_cycles(program_, group, cut)});
    }
  }

  const Program& program_;
  const std::vector<Lifetime> lifetimes_;
  std::vector<Segment> segments_;
};

struct Tried {
  Program program;
  MemoryPlan plan;
  double extra_cycles = 0;
};

// Searches for the smallest arena down to `target_bytes`, at a cost of at most max_extra cycles.
// What follows from the place of other buffers a segment does not know: where a plan shows it, the
// segment's need becomes what it was. Nothing if no arena is below `below_bytes`.
Result<std::optional<Tried>> shrink(BandSearch& search, int64_t target_bytes, double max_extra,
                                    int64_t below_bytes, int max_plans) {
  std::optional<Tried> best;
  for (int i = 0; i < max_plans; ++i) {
    std::optional<int64_t> least = search.least_limit(max_extra);
    if (!least || *least >= below_bytes) break;
    const int64_t limit = std::max(target_bytes, *least);
    const Choice choice = *search.choose(limit);
    Tried tried{search.apply(choice), {}, choice.extra_cycles};
    NIBBLE_ASSIGN(tried.plan, plan(tried.program));
    const int64_t arena_bytes = tried.plan.arena_bytes;
    if (arena_bytes > limit) search.learn(choice, live_bytes(tried.program, tried.plan), limit);
    if (arena_bytes < below_bytes) {
      below_bytes = arena_bytes;
      best = std::move(tried);
    }
    if (arena_bytes <= limit) break;
  }
  return best;
}

// A call that needs no more is no reason for a group. The arena will not be smaller than the
// program's inputs, nor its outputs, nor what is asked for; but what a call needs beside the places
// of others can be twice what it seems to be.
int64_t floor_bytes(const Program& program, int64_t asked_bytes) {
  int64_t most = asked_bytes;
  for (const auto* ports : {&program.inputs, &program.outputs}) {
    std::set<int> buffers;
    int64_t sum = 0;
    for (const ProgramPort& port : *ports)
      if (buffers.insert(port.buffer).second)
        sum += program.buffers[static_cast<size_t>(port.buffer)].bytes;
    most = std::max(most, sum);
  }
  return most / 2;
}

}  // namespace

Result<MemoryPlan> plan_in_bands(Program& program, const BandOptions& options) {
  NIBBLE_ASSIGN(MemoryPlan best, plan_in_best_order(program));
  const bool fits = best.arena_bytes <= options.arena_bytes;
  if (fits && options.free_share <= 0) return best;
  const int64_t floor = floor_bytes(program, fits ? best.arena_bytes / 2 : options.arena_bytes);
  BandSearch search(program, floor);
  std::optional<Tried> found;
  if (!fits) {
    NIBBLE_ASSIGN(found,
                  shrink(search, options.arena_bytes, kNoLimit, best.arena_bytes, kMaxPlans));
  } else {
    const auto worthwhile =
        static_cast<int64_t>(static_cast<double>(best.arena_bytes) * (1 - kWorthwhile));
    const double most = options.free_share * search.program_cycles();
    NIBBLE_ASSIGN(found, shrink(search, 0, most, worthwhile, kFreePlans));
    // The least time for that arena: groups that the peak does not need are not worth their cost.
    if (found) {
      BandSearch again(program, floor);
      NIBBLE_ASSIGN(std::optional<Tried> cheaper, shrink(again, found->plan.arena_bytes, kNoLimit,
                                                         found->plan.arena_bytes + 1, kFreePlans));
      if (cheaper && cheaper->extra_cycles < found->extra_cycles) found = std::move(cheaper);
    }
  }
  if (!found) return best;
  program = std::move(found->program);
  return std::move(found->plan);
}

void draw_groups(Program& program, uint64_t seed) {
  Rng rng(seed);
  std::vector<ChosenGroup> groups;
  for (size_t first = 0; first < program.calls.size();) {
    std::vector<BandGroup> possible;
    for (size_t end = first + 2; end <= std::min(program.calls.size(), first + kMaxMembers); ++end)
      if (std::optional<BandGroup> group = BandGroup::of(program, first, end))
        possible.push_back(std::move(*group));
    if (possible.empty()) {
      ++first;
      continue;
    }
    BandGroup& group = possible[rng.next() % possible.size()];
    const auto height = static_cast<int32_t>(rng.integer(1, std::min(group.rows(), 5)));
    first = group.end_call();
    groups.push_back({std::move(group), height});
  }
  program = with_groups(program, groups);
}

}  // namespace nibble
