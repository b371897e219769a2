// Which calls run band by band: a ladder of plans, each with a smaller arena than the one before
// and the least predicted time for it; the limit of bytes says on which rung to stand. The ladder
// does not depend on the limit, so a smaller limit never leads to a larger arena.
#include <algorithm>
#include <limits>

#include "base/rng.h"
#include "plan/band_choice.h"
#include "plan/placement.h"

namespace nibble {
namespace {

// Each rung is this part of the arena lower than the one before, if it can be.
constexpr int64_t kRungsPerArena = 128;
// Whole plans, and plans of parts, that are made for all rungs together.
constexpr int kMaxPlans = 150, kMaxParts = 2000;
// Steps of the exact search of one.
constexpr int64_t kPlanWork = 3'000'000, kPartWork = 300'000;
// An arena that is smaller by less is not worth the code of a group, where RAM is not short.
constexpr double kWorthwhile = 0.02;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Rung {
  BandChoice choice;
  MemoryPlan plan;
};

// Bytes of all inputs, or of all outputs, if those are more: no arena is smaller.
int64_t port_bytes(const Program& program) {
  int64_t most = 0;
  for (const auto* ports : {&program.inputs, &program.outputs}) {
    std::set<int> buffers;
    int64_t sum = 0;
    for (const ProgramPort& port : *ports)
      if (buffers.insert(port.buffer).second)
        sum += program.buffers[static_cast<size_t>(port.buffer)].bytes;
    most = std::max(most, sum);
  }
  return most;
}

class Ladder {
 public:
  Ladder(const Program& program, int64_t whole_bytes)
      : search_(program), arena_bytes_(whole_bytes), least_bytes_(port_bytes(program)) {}

  // The next rung: below all others, at no less cost. Nothing if it costs more than `most_cycles`;
  // or none was found: with kNoLimit, there is none for this order of calls, as far as the work for
  // that is bounded.
  Result<std::optional<Rung>> next(double most_cycles) {
    int64_t limit = arena_bytes_ - 1 - arena_bytes_ / kRungsPerArena;
    while (plans_ < kMaxPlans && parts_ < kMaxParts) {
      // What a call needs beside the places of others can be twice what it seems to be.
      search_.add_groups(std::max(limit, least_bytes_) / 2);
      std::optional<BandChoice> choice = search_.choose(limit);
      if (!choice) {
        const std::optional<int64_t> least = search_.least_limit();
        if (!least || *least >= arena_bytes_) break;
        limit = *least;
        choice = search_.choose(limit);
      }
      if (choice->extra_cycles > most_cycles) return std::optional<Rung>();
      ++plans_;
      NIBBLE_ASSIGN(MemoryPlan made, plan_within(search_.part(choice->segments), kPlanWork));
      const int64_t need_bytes = made.arena_bytes;
      if (need_bytes <= limit) {
        arena_bytes_ = need_bytes;
        return std::optional(Rung{std::move(*choice), std::move(made)});
      }
      const std::vector<size_t> segments = choice->segments;
      if (need_bytes < (spare_ ? spare_->plan.arena_bytes : arena_bytes_))
        spare_ = Rung{std::move(*choice), std::move(made)};
      NIBBLE_TRY(learn(segments, need_bytes, limit));
    }
    if (!spare_ || spare_->plan.arena_bytes >= arena_bytes_) return std::optional<Rung>();
    arena_bytes_ = spare_->plan.arena_bytes;
    return spare_;
  }

  Program apply(const Program& program, const BandChoice& choice) const {
    return search_.apply(program, choice);
  }

 private:
  static constexpr size_t kShortRun = 3;

  Result<int64_t> part_bytes(std::span<const size_t> segments) {
    auto [known, is_new] =
        part_bytes_.try_emplace(std::vector<size_t>(segments.begin(), segments.end()), 0);
    if (!is_new) return known->second;
    ++parts_;
    NIBBLE_ASSIGN(MemoryPlan made, plan_within(search_.part(segments), kPartWork));
    return known->second = made.arena_bytes;
  }

  // The whole needs `need_bytes`, more than the limit: because of a run of segments that does, and
  // no part of it.
  Status learn(std::span<const size_t> whole, int64_t need_bytes, int64_t limit) {
    for (size_t count = 1; count <= std::min(kShortRun, whole.size()); ++count)
      for (size_t first = 0; first + count <= whole.size(); ++first) {
        NIBBLE_ASSIGN(const int64_t bytes, part_bytes(whole.subspan(first, count)));
        if (bytes <= limit) continue;
        search_.add_run(whole.subspan(first, count), bytes);
        return {};
      }
    size_t fits = std::min(kShortRun, whole.size() - 1), end = whole.size();
    while (end - fits > 1) {
      const size_t middle = (fits + end) / 2;
      NIBBLE_ASSIGN(const int64_t bytes, part_bytes(whole.first(middle)));
      if (bytes > limit) need_bytes = bytes;
      (bytes > limit ? end : fits) = middle;
    }
    size_t first = 0, behind = end;  // what starts with `first` does, with `behind` does not
    while (behind - first > 1) {
      const size_t middle = (first + behind) / 2;
      NIBBLE_ASSIGN(const int64_t bytes, part_bytes(whole.subspan(middle, end - middle)));
      if (bytes > limit) need_bytes = bytes;
      (bytes > limit ? first : behind) = middle;
    }
    search_.add_run(whole.subspan(first, end - first), need_bytes);
    return {};
  }

  BandSearch search_;
  int64_t arena_bytes_;  // of the last rung
  const int64_t least_bytes_;
  int plans_ = 0, parts_ = 0;
  std::optional<Rung> spare_;  // the smallest arena of all plans, not the cheapest for it
  std::map<std::vector<size_t>, int64_t> part_bytes_;
};

bool has_groups(const Program& program) {
  const size_t count = program.calls.size();
  for (size_t first = 0; first < count; ++first)
    for (size_t end = first + 2; end <= std::min(count, first + kMaxMembers); ++end)
      if (BandGroup::of(program, first, end)) return true;
  return false;
}

double program_cycles(const Program& program) {
  double cycles = 0;
  for (const KernelCall& call : program.calls) cycles += static_cast<double>(call.cycles);
  return cycles;
}

// Adds rungs of at most `most_cycles` until one is no higher than `arena_bytes`, or there is none.
Status climb(Ladder& ladder, double most_cycles, int64_t arena_bytes, std::vector<Rung>& rungs) {
  while (rungs.empty() || rungs.back().plan.arena_bytes > arena_bytes) {
    NIBBLE_ASSIGN(std::optional<Rung> rung, ladder.next(most_cycles));
    if (!rung) break;
    rungs.push_back(std::move(*rung));
  }
  return {};
}

}  // namespace

Result<MemoryPlan> plan_in_bands(Program& program, const BandOptions& options) {
  NIBBLE_ASSIGN(MemoryPlan whole, plan_in_best_order(program));
  if (!has_groups(program)) return whole;
  if (whole.method.starts_with("optimal")) whole.method += " without bands";
  const bool fits = whole.arena_bytes <= options.arena_bytes;
  if (fits && options.free_share <= 0) return whole;
  Ladder ladder(program, whole.arena_bytes);
  std::vector<Rung> rungs;
  // Where it fits, the lowest that costs next to nothing and is worth the step down.
  NIBBLE_TRY(climb(ladder, options.free_share * program_cycles(program), 0, rungs));
  int64_t free_bytes = whole.arena_bytes;
  size_t chosen = rungs.size();
  for (size_t i = 0; i < rungs.size(); ++i) {
    const int64_t bytes = rungs[i].plan.arena_bytes;
    const double worthwhile = static_cast<double>(free_bytes) * (1 - kWorthwhile);
    if (static_cast<double>(bytes) < worthwhile) chosen = i, free_bytes = bytes;
  }
  if (free_bytes > options.arena_bytes) {
    // Else the first that fits; what is lower at no more cost is better still.
    NIBBLE_TRY(climb(ladder, kNoLimit, options.arena_bytes, rungs));
    if (rungs.empty()) return whole;
    NIBBLE_TRY(climb(ladder, rungs.back().choice.extra_cycles, 0, rungs));
    auto fitting = std::ranges::find_if(
        rungs, [&](const Rung& rung) { return rung.plan.arena_bytes <= options.arena_bytes; });
    if (fitting == rungs.end()) --fitting;
    const double cycles = fitting->choice.extra_cycles;
    while (fitting + 1 != rungs.end() && (fitting + 1)->choice.extra_cycles <= cycles) ++fitting;
    chosen = static_cast<size_t>(fitting - rungs.begin());
  }
  if (chosen == rungs.size()) return whole;
  MemoryPlan& plan = rungs[chosen].plan;
  if (plan.method == "optimal") plan.method = "optimal for these bands and this order";
  program = ladder.apply(program, rungs[chosen].choice);
  return std::move(plan);
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
