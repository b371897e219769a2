// Where blocks of bytes lie in the arena: greedy placement by several orders, then a bounded exact
// search. A block is one buffer, or a chain of buffers that are computed in place of each other and
// so share their offset. Inside plan/ only.
#pragma once

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

struct Placement {
  std::vector<int64_t> offsets;  // per block
  int64_t arena_bytes = 0;
  std::string method;
  bool proved = false;  // the search has seen every arrangement of these blocks
};

// `times` is the number of calls + 2. Stops as soon as `bound_bytes` is reached. Deterministic.
Placement place_blocks(const std::vector<Block>& blocks, int times, int64_t bound_bytes);
// The greedy part alone.
Placement place_greedy(const std::vector<Block>& blocks, int64_t bound_bytes);

// below(a, b): how many bytes above the offset of a the block b must start, if it lies above a; 0
// where they are never live together.
class ConflictTable {
 public:
  explicit ConflictTable(const std::vector<Block>& blocks);
  int64_t below(size_t a, size_t b) const { return heights_[a * count_ + b]; }
  bool conflict(size_t a, size_t b) const { return below(a, b) > 0; }

 private:
  size_t count_;
  std::vector<int64_t> heights_;
};

// Branch and bound over all arrangements, at most `max_work` elementary steps; improves on `best`
// or leaves it.
void search_placement(const std::vector<Block>& blocks, const ConflictTable& conflicts, int times,
                      int64_t bound_bytes, int64_t max_work, Placement& best);

}  // namespace nibble
