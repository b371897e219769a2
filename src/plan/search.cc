// Branch and bound over placements. Every arrangement can be pushed down until each block rests on
// offset 0 or on another block, and its blocks can be listed by rising offset; so it is enough to
// place blocks in that order, each directly on top of those below it that conflict with it. A dst
// that runs into its source lies below it, or starts with it and is listed first.
//
// At every time t, what is not yet placed lies above what is: top(t) + remaining(t) bounds the
// arena from below. Where a call's dst may start `distance` below its source, the two together take
// at least max(dst, distance + src) bytes; while the source is not placed, what it adds to dst is
// less than its bytes by saved = min(src, dst - distance). A source that also shares with the
// call's scratch adds less by both, but never less than nothing.
//
// Beside that, what pairs of blocks say about each other's offsets (narrow) cuts most branches.
#include <algorithm>
#include <limits>

#include "plan/placement.h"

namespace nibble {
namespace {

constexpr int kPasses = 4;

class Search {
 public:
  Search(const std::vector<Block>& blocks, const ConflictTable& conflicts,
         const std::vector<SharedPair>& pairs, int times, int64_t bound_bytes, int64_t below_bytes,
         int64_t max_work)
      : blocks_(blocks),
        conflicts_(conflicts),
        bound_bytes_(bound_bytes),
        best_bytes_(below_bytes),
        work_left_(max_work),
        offsets_(blocks.size(), 0),
        floor_(blocks.size(), 0),
        placed_(blocks.size(), false),
        frames_(blocks.size() + 1),
        top_(static_cast<size_t>(times), 0),
        remaining_(static_cast<size_t>(times), 0) {
    for (const Block& block : blocks) bytes_.push_back(block.max_bytes());
    find_heights();
    find_saved(pairs);
  }

  SearchResult run() {
    descend(0, 0, 0, 0);
    return {std::move(best_), work_left_ > 0};
  }

 private:
  struct Child {
    int64_t offset, bytes;
    size_t block;
  };

  void find_heights() {
    heights_.assign(blocks_.size(), std::vector<int64_t>(top_.size(), 0));
    for (size_t i = 0; i < blocks_.size(); ++i) {
      for (const BlockMember& member : blocks_[i].members)
        for (int t = member.life.first_call; t <= member.life.last_call; ++t) {
          int64_t& height = heights_[i][static_cast<size_t>(t + 1)];
          height = std::max(height, member.bytes);
        }
      for (size_t t = 0; t < remaining_.size(); ++t) remaining_[t] += heights_[i][t];
    }
  }

  size_t block_of(int buffer) const {
    for (size_t i = 0; i < blocks_.size(); ++i)
      for (const BlockMember& member : blocks_[i].members)
        if (member.buffer == buffer) return i;
    return blocks_.size();
  }

  void find_saved(const std::vector<SharedPair>& pairs) {
    saved_.resize(blocks_.size());
    for (const SharedPair& pair : pairs) {
      size_t src = block_of(pair.src), dst = block_of(pair.dst);
      if (src == dst || src == blocks_.size() || dst == blocks_.size()) continue;
      auto t = static_cast<size_t>(pair.call + 1);
      int64_t left = heights_[src][t];
      for (const Saved& other : saved_[src])
        if (other.time == t) left -= other.bytes;
      int64_t saved = std::min(left, heights_[dst][t] - pair.distance);
      if (saved <= 0) continue;
      saved_[src].push_back({t, saved});
      remaining_[t] -= saved;
    }
  }

  bool done() const { return work_left_ <= 0 || best_bytes_ <= bound_bytes_; }

  // No completion of the current arrangement needs less than this.
  int64_t bound(int64_t last_offset) const {
    int64_t bytes = 0;
    for (size_t t = 0; t < top_.size(); ++t)
      bytes = std::max(
          bytes, remaining_[t] > 0 ? std::max(top_[t], last_offset) + remaining_[t] : top_[t]);
    return bytes;
  }

  // The blocks that may come next, the lowest first.
  void find_children(size_t depth, int64_t last_offset, size_t last_block,
                     std::vector<Child>& list) {
    list.clear();
    ranges_.resize(blocks_.size());
    for (size_t i = 0; i < blocks_.size(); ++i) {
      if (placed_[i]) continue;
      int64_t low = align_up(std::max(floor_[i], last_offset), blocks_[i].align_bytes);
      ranges_[i] = {low, best_bytes_ - 1 - bytes_[i]};
      if (ranges_[i].low > ranges_[i].high) return;
    }
    work_left_ -= static_cast<int64_t>(conflicts_.conflicts().size());
    if (!narrow(blocks_, conflicts_, placed_, kPasses, ranges_)) return;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      // Something else must come below it first.
      if (placed_[i] || floor_[i] < last_offset || ranges_[i].low > floor_[i]) continue;
      // Neighbours at one offset are interchangeable: only in rising order.
      if (depth > 0 && floor_[i] == last_offset && i < last_block) continue;
      list.push_back({floor_[i], bytes_[i], i});
    }
    std::sort(list.begin(), list.end(), [](const Child& a, const Child& b) {
      if (a.offset != b.offset) return a.offset < b.offset;
      if (a.bytes != b.bytes) return a.bytes > b.bytes;
      return a.block < b.block;
    });
  }

  void descend(size_t depth, int64_t last_offset, size_t last_block, int64_t arena) {
    if (depth == blocks_.size()) {
      best_bytes_ = arena;
      best_ = Placement{offsets_, arena, "exact search"};
      return;
    }
    work_left_ -= static_cast<int64_t>(blocks_.size());
    std::vector<Child>& children = frames_[depth].children;
    find_children(depth, last_offset, last_block, children);
    for (const Child& child : children) {
      if (done()) return;
      if (child.offset + child.bytes < best_bytes_) place(depth, child.block, arena);
    }
  }

  void place(size_t depth, size_t block, int64_t arena) {
    const int64_t offset = floor_[block];
    Frame& old = frames_[depth];
    old.top = top_;
    old.remaining = remaining_;
    old.floor = floor_;
    work_left_ -= static_cast<int64_t>(top_.size() + blocks_.size());
    placed_[block] = true;
    offsets_[block] = offset;
    for (size_t t = 0; t < top_.size(); ++t)
      if (heights_[block][t] > 0) {
        top_[t] = std::max(top_[t], offset + heights_[block][t]);
        remaining_[t] -= heights_[block][t];
      }
    for (const Saved& saved : saved_[block]) remaining_[saved.time] += saved.bytes;
    for (size_t i = 0; i < blocks_.size(); ++i)
      if (!placed_[i] && conflicts_.conflict(block, i))
        floor_[i] = std::max(floor_[i],
                             align_up(offset + conflicts_.below(block, i), blocks_[i].align_bytes));
    if (bound(offset) < best_bytes_)
      descend(depth + 1, offset, block, std::max(arena, offset + bytes_[block]));
    placed_[block] = false;
    top_ = old.top;
    remaining_ = old.remaining;
    floor_ = old.floor;
  }

  struct Saved {
    size_t time;
    int64_t bytes;
  };

  // What holds before a block is placed at one depth, kept so that no step needs the heap.
  struct Frame {
    std::vector<Child> children;
    std::vector<int64_t> top, remaining, floor;
  };

  const std::vector<Block>& blocks_;
  const ConflictTable& conflicts_;
  const int64_t bound_bytes_;
  int64_t best_bytes_, work_left_;
  std::optional<Placement> best_;
  std::vector<int64_t> bytes_;
  std::vector<int64_t> offsets_, floor_;  // floor: the lowest offset on top of what is placed
  std::vector<bool> placed_;
  std::vector<Frame> frames_;                  // per depth
  std::vector<int64_t> top_, remaining_;       // per time
  std::vector<std::vector<int64_t>> heights_;  // per block and time
  std::vector<std::vector<Saved>> saved_;      // per block that is the source of a pair
  std::vector<OffsetRange> ranges_;
};

}  // namespace

SearchResult search_placement(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                              const std::vector<SharedPair>& pairs, int times, int64_t bound_bytes,
                              int64_t below_bytes, int64_t max_work) {
  return Search(blocks, conflicts, pairs, times, bound_bytes, below_bytes, max_work).run();
}

}  // namespace nibble
