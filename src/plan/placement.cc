// Greedy placement: blocks in some order, each at the lowest offset that is free for its whole
// life. Several orders are tried because none is best for all networks; then the block on top of
// the arena is placed earlier, again and again, and the best result is kept.
#include "plan/placement.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

namespace nibble {
namespace {

constexpr int kPromotions = 64;

bool overlap(const Lifetime& a, const Lifetime& b) {
  return a.first_call <= b.last_call && b.first_call <= a.last_call;
}

int64_t length(const Block& block) {
  int64_t sum = 0;
  for (const BlockMember& member : block.members)
    sum += member.life.last_call - member.life.first_call + 1;
  return sum;
}

int first_call(const Block& block) {
  int first = std::numeric_limits<int>::max();
  for (const BlockMember& member : block.members) first = std::min(first, member.life.first_call);
  return first;
}

int last_call(const Block& block) {
  int last = -1;
  for (const BlockMember& member : block.members) last = std::max(last, member.life.last_call);
  return last;
}

// Places blocks one by one; made once for all orders, as nearly all of the time goes there.
class GreedyPlacer {
 public:
  GreedyPlacer(const std::vector<Block>& blocks, const ConflictTable& conflicts)
      : blocks_(blocks), neighbours_(blocks.size()) {
    for (const Block& block : blocks) bytes_.push_back(block.max_bytes());
    for (const ConflictTable::Pair& pair : conflicts.conflicts()) {
      neighbours_[pair.a].push_back({pair.b, pair.b_above, pair.a_above});
      neighbours_[pair.b].push_back({pair.a, pair.a_above, pair.b_above});
    }
  }

  Placement place(const std::vector<size_t>& order) {
    Placement placement;
    placement.offsets.assign(blocks_.size(), kNotPlaced);
    for (size_t block : order) {
      const int64_t offset = lowest_offset(placement.offsets, block);
      placement.offsets[block] = offset;
      placement.arena_bytes = std::max(placement.arena_bytes, offset + bytes_[block]);
    }
    return placement;
  }
  int64_t bytes(size_t block) const { return bytes_[block]; }

 private:
  static constexpr int64_t kNotPlaced = -1;

  struct Neighbour {
    size_t block;
    // How far above this block the other starts at least, and below it.
    int64_t above, below;
  };
  struct Taken {
    int64_t behind, until;  // this block starts nowhere between the two
  };

  // The lowest offset of `block` at which it touches no block placed before it.
  int64_t lowest_offset(const std::vector<int64_t>& offsets, size_t block) {
    taken_.clear();
    for (const Neighbour& other : neighbours_[block])
      if (const int64_t at = offsets[other.block]; at != kNotPlaced)
        taken_.push_back({at - other.above, at + other.below});
    std::ranges::sort(taken_, {}, &Taken::behind);
    int64_t offset = 0;
    for (const Taken& taken : taken_)
      if (offset > taken.behind && offset < taken.until)
        offset = align_up(taken.until, blocks_[block].align_bytes);
    return offset;
  }

  const std::vector<Block>& blocks_;
  std::vector<int64_t> bytes_;
  std::vector<std::vector<Neighbour>> neighbours_;
  std::vector<Taken> taken_;
};

struct Order {
  std::string name;
  std::function<double(size_t block)> key;  // the larger is placed first
};

std::vector<Order> orders(const std::vector<Block>& blocks, const ConflictTable& conflicts) {
  auto pressure = [&](size_t block) {
    int64_t sum = 0;
    for (size_t other = 0; other < blocks.size(); ++other)
      sum += std::max<int64_t>(0, conflicts.below(other, block));
    return static_cast<double>(sum);
  };
  auto bytes = [&](size_t block) { return static_cast<double>(blocks[block].max_bytes()); };
  auto span = [&](size_t block) { return static_cast<double>(length(blocks[block])); };
  // Against the order of calls, a dst lies already where its source may lie above it.
  return {
      {"last use", [&](size_t block) { return static_cast<double>(last_call(blocks[block])); }},
      {"size", bytes},
      {"conflicts", pressure},
      {"size times lifetime", [=](size_t block) { return bytes(block) * span(block); }},
      {"lifetime", span},
      {"first use", [&](size_t block) { return -static_cast<double>(first_call(blocks[block])); }}};
}

// Places the block that makes the arena as high as it is before all others, and tries again.
void promote_top(GreedyPlacer& placer, std::vector<size_t> order, int64_t bound_bytes,
                 Placement& best) {
  Placement current = placer.place(order);
  for (int round = 0; round < kPromotions && best.arena_bytes > bound_bytes; ++round) {
    auto top = std::find_if(order.begin(), order.end(), [&](size_t block) {
      return current.offsets[block] + placer.bytes(block) == current.arena_bytes;
    });
    if (top == order.end() || top == order.begin()) return;
    std::rotate(order.begin(), top, top + 1);
    current = placer.place(order);
    if (current.arena_bytes < best.arena_bytes) {
      best = current;
      best.method = "greedy with promotion";
    }
  }
}

}  // namespace

int64_t Block::max_bytes() const {
  int64_t bytes = 0;
  for (const BlockMember& member : members) bytes = std::max(bytes, member.bytes);
  return bytes;
}

ConflictTable::ConflictTable(const std::vector<Block>& blocks, const std::vector<SharedPair>& pairs,
                             Sharing sharing)
    : count_(blocks.size()), heights_(blocks.size() * blocks.size(), -1) {
  auto pair_of = [&](const BlockMember& src, const BlockMember& dst) {
    auto found = std::ranges::find_if(pairs, [&](const SharedPair& pair) {
      return pair.src == src.buffer && pair.dst == dst.buffer;
    });
    return found == pairs.end() ? nullptr : &*found;
  };
  auto height = [&](const BlockMember& lower, const BlockMember& upper) {
    bool relaxed = sharing == Sharing::kRelaxed;
    if (const SharedPair* pair = pair_of(upper, lower))
      return relaxed && pair->in_place ? 0 : std::min(pair->distance, lower.bytes);
    if (const SharedPair* pair = pair_of(lower, upper); pair && relaxed && pair->in_place)
      return int64_t{0};
    return lower.bytes;
  };
  for (size_t a = 0; a < count_; ++a)
    for (size_t b = 0; b < count_; ++b) {
      if (a == b) continue;
      int64_t& most = heights_[a * count_ + b];
      for (const BlockMember& lower : blocks[a].members)
        for (const BlockMember& upper : blocks[b].members)
          if (overlap(lower.life, upper.life)) most = std::max(most, height(lower, upper));
    }
  for (size_t a = 0; a < count_; ++a)
    for (size_t b = a + 1; b < count_; ++b)
      if (conflict(a, b)) conflicts_.push_back({a, b, below(a, b), below(b, a)});
}

Placement place_greedy(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                       int64_t bound_bytes) {
  Placement best;
  best.arena_bytes = std::numeric_limits<int64_t>::max();
  std::vector<size_t> best_order;
  GreedyPlacer placer(blocks, conflicts);
  for (const Order& by : orders(blocks, conflicts)) {
    std::vector<double> keys;
    for (size_t i = 0; i < blocks.size(); ++i) keys.push_back(by.key(i));
    std::vector<size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      if (keys[a] != keys[b]) return keys[a] > keys[b];
      return placer.bytes(a) > placer.bytes(b);
    });
    Placement placement = placer.place(order);
    placement.method = "greedy by " + by.name;
    if (placement.arena_bytes >= best.arena_bytes) continue;
    best = placement;
    best_order = order;
    if (best.arena_bytes <= bound_bytes) return best;
  }
  promote_top(placer, best_order, bound_bytes, best);
  return best;
}

}  // namespace nibble
