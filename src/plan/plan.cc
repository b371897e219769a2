// Program → MemoryPlan: lifetimes, chains of in-place buffers as blocks, the best placement found
// for them.
#include "plan/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/text.h"
#include "plan/lifetimes.h"
#include "plan/placement.h"

namespace nibble {
namespace {

// Offsets are 32-bit numbers on the target.
constexpr int64_t kMaxArenaBytes = std::numeric_limits<int32_t>::max();
// Beyond this many in-place pairs, giving up single ones is not tried.
constexpr size_t kMaxPairsTried = 24;

std::vector<Block> make_blocks(const Program& program, const std::vector<Lifetime>& lifetimes,
                               const std::vector<InPlacePair>& pairs) {
  // Pairs are in order of calls, so a chain is built from its first member on.
  std::vector<size_t> head(program.buffers.size());
  std::iota(head.begin(), head.end(), size_t{0});
  for (const InPlacePair& pair : pairs)
    head[static_cast<size_t>(pair.dst)] = head[static_cast<size_t>(pair.src)];
  std::vector<Block> by_head(program.buffers.size());
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    if (!takes_bytes(buffer, lifetimes[i])) continue;
    Block& block = by_head[head[i]];
    block.members.push_back({static_cast<int>(i), buffer.bytes, lifetimes[i]});
    block.align_bytes = std::lcm(block.align_bytes, buffer.align_bytes);
  }
  std::erase_if(by_head, [](const Block& block) { return block.members.empty(); });
  return by_head;
}

void keep_if_smaller(const std::vector<Block>& blocks, const Placement& placement,
                     MemoryPlan& plan) {
  if (placement.arena_bytes >= plan.arena_bytes) return;
  plan.arena_bytes = placement.arena_bytes;
  plan.method = placement.method;
  for (size_t i = 0; i < blocks.size(); ++i)
    for (const BlockMember& member : blocks[i].members)
      plan.offsets[static_cast<size_t>(member.buffer)] = placement.offsets[i];
}

// In-place is nearly always a gain, but it ties offsets together; without a pair the rest may fit
// better.
void try_without_pairs(const Program& program, const std::vector<InPlacePair>& pairs,
                       MemoryPlan& plan) {
  if (pairs.size() > kMaxPairsTried) return;
  for (size_t left_out = 0; left_out < pairs.size(); ++left_out) {
    if (plan.arena_bytes <= plan.lower_bound_bytes) return;
    std::vector<InPlacePair> kept = pairs;
    kept.erase(kept.begin() + static_cast<long>(left_out));
    std::vector<Block> blocks = make_blocks(program, plan.lifetimes, kept);
    keep_if_smaller(blocks, place_greedy(blocks, plan.lower_bound_bytes), plan);
  }
}

Status check_sizes(const Program& program) {
  for (const Buffer& buffer : program.buffers) {
    NIBBLE_CHECK(buffer.bytes >= 0 && buffer.align_bytes > 0, "{}", buffer.name);
    if (buffer.bytes > kMaxArenaBytes)
      return input_error(fmt::format(
          "tensor \"{}\" takes {} bytes; at most {} can be addressed: use a model with smaller "
          "inputs",
          buffer.name, with_thousands(buffer.bytes), with_thousands(kMaxArenaBytes)));
  }
  return {};
}

}  // namespace

Result<MemoryPlan> plan(const Program& program) {
  NIBBLE_TRY(check_sizes(program));
  MemoryPlan plan;
  plan.lifetimes = find_lifetimes(program);
  std::vector<InPlacePair> pairs = find_in_place_pairs(program, plan.lifetimes);
  MemoryBound bound = lower_bound(program, plan.lifetimes, pairs);
  plan.lower_bound_bytes = bound.bytes;
  plan.peak_call = bound.call;
  plan.offsets.assign(program.buffers.size(), -1);
  std::vector<Block> blocks = make_blocks(program, plan.lifetimes, pairs);
  if (blocks.empty()) {
    plan.method = "optimal";
    return plan;
  }
  plan.arena_bytes = std::numeric_limits<int64_t>::max();
  Placement placement =
      place_blocks(blocks, static_cast<int>(program.calls.size()) + 2, bound.bytes);
  keep_if_smaller(blocks, placement, plan);
  try_without_pairs(program, pairs, plan);
  if (plan.arena_bytes == plan.lower_bound_bytes || (placement.proved && pairs.empty()))
    plan.method = "optimal";
  if (plan.arena_bytes > kMaxArenaBytes)
    return input_error(fmt::format(
        "the tensors of {} that are live together take {} bytes; at most "
        "{} can be addressed: use a model with smaller inputs",
        program.name, with_thousands(plan.arena_bytes), with_thousands(kMaxArenaBytes)));
  return plan;
}

}  // namespace nibble
