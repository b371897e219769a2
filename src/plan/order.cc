#include "plan/order.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>
#include <unordered_map>

#include "plan/lifetimes.h"

namespace nibble {
namespace {

using CallSet = std::vector<uint64_t>;

bool has(const CallSet& set, int call) {
  return set[static_cast<size_t>(call) / 64] >> (call % 64) & 1;
}
void insert(CallSet& set, int call) {
  set[static_cast<size_t>(call) / 64] |= uint64_t{1} << (call % 64);
}
bool includes(const CallSet& set, const CallSet& part) {
  for (size_t i = 0; i < set.size(); ++i)
    if (part[i] & ~set[i]) return false;
  return true;
}

struct CallSetHash {
  size_t operator()(const CallSet& set) const {
    uint64_t hash = 1469598103934665603u;
    for (uint64_t word : set) hash = (hash ^ word) * 1099511628211u, hash ^= hash >> 29;
    return hash;
  }
};

// Parts of one buffer may be written in any order; all else that two calls do with a buffer keeps
// its order, unless both read.
bool ordered(const Operand& earlier, const Operand& later) {
  if (earlier.buffer < 0 || earlier.buffer != later.buffer) return false;
  if (earlier.role == Operand::Role::kSrc && later.role == Operand::Role::kSrc) return false;
  bool parts = earlier.role == Operand::Role::kDst && later.role == Operand::Role::kDst &&
               earlier.offset_bytes != later.offset_bytes;
  return !parts;
}

// What a call needs, and what is live after it.
struct Step {
  int64_t need = 0;     // as lower_bound() counts it
  int64_t change = 0;   // of the live bytes, rounded up to the alignment
  bool ragged = false;  // something that dies is no multiple of the alignment
};

class Model {
 public:
  explicit Model(const Program& program)
      : program_(program), users_(program.buffers.size()), writers_(program.buffers.size()) {
    const size_t count = program.calls.size(), words = count / 64 + 1;
    before_.assign(count, CallSet(words, 0));
    align_ = std::numeric_limits<int64_t>::max();
    for (const Buffer& buffer : program.buffers) align_ = std::min(align_, buffer.align_bytes);
    input_.assign(program.buffers.size(), false);
    output_.assign(program.buffers.size(), false);
    for (const ProgramPort& port : program.inputs) input_[static_cast<size_t>(port.buffer)] = true;
    for (const ProgramPort& port : program.outputs)
      output_[static_cast<size_t>(port.buffer)] = true;
    for (size_t b = 0; b < program.buffers.size(); ++b) users_[b] = writers_[b] = CallSet(words, 0);
    for (int call = 0; call < static_cast<int>(count); ++call)
      for (const Operand& operand : program.calls[static_cast<size_t>(call)].operands) {
        if (operand.buffer < 0) continue;
        insert(users_[static_cast<size_t>(operand.buffer)], call);
        if (operand.role != Operand::Role::kSrc)
          insert(writers_[static_cast<size_t>(operand.buffer)], call);
      }
    for (size_t later = 0; later < count; ++later)
      for (size_t earlier = 0; earlier < later; ++earlier)
        if (must_precede(program.calls[earlier], program.calls[later]))
          insert(before_[later], static_cast<int>(earlier));
  }

  size_t words() const { return program_.calls.size() / 64 + 1; }
  int count() const { return static_cast<int>(program_.calls.size()); }

  std::vector<int> ready(const CallSet& done) const {
    std::vector<int> calls;
    for (int call = 0; call < count(); ++call)
      if (!has(done, call) && includes(done, before_[static_cast<size_t>(call)]))
        calls.push_back(call);
    return calls;
  }

  Step step(const CallSet& done, int call) const {
    CallSet after = done;
    insert(after, call);
    const KernelCall& what = program_.calls[static_cast<size_t>(call)];
    const std::vector<SharedPair> pairs = pairs_of(what, done, after);
    Step step;
    int64_t sum = 0, slack = 0;
    auto add = [&](int64_t bytes) {
      sum += align_up(bytes, align_);
      slack = std::max(slack, align_up(bytes, align_) - bytes);
    };
    for (size_t b = 0; b < program_.buffers.size(); ++b) {
      const int64_t bytes = program_.buffers[b].bytes;
      if (bytes == 0) continue;
      bool was = live(b, done), is = live(b, after), used = has(users_[b], call);
      if (was != is) step.change += (is ? 1 : -1) * align_up(bytes, align_);
      if (was && !is && bytes % align_ != 0) step.ragged = true;
      bool paired = std::ranges::any_of(pairs, [&](const SharedPair& pair) {
        return pair.src == static_cast<int>(b) || pair.dst == static_cast<int>(b);
      });
      if ((was || is || used) && !paired) add(bytes);
    }
    if (!pairs.empty()) add(joint_bytes(program_, pairs, align_));
    step.need = sum - slack;
    return step;
  }

  // Another call writes a part of what this one writes.
  bool shares_dst(int call) const {
    for (const Operand& operand : program_.calls[static_cast<size_t>(call)].operands) {
      if (operand.role == Operand::Role::kSrc || operand.buffer < 0) continue;
      CallSet only(words(), 0);
      insert(only, call);
      if (writers_[static_cast<size_t>(operand.buffer)] != only) return true;
    }
    return false;
  }

  // Before the first call and after the last.
  int64_t need_at_ends() const {
    CallSet none(words(), 0), all(words(), 0);
    for (int call = 0; call < count(); ++call) insert(all, call);
    const CallSet ends[] = {none, all};
    int64_t most = 0;
    for (const CallSet& done : ends) {
      int64_t sum = 0, slack = 0;
      for (size_t b = 0; b < program_.buffers.size(); ++b)
        if (int64_t bytes = program_.buffers[b].bytes;
            bytes > 0 && (&done == &ends[0] ? input_[b] : live(b, done))) {
          sum += align_up(bytes, align_);
          slack = std::max(slack, align_up(bytes, align_) - bytes);
        }
      most = std::max(most, sum - slack);
    }
    return most;
  }

 private:
  static bool must_precede(const KernelCall& earlier, const KernelCall& later) {
    for (const Operand& a : earlier.operands)
      for (const Operand& b : later.operands)
        if (ordered(a, b)) return true;
    return false;
  }

  // Live between two calls.
  bool live(size_t buffer, const CallSet& done) const {
    bool begun = input_[buffer], over = !output_[buffer];
    for (size_t i = 0; i < done.size(); ++i) {
      begun = begun || (users_[buffer][i] & done[i]) != 0;
      over = over && (users_[buffer][i] & ~done[i]) == 0;
    }
    return begun && !over;
  }

  std::vector<SharedPair> pairs_of(const KernelCall& call, const CallSet& done,
                                   const CallSet& after) const {
    std::vector<SharedPair> pairs = possible_pairs(program_, call);
    std::erase_if(pairs, [&](const SharedPair& pair) {
      auto dst = static_cast<size_t>(pair.dst);
      bool begun = input_[dst];
      for (size_t i = 0; i < done.size(); ++i) begun = begun || (users_[dst][i] & done[i]) != 0;
      return begun || live(static_cast<size_t>(pair.src), after);
    });
    return pairs;
  }

  const Program& program_;
  int64_t align_ = 1;
  std::vector<bool> input_, output_;
  std::vector<CallSet> users_, writers_;  // per buffer
  std::vector<CallSet> before_;           // per call
};

struct State {
  CallSet done;
  int64_t need = 0;  // of the path up to here
  int last = -1, depth = 0;
  int64_t parent = -1;
};

class OrderSearch {
 public:
  // Among equals, the call whose index is least goes first, or greatest.
  OrderSearch(const Model& model, int64_t below_bytes, int64_t max_states, bool least_first)
      : model_(model),
        below_bytes_(below_bytes),
        max_states_(max_states),
        least_first_(least_first) {}

  // Empty if no order needs less than below_bytes, or the search gave up; `bound` is set to what
  // every order needs. States come in the order of their needs.
  std::vector<int> run(int64_t& bound) {
    auto later = [&](int64_t a, int64_t b) { return goes_after(a, b); };
    std::priority_queue<int64_t, std::vector<int64_t>, decltype(later)> open(later);
    states_.push_back({CallSet(model_.words(), 0), model_.need_at_ends(), -1, 0, -1});
    bound = below_bytes_;
    if (states_[0].need >= below_bytes_) return {};
    open.push(0);
    best_[states_[0].done] = states_[0].need;
    while (!open.empty()) {
      int64_t index = open.top();
      open.pop();
      State state = states_[static_cast<size_t>(index)];
      if (best_[state.done] < state.need) continue;
      bound = state.need;
      if (state.depth == model_.count()) return path(index);
      if (static_cast<int64_t>(states_.size()) > max_states_) return {};
      for (const auto& [call, need] : next(state)) {
        State follow{state.done, std::max(state.need, need), call, state.depth + 1, index};
        insert(follow.done, call);
        if (follow.need >= below_bytes_) continue;
        auto [known, is_new] = best_.try_emplace(follow.done, follow.need);
        if (!is_new && known->second <= follow.need) continue;
        known->second = follow.need;
        states_.push_back(std::move(follow));
        open.push(static_cast<int64_t>(states_.size()) - 1);
      }
    }
    bound = below_bytes_;
    return {};
  }

 private:
  bool goes_after(int64_t a, int64_t b) const {
    const State &x = states_[static_cast<size_t>(a)], &y = states_[static_cast<size_t>(b)];
    if (x.need != y.need) return x.need > y.need;
    if (x.depth != y.depth) return x.depth < y.depth;
    if (x.last != y.last) return least_first_ ? x.last > y.last : x.last < y.last;
    return a > b;
  }

  std::vector<std::pair<int, int64_t>> next(const State& state) const {
    std::vector<std::pair<int, int64_t>> calls;
    for (int call : model_.ready(state.done)) {
      Step step = model_.step(state.done, call);
      if (step.need <= state.need && step.change <= 0 && !step.ragged && !model_.shares_dst(call))
        return {{call, step.need}};
      calls.emplace_back(call, step.need);
    }
    return calls;
  }

  std::vector<int> path(int64_t index) const {
    std::vector<int> order;
    for (; states_[static_cast<size_t>(index)].parent >= 0;
         index = states_[static_cast<size_t>(index)].parent)
      order.push_back(states_[static_cast<size_t>(index)].last);
    std::ranges::reverse(order);
    return order;
  }

  const Model& model_;
  const int64_t below_bytes_, max_states_;
  const bool least_first_;
  std::vector<State> states_;
  std::unordered_map<CallSet, int64_t, CallSetHash> best_;
};

// The call that needs least, then leaves least, next.
std::vector<int> greedy_order(const Model& model) {
  CallSet done(model.words(), 0);
  std::vector<int> order;
  while (static_cast<int>(order.size()) < model.count()) {
    int best = -1;
    Step best_step;
    for (int call : model.ready(done)) {
      Step step = model.step(done, call);
      bool better = std::pair(step.change, step.need) < std::pair(best_step.change, best_step.need);
      if (best < 0 || better) best = call, best_step = step;
    }
    insert(done, best);
    order.push_back(best);
  }
  return order;
}

int64_t need_of(const Model& model, const std::vector<int>& order) {
  CallSet done(model.words(), 0);
  int64_t most = model.need_at_ends();
  for (int call : order) {
    most = std::max(most, model.step(done, call).need);
    insert(done, call);
  }
  return most;
}

bool nothing_moves(const Model& model) {
  CallSet done(model.words(), 0);
  for (int call = 0; call < model.count(); ++call) {
    if (model.ready(done).size() != 1) return false;
    insert(done, call);
  }
  return true;
}

}  // namespace

CallOrders order_calls(const Program& program, int64_t max_states) {
  Model model(program);
  std::vector<int> given(program.calls.size());
  std::iota(given.begin(), given.end(), 0);
  CallOrders orders;
  orders.candidates = {given};
  int64_t best = orders.lower_bound_bytes = need_of(model, given);
  orders.only_one = nothing_moves(model);
  if (orders.only_one) return orders;
  auto offer = [&](std::vector<int> order) {
    if (order.empty() || std::ranges::count(orders.candidates, order)) return;
    int64_t need = need_of(model, order);
    orders.candidates.insert(need < best ? orders.candidates.begin() : orders.candidates.end(),
                             std::move(order));
    best = std::min(best, need);
  };
  offer(greedy_order(model));
  // First what is better than all that is known, then others that are as good.
  offer(OrderSearch(model, best, max_states, true).run(orders.lower_bound_bytes));
  int64_t ignored = best;
  for (bool least_first : {true, false})
    offer(OrderSearch(model, best + 1, max_states, least_first).run(ignored));
  return orders;
}

}  // namespace nibble
