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
constexpr int64_t kPlanWork = 300'000;
// An arena that is smaller by less is not worth the code of a group, where RAM is not short.
constexpr double kWorthwhile = 0.02;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Rung {
  BandChoice choice;
  MemoryPlan plan;
  // Whoever pays less does not come here: what the dearest choice costs that was tried before.
  double toll_cycles = 0;
};

bool has_groups(const Program& program) {
  const size_t count = program.calls.size();
  for (size_t first = 0; first < count; ++first)
    for (size_t end = first + 2; end <= std::min(count, first + kMaxMembers); ++end)
      if (BandGroup::of(program, first, end)) return true;
  return false;
}

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

}  // namespace

class BandPlans::Ladder {
 public:
  Ladder(const Program& program, int64_t whole_bytes)
      : search_(program),
        whole_bytes_(whole_bytes),
        arena_bytes_(whole_bytes),
        least_bytes_(port_bytes(program)) {}

  // Rungs stay where they are until the next of these calls.
  Result<const Rung*> free_rung(double most_cycles);
  Result<const Rung*> fitting_rung(int64_t arena_bytes);

  Program apply(const Program& program, const BandChoice& choice) const {
    return search_.apply(program, choice);
  }

 private:
  static constexpr size_t kShortRun = 3;

  // Adds rungs of at most `most_cycles` until one is no higher than `arena_bytes`, or there is
  // none.
  Status climb(double most_cycles, int64_t arena_bytes) {
    while (rungs_.empty() || rungs_.back().plan.arena_bytes > arena_bytes) {
      NIBBLE_ASSIGN(std::optional<Rung> rung, next(most_cycles));
      if (!rung) break;
      rungs_.push_back(std::move(*rung));
    }
    return {};
  }

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
      toll_cycles_ = std::max(toll_cycles_, choice->extra_cycles);
      ++plans_;
      NIBBLE_ASSIGN(MemoryPlan made, plan_within(search_.part(choice->segments), kPlanWork));
      const int64_t need_bytes = made.arena_bytes;
      if (need_bytes <= limit) {
        arena_bytes_ = need_bytes;
        return std::optional(Rung{std::move(*choice), std::move(made), toll_cycles_});
      }
      const std::vector<size_t> segments = choice->segments;
      if (need_bytes < (spare_ ? spare_->plan.arena_bytes : arena_bytes_))
        spare_ = Rung{std::move(*choice), std::move(made), 0};
      NIBBLE_TRY(learn(segments, need_bytes, limit));
    }
    if (!spare_ || spare_->plan.arena_bytes >= arena_bytes_) return std::optional<Rung>();
    arena_bytes_ = spare_->plan.arena_bytes;
    spare_->toll_cycles = toll_cycles_;
    return spare_;
  }

  Result<int64_t> part_bytes(std::span<const size_t> segments) {
    auto [known, is_new] =
        part_bytes_.try_emplace(std::vector<size_t>(segments.begin(), segments.end()), 0);
    if (!is_new) return known->second;
    ++parts_;
    NIBBLE_ASSIGN(MemoryPlan made, plan_within(search_.part(segments), kPlanWork));
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
  const int64_t whole_bytes_;
  int64_t arena_bytes_;  // of the last rung
  const int64_t least_bytes_;
  int plans_ = 0, parts_ = 0;
  double toll_cycles_ = 0;  // of the next rung
  std::vector<Rung> rungs_;
  std::optional<Rung> spare_;  // the smallest arena of all plans, not the cheapest for it
  std::map<std::vector<size_t>, int64_t> part_bytes_;
};

// The lowest that costs next to nothing and is worth the step down, if there is one.
Result<const Rung*> BandPlans::Ladder::free_rung(double most_cycles) {
  NIBBLE_TRY(climb(most_cycles, 0));
  const Rung* chosen = nullptr;
  int64_t bytes = whole_bytes_;
  for (const Rung& rung : rungs_) {
    if (rung.toll_cycles > most_cycles) break;
    const double worthwhile = static_cast<double>(bytes) * (1 - kWorthwhile);
    if (static_cast<double>(rung.plan.arena_bytes) >= worthwhile) continue;
    chosen = &rung;
    bytes = rung.plan.arena_bytes;
  }
  return chosen;
}

// The first that fits, or what is lower at no more cost; the lowest of all if none does.
Result<const Rung*> BandPlans::Ladder::fitting_rung(int64_t arena_bytes) {
  auto fits = [&](const Rung& rung) { return rung.plan.arena_bytes <= arena_bytes; };
  NIBBLE_TRY(climb(kNoLimit, arena_bytes));
  if (rungs_.empty()) return static_cast<const Rung*>(nullptr);
  auto fitting = std::ranges::find_if(rungs_, fits);
  if (fitting == rungs_.end()) --fitting;
  const double cycles = fitting->choice.extra_cycles;
  const auto index = fitting - rungs_.begin();
  NIBBLE_TRY(climb(cycles, 0));
  fitting = rungs_.begin() + index;
  while (fitting + 1 != rungs_.end() && (fitting + 1)->toll_cycles <= cycles) ++fitting;
  return &*fitting;
}

Result<BandPlans> BandPlans::of(Program program) {
  BandPlans plans;
  NIBBLE_ASSIGN(plans.whole_, plan_in_best_order(program));
  if (has_groups(program)) {
    if (plans.whole_.method.starts_with("optimal")) plans.whole_.method += " without bands";
    plans.ladder_ = std::make_unique<Ladder>(program, plans.whole_.arena_bytes);
  }
  plans.program_ = std::move(program);
  return plans;
}

BandPlans::BandPlans() = default;
BandPlans::BandPlans(BandPlans&&) noexcept = default;
BandPlans& BandPlans::operator=(BandPlans&&) noexcept = default;
BandPlans::~BandPlans() = default;

Result<Planned> BandPlans::plan(const BandOptions& options) {
  const Rung* rung = nullptr;
  const bool fits = whole_.arena_bytes <= options.arena_bytes;
  if (ladder_ && (!fits || options.free_share > 0)) {
    NIBBLE_ASSIGN(rung, ladder_->free_rung(options.free_share *
                                           static_cast<double>(program_cycles(program_))));
    const int64_t free_bytes = rung ? rung->plan.arena_bytes : whole_.arena_bytes;
    if (free_bytes > options.arena_bytes) {
      NIBBLE_ASSIGN(rung, ladder_->fitting_rung(options.arena_bytes));
    }
  }
  if (!rung) return Planned{program_, whole_};
  Planned planned{ladder_->apply(program_, rung->choice), rung->plan};
  if (planned.plan.method == "optimal")
    planned.plan.method = "optimal for these bands and this order";
  return planned;
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
