// Branch and bound over placements. Every arrangement can be pushed down until each block rests on
// offset 0 or on another block, and its blocks can be listed by rising offset; so it is enough to
// place blocks in that order, each directly on top of those below it that are live together with
// it. At every time t, what is not yet placed lies above what is: top(t) + remaining(t) bounds the
// arena from below and cuts most branches.
#include <algorithm>
#include <limits>

#include "plan/placement.h"

namespace nibble {
namespace {

class Search {
 public:
  Search(const std::vector<Block>& blocks, const ConflictTable& conflicts, int times,
         int64_t bound_bytes, int64_t max_work, Placement& best)
      : blocks_(blocks),
        conflicts_(conflicts),
        bound_bytes_(bound_bytes),
        work_left_(max_work),
        best_(best),
        offsets_(blocks.size(), 0),
        floor_(blocks.size(), 0),
        placed_(blocks.size(), false),
        top_(static_cast<size_t>(times), 0),
        remaining_(static_cast<size_t>(times), 0) {
    heights_.assign(blocks.size(), std::vector<int64_t>(static_cast<size_t>(times), 0));
    for (size_t i = 0; i < blocks.size(); ++i) {
      for (const BlockMember& member : blocks[i].members)
        for (int t = member.life.first_call; t <= member.life.last_call; ++t) {
          int64_t& height = heights_[i][static_cast<size_t>(t + 1)];
          height = std::max(height, member.bytes);
        }
      for (size_t t = 0; t < remaining_.size(); ++t) remaining_[t] += heights_[i][t];
    }
  }

  void run() {
    descend(0, 0, 0, 0);
    best_.proved = work_left_ > 0;
  }

 private:
  bool done() const { return work_left_ <= 0 || best_.arena_bytes <= bound_bytes_; }

  // No completion of the current arrangement needs less than this.
  int64_t bound(int64_t last_offset) const {
    int64_t bytes = 0;
    for (size_t t = 0; t < top_.size(); ++t)
      bytes = std::max(
          bytes, remaining_[t] > 0 ? std::max(top_[t], last_offset) + remaining_[t] : top_[t]);
    return bytes;
  }

  void descend(size_t depth, int64_t last_offset, size_t last_block, int64_t arena) {
    if (depth == blocks_.size()) {
      best_.offsets = offsets_;
      best_.arena_bytes = arena;
      best_.method = "exact search";
      return;
    }
    struct Child {
      int64_t offset, bytes;
      size_t block;
    };
    std::vector<Child> children;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      if (placed_[i] || floor_[i] < last_offset) continue;
      // Neighbours at one offset are interchangeable: only in rising order.
      if (depth > 0 && floor_[i] == last_offset && i < last_block) continue;
      if (floor_[i] + blocks_[i].max_bytes() >= best_.arena_bytes) continue;
      children.push_back({floor_[i], blocks_[i].max_bytes(), i});
    }
    work_left_ -= static_cast<int64_t>(blocks_.size());
    std::sort(children.begin(), children.end(), [](const Child& a, const Child& b) {
      if (a.offset != b.offset) return a.offset < b.offset;
      if (a.bytes != b.bytes) return a.bytes > b.bytes;
      return a.block < b.block;
    });
    for (const Child& child : children) {
      if (done()) return;
      place(depth, child.block, arena);
    }
  }

  void place(size_t depth, size_t block, int64_t arena) {
    const int64_t offset = floor_[block];
    std::vector<int64_t> old_top = top_, old_floor = floor_;
    work_left_ -= static_cast<int64_t>(top_.size() + blocks_.size());
    placed_[block] = true;
    offsets_[block] = offset;
    for (size_t t = 0; t < top_.size(); ++t)
      if (heights_[block][t] > 0) {
        top_[t] = offset + heights_[block][t];
        remaining_[t] -= heights_[block][t];
      }
    for (size_t i = 0; i < blocks_.size(); ++i)
      if (!placed_[i] && conflicts_.conflict(block, i))
        floor_[i] = std::max(floor_[i],
                             align_up(offset + conflicts_.below(block, i), blocks_[i].align_bytes));
    if (bound(offset) < best_.arena_bytes)
      descend(depth + 1, offset, block, std::max(arena, offset + blocks_[block].max_bytes()));
    for (size_t t = 0; t < top_.size(); ++t) remaining_[t] += heights_[block][t];
    placed_[block] = false;
    top_ = std::move(old_top);
    floor_ = std::move(old_floor);
  }

  const std::vector<Block>& blocks_;
  const ConflictTable& conflicts_;
  const int64_t bound_bytes_;
  int64_t work_left_;
  Placement& best_;
  std::vector<int64_t> offsets_, floor_;  // floor: the lowest offset on top of what is placed
  std::vector<bool> placed_;
  std::vector<int64_t> top_, remaining_;       // per time
  std::vector<std::vector<int64_t>> heights_;  // per block and time
};

}  // namespace

void search_placement(const std::vector<Block>& blocks, const ConflictTable& conflicts, int times,
                      int64_t bound_bytes, int64_t max_work, Placement& best) {
  Search(blocks, conflicts, times, bound_bytes, max_work, best).run();
}

}  // namespace nibble
