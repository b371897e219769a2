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

// The lowest offset of `block` at which it touches no block placed before it.
int64_t lowest_offset(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                      const std::vector<size_t>& placed, const std::vector<int64_t>& offsets,
                      size_t block) {
  const int64_t align = blocks[block].align_bytes;
  std::vector<int64_t> candidates = {0};
  for (size_t other : placed)
    if (conflicts.conflict(other, block))
      candidates.push_back(align_up(offsets[other] + conflicts.below(other, block), align));
  std::sort(candidates.begin(), candidates.end());
  for (int64_t offset : candidates) {
    bool free = std::all_of(placed.begin(), placed.end(), [&](size_t other) {
      return !conflicts.conflict(other, block) ||
             offset >= offsets[other] + conflicts.below(other, block) ||
             offset + conflicts.below(block, other) <= offsets[other];
    });
    if (free) return offset;
  }
  NIBBLE_UNREACHABLE("the highest candidate is always free");
}

Placement place_in_order(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                         const std::vector<size_t>& order) {
  Placement placement;
  placement.offsets.assign(blocks.size(), 0);
  std::vector<size_t> placed;
  for (size_t block : order) {
    placement.offsets[block] = lowest_offset(blocks, conflicts, placed, placement.offsets, block);
    placement.arena_bytes =
        std::max(placement.arena_bytes, placement.offsets[block] + blocks[block].max_bytes());
    placed.push_back(block);
  }
  return placement;
}

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
void promote_top(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                 std::vector<size_t> order, int64_t bound_bytes, Placement& best) {
  Placement current = place_in_order(blocks, conflicts, order);
  for (int round = 0; round < kPromotions && best.arena_bytes > bound_bytes; ++round) {
    auto top = std::find_if(order.begin(), order.end(), [&](size_t block) {
      return current.offsets[block] + blocks[block].max_bytes() == current.arena_bytes;
    });
    if (top == order.end() || top == order.begin()) return;
    std::rotate(order.begin(), top, top + 1);
    current = place_in_order(blocks, conflicts, order);
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
      if (a < b && most >= 0) conflicts_.push_back({a, b});
    }
}

Placement place_greedy(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                       int64_t bound_bytes) {
  Placement best;
  best.arena_bytes = std::numeric_limits<int64_t>::max();
  std::vector<size_t> best_order;
  for (const Order& by : orders(blocks, conflicts)) {
    std::vector<double> keys;
    for (size_t i = 0; i < blocks.size(); ++i) keys.push_back(by.key(i));
    std::vector<size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      if (keys[a] != keys[b]) return keys[a] > keys[b];
      return blocks[a].max_bytes() > blocks[b].max_bytes();
    });
    Placement placement = place_in_order(blocks, conflicts, order);
    placement.method = "greedy by " + by.name;
    if (placement.arena_bytes >= best.arena_bytes) continue;
    best = placement;
    best_order = order;
    if (best.arena_bytes <= bound_bytes) return best;
  }
  promote_top(blocks, conflicts, best_order, bound_bytes, best);
  return best;
}

}  // namespace nibble
