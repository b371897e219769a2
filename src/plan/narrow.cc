// What pairs of blocks say about each other's offsets before any is placed: constraint propagation,
// used by the search to cut branches and by itself as a lower bound.
#include <algorithm>

#include "plan/placement.h"

namespace nibble {
namespace {

int64_t align_down(int64_t value, int64_t align_bytes) {
  return value < 0 ? -align_up(-value, align_bytes) : value / align_bytes * align_bytes;
}

// `upper` lies `distance` above `lower`. False if there is no room; sets `changed`.
bool put_above(const Block& lower_block, OffsetRange& lower, const Block& upper_block,
               OffsetRange& upper, int64_t distance, bool& changed) {
  int64_t low = align_up(lower.low + distance, upper_block.align_bytes);
  int64_t high = align_down(upper.high - distance, lower_block.align_bytes);
  if (low > upper.low) upper.low = low, changed = true;
  if (high < lower.high) lower.high = high, changed = true;
  return upper.low <= upper.high && lower.low <= lower.high;
}

}  // namespace

bool narrow(const std::vector<Block>& blocks, const ConflictTable& conflicts,
            const std::vector<bool>& done, int passes, std::vector<OffsetRange>& ranges) {
  bool changed = true;
  for (int pass = 0; changed && pass < passes; ++pass) {
    changed = false;
    for (const auto& [a, b, ab, ba] : conflicts.conflicts()) {
      if (done[a] || done[b]) continue;
      OffsetRange &ra = ranges[a], &rb = ranges[b];
      bool b_above = ra.low + ab <= rb.high, a_above = rb.low + ba <= ra.high;
      if (a_above && b_above) continue;
      if (!a_above && !b_above) return false;
      if (b_above ? !put_above(blocks[a], ra, blocks[b], rb, ab, changed)
                  : !put_above(blocks[b], rb, blocks[a], ra, ba, changed))
        return false;
    }
  }
  return true;
}

int64_t narrowed_bound(const std::vector<Block>& blocks, const ConflictTable& conflicts,
                       int64_t from_bytes) {
  constexpr int kPasses = 1000;
  int64_t sum = 0;
  for (const Block& block : blocks) sum += align_up(block.max_bytes(), block.align_bytes) + 64;
  auto possible = [&](int64_t arena_bytes) {
    std::vector<OffsetRange> ranges;
    for (const Block& block : blocks) {
      ranges.push_back({0, align_down(arena_bytes - block.max_bytes(), block.align_bytes)});
      if (ranges.back().high < 0) return false;
    }
    return narrow(blocks, conflicts, std::vector<bool>(blocks.size(), false), kPasses, ranges);
  };
  // Whatever fits some arena fits every larger one.
  int64_t refuted = from_bytes - 1, open = std::max(from_bytes, sum);
  while (open - refuted > 1) {
    int64_t middle = refuted + (open - refuted) / 2;
    (possible(middle) ? open : refuted) = middle;
  }
  return open;
}

}  // namespace nibble
