// Segments of a program and the cheapest choice of them below a limit.
#include "plan/band_choice.h"

#include <algorithm>
#include <limits>

#include "plan/lifetimes.h"

namespace nibble {
namespace {

constexpr int32_t kHeights[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
// Beside the members' work: of a member in a band, of a band, of a byte that is moved.
constexpr double kCyclesPerCall = 120, kCyclesPerBand = 30, kCyclesPerMovedByte = 0.6;

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// What `count` rows cost, in rows of the whole image and its strips.
class MemberCost {
 public:
  explicit MemberCost(const KernelCall& call, int32_t rows) : cost_(call.row_cost) {
    for (const auto& [name, value] : call.fields)
      if (name == "out_w" && std::holds_alternative<int64_t>(value))
        columns_ = std::get<int64_t>(value);
    const int64_t rest = call.cycles - strip_cycles(rows) - cost_.call_cycles;
    row_cycles_ = static_cast<double>(std::max<int64_t>(0, rest)) / units(rows);
  }
  double cycles(int32_t rows) const {
    return row_cycles_ * units(rows) + static_cast<double>(strip_cycles(rows) + cost_.call_cycles);
  }

 private:
  double units(int32_t rows) const {
    if (cost_.pixels > 1) return static_cast<double>(round_up(rows * columns_, cost_.pixels));
    return static_cast<double>(round_up(rows, cost_.rows));
  }
  int64_t strip_cycles(int32_t rows) const {
    if (cost_.strip_rows == 0) return 0;
    return round_up(rows, cost_.strip_rows) / cost_.strip_rows * cost_.strip_cycles;
  }

  RowCost cost_;
  int64_t columns_ = 1;
  double row_cycles_ = 0;
};

// What the bands cost more than their members at once.
double group_cycles(const Program& program, const BandGroup& group, const BandCut& cut) {
  double cycles = kCyclesPerMovedByte * static_cast<double>(cut.moved_bytes) +
                  kCyclesPerBand * static_cast<double>(cut.bands.size());
  for (size_t i = 0; i < cut.bands[0].rows.size(); ++i) {
    const KernelCall& call = program.calls[group.first_call() + i];
    const MemberCost cost(call, cut.bands.back().rows[i].end_row);
    double sum = 0;
    for (const Band& band : cut.bands)
      if (int32_t count = band.rows[i].end_row - band.rows[i].first_row; count > 0)
        sum += cost.cycles(count) + kCyclesPerCall;
    cycles += sum - static_cast<double>(call.cycles);
  }
  return std::max(0.0, cycles);
}

Program without_constants(const Program& program) {
  Program result;
  result.name = program.name;
  result.buffers = program.buffers;
  result.functions = program.functions;
  result.calls = program.calls;
  result.inputs = program.inputs;
  result.outputs = program.outputs;
  return result;
}

}  // namespace

BandSearch::BandSearch(const Program& program)
    : program_(without_constants(program)),
      lifetimes_(find_lifetimes(program)),
      starting_(program.calls.size()),
      floor_bytes_(std::numeric_limits<int64_t>::max()),
      nodes_(1) {
  for (size_t call = 0; call < program.calls.size(); ++call) {
    add_single(call);
    alone_bytes_.push_back(segments_.back().need_bytes);
  }
}

void BandSearch::add_groups(int64_t floor_bytes) {
  const size_t count = program_.calls.size();
  for (size_t first = 0; first < count; ++first) {
    int64_t most = alone_bytes_[first];
    const size_t last = std::min(count, first + kMaxMembers);
    for (size_t end = first + 2; end <= last && row_rule(program_, program_.calls[end - 1]);
         ++end) {
      most = std::max(most, alone_bytes_[end - 1]);
      if (most <= floor_bytes || most > floor_bytes_) continue;
      if (std::optional<BandGroup> group = BandGroup::of(program_, first, end)) add_group(*group);
    }
  }
  floor_bytes_ = std::min(floor_bytes_, floor_bytes);
}

void BandSearch::add_segment(const Segment& segment) {
  starting_[segment.first].push_back(segments_.size());
  segments_.push_back(segment);
}

// What is live before and after calls [first, end), and `operands`.
int64_t BandSearch::live(size_t first, size_t end, const std::set<int>& operands) const {
  int64_t sum = 0;
  for (int buffer : operands) sum += bytes(buffer);
  for (size_t i = 0; i < lifetimes_.size(); ++i)
    if (lifetimes_[i].first_call < static_cast<int>(first) &&
        lifetimes_[i].last_call >= static_cast<int>(end) && !operands.contains(static_cast<int>(i)))
      sum += program_.buffers[i].bytes;
  return sum;
}

// Bytes of a call's pairs that count twice in live().
int64_t BandSearch::shared(size_t first, size_t end, std::vector<SharedPair> pairs) const {
  std::erase_if(pairs, [&](const SharedPair& pair) {
    return life(pair.src).last_call >= static_cast<int>(end) ||
           life(pair.dst).first_call < static_cast<int>(first);
  });
  if (pairs.empty()) return 0;
  int64_t sum = bytes(pairs.front().src);
  for (const SharedPair& pair : pairs) sum += bytes(pair.dst);
  return sum - joint_bytes(program_, pairs, 4);
}

void BandSearch::add_single(size_t index) {
  const KernelCall& call = program_.calls[index];
  std::set<int> operands;
  for (const Operand& operand : call.operands)
    if (operand.buffer >= 0) operands.insert(operand.buffer);
  const int64_t need =
      live(index, index + 1, operands) - shared(index, index + 1, possible_pairs(program_, call));
  add_segment({index, index + 1, 0, need, 0});
}

void BandSearch::add_group(const BandGroup& group) {
  const size_t first = group.first_call(), end = group.end_call();
  std::set<int> operands(group.sources().begin(), group.sources().end());
  operands.insert(group.dst());
  const int64_t base = live(first, end, operands) + align_up(group.scratch_bytes(), 8);
  for (int32_t height : kHeights) {
    if (height >= group.rows()) return;
    const BandCut cut = group.cut(height);
    SharedPair pair{group.sources().front(), group.dst(), -1, cut.in_place,
                    overlap_distance(cut.progress, bytes(group.dst()))};
    int64_t need = base - shared(first, end, {pair});
    for (int64_t window : cut.window_bytes) need += align_up(window, 4);
    add_segment({first, end, height, need, group_cycles(program_, group, cut)});
  }
}

size_t BandSearch::step(size_t node, size_t segment) const {
  for (;; node = nodes_[node].fail) {
    auto next = nodes_[node].next.find(segment);
    if (next != nodes_[node].next.end()) return next->second;
    if (node == 0) return 0;
  }
}

// Whoever is at a node may do less than who is at one that it falls back to.
bool BandSearch::improves(const std::vector<Label>& labels, const Label& found) const {
  for (size_t node = found.node;; node = nodes_[node].fail) {
    for (const Label& label : labels)
      if (label.node == node && label.extra_cycles <= found.extra_cycles) return false;
    if (node == 0) return true;
  }
}

std::optional<BandChoice> BandSearch::choose(int64_t limit_bytes) const {
  const size_t count = program_.calls.size();
  std::vector<std::vector<Label>> labels(count + 1);
  labels[0].push_back({});
  for (size_t at = 0; at < count; ++at)
    for (size_t from = 0; from < labels[at].size(); ++from)
      for (size_t index : starting_[at]) {
        const Segment& segment = segments_[index];
        if (segment.need_bytes > limit_bytes) continue;
        const Label& before = labels[at][from];
        const size_t node = step(before.node, index);
        if (nodes_[node].need_bytes > limit_bytes) continue;
        const Label found{before.extra_cycles + segment.extra_cycles, node, index, from};
        std::vector<Label>& there = labels[segment.end];
        if (!improves(there, found)) continue;
        // What is found later may be better: both stay, as others may already refer to the first.
        there.push_back(found);
      }
  auto best = std::ranges::min_element(labels[count], {}, &Label::extra_cycles);
  if (best == labels[count].end()) return std::nullopt;
  BandChoice choice{{}, best->extra_cycles};
  Label label = *best;
  for (size_t at = count; at > 0;) {
    choice.segments.push_back(label.segment);
    at = segments_[label.segment].first;
    label = labels[at][label.from];
  }
  std::ranges::reverse(choice.segments);
  return choice;
}

std::optional<int64_t> BandSearch::least_limit() const {
  std::set<int64_t> sorted;
  for (const Segment& segment : segments_) sorted.insert(segment.need_bytes);
  for (const Node& node : nodes_) sorted.insert(node.need_bytes);
  const std::vector<int64_t> limits(sorted.begin(), sorted.end());
  auto first = std::ranges::partition_point(limits, [&](int64_t limit) { return !choose(limit); });
  return first == limits.end() ? std::nullopt : std::optional(*first);
}

void BandSearch::add_run(std::span<const size_t> segments, int64_t need_bytes) {
  size_t node = 0;
  for (size_t segment : segments) {
    auto [next, is_new] = nodes_[node].next.try_emplace(segment, nodes_.size());
    node = next->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].own_bytes = std::max(nodes_[node].own_bytes, need_bytes);
  link_nodes();
}

// By rising depth: what a node falls back to is the longest other node that ends as it does.
void BandSearch::link_nodes() {
  std::vector<size_t> open = {0};
  for (size_t i = 0; i < open.size(); ++i)
    for (const auto& [segment, child] : nodes_[open[i]].next) {
      nodes_[child].fail = open[i] == 0 ? 0 : step(nodes_[open[i]].fail, segment);
      nodes_[child].need_bytes =
          std::max(nodes_[child].own_bytes, nodes_[nodes_[child].fail].need_bytes);
      open.push_back(child);
    }
}

// Only what a plan asks for.
const BandSearch::MadeGroup& BandSearch::made(size_t index) {
  auto [found, is_new] = made_.try_emplace(index);
  if (!is_new) return found->second;
  const Segment& segment = segments_[index];
  Program program;
  program.buffers = program_.buffers;
  program.calls = program_.calls;
  const BandGroup group = *BandGroup::of(program_, segment.first, segment.end);
  MadeGroup& made = found->second;
  made.call = group.make(program, group.cut(segment.height));
  made.call.members.clear();
  made.call.bands.clear();
  made.buffers.assign(
      program.buffers.begin() + static_cast<std::ptrdiff_t>(program_.buffers.size()),
      program.buffers.end());
  return made;
}

Program BandSearch::part(std::span<const size_t> segments) {
  Program result;
  result.name = program_.name;
  result.buffers = program_.buffers;
  for (size_t index : segments) {
    const Segment& segment = segments_[index];
    if (segment.height == 0) {
      result.calls.push_back(program_.calls[segment.first]);
      continue;
    }
    const MadeGroup& group = made(index);
    const auto before = static_cast<int>(program_.buffers.size());
    const int moved = static_cast<int>(result.buffers.size()) - before;
    KernelCall& call = result.calls.emplace_back(group.call);
    for (Operand& operand : call.operands)
      if (operand.buffer >= before) operand.buffer += moved;
    result.buffers.insert(result.buffers.end(), group.buffers.begin(), group.buffers.end());
  }
  add_ports(result, lifetimes_,
            {static_cast<int>(segments_[segments.front()].first),
             static_cast<int>(segments_[segments.back()].end)},
            static_cast<int>(program_.calls.size()));
  return result;
}

Program BandSearch::apply(const Program& program, const BandChoice& choice) const {
  std::vector<ChosenGroup> groups;
  for (size_t index : choice.segments) {
    const Segment& segment = segments_[index];
    if (segment.height > 0)
      groups.push_back({*BandGroup::of(program, segment.first, segment.end), segment.height});
  }
  Program result = with_groups(program, groups);
  size_t next = 0;
  for (KernelCall& call : result.calls) {
    if (call.members.empty()) continue;
    const BandGroup& group = groups[next].group;
    call.cycles +=
        static_cast<int64_t>(group_cycles(program, group, group.cut(groups[next++].height)));
  }
  return result;
}

}  // namespace nibble
