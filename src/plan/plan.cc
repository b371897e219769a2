// Program → MemoryPlan: lifetimes, chains of in-place buffers as blocks, the best placement found
// for them.
#include "plan/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/text.h"
#include "plan/lifetimes.h"
#include "plan/order.h"
#include "plan/placement.h"

namespace nibble {
namespace {

// Offsets are 32-bit numbers on the target.
constexpr int64_t kMaxArenaBytes = std::numeric_limits<int32_t>::max();
// Of the exact search, in elementary steps, over all choices of what is joined.
constexpr int64_t kSearchWork = 30'000'000;
// Sets of calls that the search for an order looks at.
constexpr int64_t kMaxOrderStates = 100'000;
// Up to here every choice of pairs that tie offsets together is searched; beyond, up to the other,
// single ones are left out.
constexpr size_t kMaxPairsSearched = 5, kMaxPairsTried = 24;

// dst takes the very place of src. Where dst may start anywhere up to its source, there is nothing
// to join.
bool joins(const SharedPair& pair) { return pair.in_place && pair.distance > 0; }

// Buffers of which one is computed in place of the other become one block; those that share in
// units start at multiples of them. The blocks stand in the order that the search asks for: a dst
// before its source.
std::vector<Block> make_blocks(const Program& program, const std::vector<Lifetime>& lifetimes,
                               const std::vector<SharedPair>& tied) {
  // Pairs are in order of calls, so a chain is built from its first member on.
  std::vector<size_t> head(program.buffers.size());
  std::vector<int64_t> align;
  for (const Buffer& buffer : program.buffers) align.push_back(buffer.align_bytes);
  std::iota(head.begin(), head.end(), size_t{0});
  for (const SharedPair& pair : tied) {
    auto src = static_cast<size_t>(pair.src), dst = static_cast<size_t>(pair.dst);
    if (joins(pair)) {
      head[dst] = head[src];
      continue;
    }
    for (size_t buffer : {src, dst}) align[buffer] = std::lcm(align[buffer], pair.unit);
  }
  std::vector<Block> by_head(program.buffers.size());
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    if (!takes_bytes(buffer, lifetimes[i])) continue;
    Block& block = by_head[head[i]];
    block.members.push_back({static_cast<int>(i), buffer.bytes, lifetimes[i]});
    block.align_bytes = std::lcm(block.align_bytes, align[i]);
  }
  std::erase_if(by_head, [](const Block& block) { return block.members.empty(); });
  std::ranges::stable_sort(by_head, std::greater<>(), [](const Block& block) {
    int first = std::numeric_limits<int>::max();
    for (const BlockMember& member : block.members) first = std::min(first, member.life.first_call);
    return first;
  });
  return by_head;
}

class Planner {
 public:
  Planner(const Program& program, MemoryPlan& plan, int64_t max_work)
      : program_(program),
        max_work_(max_work),
        plan_(plan),
        times_(static_cast<int>(program.calls.size()) + 2),
        pairs_(find_shared_pairs(program, plan.lifetimes)) {
    for (const SharedPair& pair : pairs_)
      (joins(pair) || pair.unit > 1 ? ties_ : free_).push_back(pair);
  }

  void run() {
    const int64_t bound = lower_bound(program_, plan_.lifetimes, pairs_);
    plan_.offsets.assign(program_.buffers.size(), -1);
    plan_.method = "optimal";
    std::vector<Block> apart = make_blocks(program_, plan_.lifetimes, {});
    if (apart.empty()) return;
    plan_.lower_bound_bytes =
        narrowed_bound(apart, ConflictTable(apart, pairs_, Sharing::kRelaxed), bound);
    plan_.arena_bytes = std::numeric_limits<int64_t>::max();
    bool proved = place();
    if (proved || done()) plan_.method = "optimal";
  }

 private:
  bool done() const { return plan_.arena_bytes <= plan_.lower_bound_bytes; }

  // Pairs that tie offsets together are nearly always a gain, but without one the rest may fit
  // better. True if nothing smaller exists.
  bool place() {
    place_tied(ties_);
    size_t count = ties_.size();
    for (size_t left_out = 0; left_out < count && count <= kMaxPairsTried && !done(); ++left_out) {
      std::vector<SharedPair> kept = ties_;
      kept.erase(kept.begin() + static_cast<long>(left_out));
      place_tied(kept);
    }
    if (done()) return true;
    if (count > kMaxPairsSearched) {
      search_tied(ties_, max_work_);
      return false;
    }
    bool proved = true;
    for (unsigned choice = 0; choice < 1u << count && !done(); ++choice) {
      std::vector<SharedPair> kept;
      for (size_t i = 0; i < count; ++i)
        if (!(choice >> i & 1)) kept.push_back(ties_[i]);
      proved = search_tied(kept, max_work_ >> count) && proved;
    }
    // Pairs in units are placed at multiples of them; others that are as far apart are not tried.
    auto in_units = [](const SharedPair& pair) { return pair.unit > 1; };
    return proved && std::ranges::none_of(ties_, in_units);
  }

  // What may share bytes when just these pairs are tied: where an in-place pair is not, its dst may
  // still lie its distance below.
  std::vector<SharedPair> sharing(const std::vector<SharedPair>& tied) const {
    std::vector<SharedPair> pairs = free_;
    pairs.insert(pairs.end(), tied.begin(), tied.end());
    for (const SharedPair& pair : ties_) {
      auto same = [&](const SharedPair& other) { return other.dst == pair.dst; };
      if (pair.unit == 1 && std::ranges::none_of(tied, same)) pairs.push_back(pair);
    }
    return pairs;
  }

  void place_tied(const std::vector<SharedPair>& tied) {
    std::vector<Block> blocks = make_blocks(program_, plan_.lifetimes, tied);
    keep_if_smaller(blocks, place_greedy(blocks, ConflictTable(blocks, sharing(tied)),
                                         plan_.lower_bound_bytes));
  }

  bool search_tied(const std::vector<SharedPair>& tied, int64_t max_work) {
    std::vector<Block> blocks = make_blocks(program_, plan_.lifetimes, tied);
    const std::vector<SharedPair> pairs = sharing(tied);
    SearchResult result = search_placement(blocks, ConflictTable(blocks, pairs), pairs, times_,
                                           plan_.lower_bound_bytes, plan_.arena_bytes, max_work);
    if (result.found) keep_if_smaller(blocks, *result.found);
    return result.proved;
  }

  void keep_if_smaller(const std::vector<Block>& blocks, const Placement& placement) {
    if (placement.arena_bytes >= plan_.arena_bytes) return;
    plan_.arena_bytes = placement.arena_bytes;
    plan_.method = placement.method;
    for (size_t i = 0; i < blocks.size(); ++i)
      for (const BlockMember& member : blocks[i].members)
        plan_.offsets[static_cast<size_t>(member.buffer)] = placement.offsets[i];
  }

  const Program& program_;
  const int64_t max_work_;
  MemoryPlan& plan_;
  const int times_;
  std::vector<SharedPair> pairs_, ties_, free_;  // all; those that tie offsets, those that do not
};

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

void reorder(Program& program, const std::vector<int>& order) {
  std::vector<KernelCall> calls;
  for (int call : order) calls.push_back(program.calls[static_cast<size_t>(call)]);
  program.calls = std::move(calls);
}

}  // namespace

Result<MemoryPlan> plan(const Program& program) { return plan_within(program, kSearchWork); }

Result<MemoryPlan> plan_within(const Program& program, int64_t max_work) {
  NIBBLE_TRY(check_sizes(program));
  MemoryPlan plan;
  plan.lifetimes = find_lifetimes(program);
  Planner(program, plan, max_work).run();
  if (plan.arena_bytes > kMaxArenaBytes)
    return input_error(fmt::format(
        "the tensors of {} that are live together take {} bytes; at most "
        "{} can be addressed: use a model with smaller inputs",
        program.name, with_thousands(plan.arena_bytes), with_thousands(kMaxArenaBytes)));
  return plan;
}

int64_t program_cycles(const Program& program) {
  int64_t cycles = 0;
  for (const KernelCall& call : program.calls) cycles += call.cycles;
  return cycles;
}

Result<MemoryPlan> plan_in_best_order(Program& program) {
  NIBBLE_TRY(check_sizes(program));
  const CallOrders orders = order_calls(program, kMaxOrderStates);
  std::optional<MemoryPlan> best;
  size_t chosen = 0;
  for (size_t i = 0; i < orders.candidates.size(); ++i) {
    Program ordered = program;
    reorder(ordered, orders.candidates[i]);
    NIBBLE_ASSIGN(MemoryPlan tried, plan(ordered));
    if (best && tried.arena_bytes >= best->arena_bytes) continue;
    best = std::move(tried);
    chosen = i;
    if (best->arena_bytes <= orders.lower_bound_bytes) break;
  }
  reorder(program, orders.candidates[chosen]);
  if (orders.only_one) return std::move(*best);
  best->lower_bound_bytes = std::min(best->lower_bound_bytes, orders.lower_bound_bytes);
  if (best->method == "optimal" && best->arena_bytes > best->lower_bound_bytes)
    best->method = "optimal for this order";
  return std::move(*best);
}

}  // namespace nibble
