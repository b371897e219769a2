// Where blocks of bytes lie in the arena: greedy placement by several orders, then a bounded exact
// search. A block is one buffer, or a chain of buffers that are computed in place of each other and
// so share their offset. Inside plan/ only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/lifetimes.h"

namespace nibble {

struct BlockMember {
  int buffer = -1;
  int64_t bytes = 0;
  Lifetime life;
};

struct Block {
  std::vector<BlockMember> members;
  int64_t align_bytes = 1;
  int64_t max_bytes() const;
};

// What may share bytes although it is live together, beside what a block has joined.
enum class Sharing {
  kDistance,  // a pair's dst may start its distance below src
  // Also at the same offset where the call is in place: more than a placement of blocks can say, so
  // what cannot be placed with it cannot be placed at all.
  kRelaxed
};

// Which blocks may not share all their bytes, and how far apart they must start.
class ConflictTable {
 public:
  ConflictTable(const std::vector<Block>& blocks, const std::vector<SharedPair>& pairs,
                Sharing sharing = Sharing::kDistance);
  // How many bytes above the offset of `a` the block `b` must start, if it is the upper one. Which
  // of the two is the upper one is free.
  int64_t below(size_t a, size_t b) const { return heights_[a * count_ + b]; }
  bool conflict(size_t a, size_t b) const { return below(a, b) >= 0; }
  struct Pair {
    size_t a, b;
    int64_t b_above, a_above;  // below(a, b), below(b, a)
  };
  const std::vector<Pair>& conflicts() const { return conflicts_; }  // a < b

 private:
  size_t count_;
  std::vector<int64_t> heights_;  // -1: never live together
  std::vector<Pair> conflicts_;
};

// The offsets that a block may still have.
struct OffsetRange {
  int64_t low = 0, high = 0;
};

// Narrows the ranges by what follows for each pair of blocks that conflict: where one of the two
// cannot be the upper one, the other must be. False if some block has no offset left. `done` blocks
// are left out. Costs at most `passes` * conflicts steps.
bool narrow(const std::vector<Block>& blocks, const ConflictTable& conflicts,
            const std::vector<bool>& done, int passes, std::vector<OffsetRange>& ranges);

// The smallest arena, at least from_bytes, that narrow() does not refute for these blocks: no
// placement needs less.
int64_t narrowed_bound(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                       int64_t from_bytes);

struct Placement {
  std::vector<int64_t> offsets;  // per block
  int64_t arena_bytes = 0;
  std::string method;
};

// By several orders and improvements; stops as soon as `bound_bytes` is reached.
Placement place_greedy(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                       int64_t bound_bytes);

// A smaller arena than below_bytes allows.
struct SearchResult {
  std::optional<Placement> found;
  bool proved = false;  // nothing better than `found`, or than below_bytes, exists for these blocks
};
// Branch and bound over all arrangements, at most `max_work` elementary steps. `times` is the
// number of calls + 2.
SearchResult search_placement(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                              const std::vector<SharedPair>& pairs, int times, int64_t bound_bytes,
                              int64_t below_bytes, int64_t max_work);

// As plan(), with at most `max_work` elementary steps of the exact search, over all choices of what
// is joined.
Result<MemoryPlan> plan_within(const Program& program, int64_t max_work);

}  // namespace nibble
